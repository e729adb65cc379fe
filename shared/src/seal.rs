//! What a browser carries for us: encrypted, authenticated, bound to the cookie it travels in.
//!
//! A sealed value is the unpadded base64url of `key id (4) ‖ nonce (12) ‖ AES-256-GCM ciphertext and tag`. Each kind of value has a
//! key of its own, derived by HKDF-SHA-256 (RFC 5869), and the cookie's name and the origin are authenticated with it: a value
//! opens only as what it was sealed as, under the name it was sealed for, in the environment it was sealed in.
//!
//! A nonce is random. 2³² values under one key keep the chance of a repetition below 2⁻³² (NIST SP 800-38D, 8.3); rotation
//! (`functions/rotate-flow-keys`) replaces a key long before that.

use std::fmt;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::clock::{NoRandomness, Randomness, random_bytes};

const KEY_ID_LEN: usize = 4;

/// Longer values are refused before anything is decoded; the longest we seal are far shorter (contract section 4).
const MAX_SEALED_LEN: usize = 1024;

/// The kinds of values that are sealed. Each has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`crate::flow::Flow`].
    Flow,
    /// A [`crate::flow::PendingLink`].
    PendingLink,
}

impl Kind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Flow => b"account-linking v1 flow",
            Self::PendingLink => b"account-linking v1 pending link",
        }
    }
}

/// The flow keys are not what section 8 of the contract asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowKeysError {
    /// There is no key at all.
    #[error("no key is given")]
    None,
    /// One of them is something else.
    #[error("each key must be 32 bytes in standard base64, separated by commas")]
    NotAKey,
    /// The same key twice (or two keys whose ids collide): rotation would be a guess.
    #[error("two keys are the same")]
    Repeated,
}

/// Why something could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No randomness for the nonce.
    #[error("drawing a nonce")]
    Randomness(#[from] NoRandomness),
    /// The value has no serialised form, or is too long to encrypt.
    #[error("encoding the value")]
    Encoding,
}

/// Why something did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It names a key that is not here; it may be newer than our keys.
    #[error("the value names an unknown key")]
    UnknownKey,
    /// It was not sealed by us, not for this name, not as this kind, or was changed.
    #[error("the value is not authentic")]
    NotAuthentic,
}

/// The keys that seal and open, newest first: the first seals, all open.
pub struct FlowKeys {
    origin: String,
    keys: Vec<FlowKey>,
}

impl FlowKeys {
    /// Reads `text`: keys of 32 bytes in standard base64, newest first, separated by commas. What they seal opens only for `origin`.
    pub fn parse(text: &str, origin: &str) -> Result<Self, FlowKeysError> {
        if text.trim().is_empty() {
            return Err(FlowKeysError::None);
        }
        let mut keys: Vec<FlowKey> = Vec::new();
        for encoded in text.split(',') {
            let bytes = STANDARD.decode(encoded.trim()).map_err(|_| FlowKeysError::NotAKey)?;
            let key = FlowKey::derive(&<[u8; 32]>::try_from(bytes).map_err(|_| FlowKeysError::NotAKey)?)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(FlowKeysError::Repeated);
            }
            keys.push(key);
        }
        Ok(Self {
            origin: origin.to_owned(),
            keys,
        })
    }

    /// Seals `value` for the cookie `name`.
    pub fn seal<T: Serialize>(
        &self,
        kind: Kind,
        name: &str,
        value: &T,
        random: &dyn Randomness,
    ) -> Result<String, SealError> {
        let mut sealed = postcard::to_allocvec(value).map_err(|_| SealError::Encoding)?;
        let key = self.keys.first().ok_or(SealError::Encoding)?;
        let nonce: [u8; NONCE_LEN] = random_bytes(random)?;
        key.of(kind)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), self.bound_to(name), &mut sealed)
            .map_err(|_| SealError::Encoding)?;
        Ok(URL_SAFE_NO_PAD.encode([&key.id[..], &nonce, &sealed].concat()))
    }

    /// Opens what [`Self::seal`] made of a `T` for the same kind and name.
    pub fn open<T: DeserializeOwned>(&self, kind: Kind, name: &str, sealed: &str) -> Result<T, OpenError> {
        if sealed.len() > MAX_SEALED_LEN {
            return Err(OpenError::NotAuthentic);
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| OpenError::NotAuthentic)?;
        let (id, rest) = bytes.split_at_mut_checked(KEY_ID_LEN).ok_or(OpenError::NotAuthentic)?;
        let (nonce, ciphertext) = rest.split_at_mut_checked(NONCE_LEN).ok_or(OpenError::NotAuthentic)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id == *id)
            .ok_or(OpenError::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::NotAuthentic)?;
        let value = key
            .of(kind)
            .open_in_place(nonce, self.bound_to(name), ciphertext)
            .map_err(|_| OpenError::NotAuthentic)?;
        postcard::from_bytes(value).map_err(|_| OpenError::NotAuthentic)
    }

    fn bound_to(&self, name: &str) -> Aad<String> {
        Aad::from(format!("{} {name}", self.origin))
    }
}

impl fmt::Debug for FlowKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowKeys({} keys)", self.keys.len())
    }
}

struct FlowKey {
    id: [u8; KEY_ID_LEN],
    flow: LessSafeKey,
    pending_link: LessSafeKey,
}

impl FlowKey {
    fn derive(secret: &[u8; 32]) -> Result<Self, FlowKeysError> {
        let secret = Salt::new(HKDF_SHA256, b"account-linking").extract(secret);
        let key = |kind: Kind| {
            let key = secret.expand(&[kind.label()], &AES_256_GCM).map(UnboundKey::from);
            key.map(LessSafeKey::new).map_err(|_| FlowKeysError::NotAKey)
        };
        let mut id = [0; KEY_ID_LEN];
        secret
            .expand(&[b"account-linking v1 key id"], KeyId)
            .and_then(|expanded| expanded.fill(&mut id))
            .map_err(|_| FlowKeysError::NotAKey)?;
        Ok(Self {
            id,
            flow: key(Kind::Flow)?,
            pending_link: key(Kind::PendingLink)?,
        })
    }

    const fn of(&self, kind: Kind) -> &LessSafeKey {
        match kind {
            Kind::Flow => &self.flow,
            Kind::PendingLink => &self.pending_link,
        }
    }
}

/// Tells HKDF how long a key id is.
struct KeyId;

impl KeyType for KeyId {
    fn len(&self) -> usize {
        KEY_ID_LEN
    }
}

#[cfg(test)]
mod tests;

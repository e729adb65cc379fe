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
mod tests {
    use super::*;
    use crate::{
        clock::SystemRandomness,
        properties::{Seeded, for_all, unicode, visible_ascii},
    };

    const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const HERE: &str = "https://accounts.example";

    fn keys(text: &str) -> FlowKeys {
        FlowKeys::parse(text, HERE).unwrap()
    }

    fn sealed(keys: &FlowKeys) -> String {
        keys.seal(
            Kind::Flow,
            "__Host-a",
            &"value".to_owned(),
            &SystemRandomness::default(),
        )
        .unwrap()
    }

    fn opened(keys: &FlowKeys, sealed: &str) -> Result<String, OpenError> {
        keys.open(Kind::Flow, "__Host-a", sealed)
    }

    #[test]
    fn a_value_opens_as_what_it_was_sealed() {
        assert_eq!(opened(&keys(NEW), &sealed(&keys(NEW))).unwrap(), "value");
    }

    #[test]
    fn a_value_opens_neither_under_another_name_nor_as_another_kind_nor_elsewhere() {
        let (keys, elsewhere) = (keys(NEW), FlowKeys::parse(NEW, "https://staging.example").unwrap());
        let sealed = sealed(&keys);
        assert_eq!(
            keys.open::<String>(Kind::Flow, "__Host-b", &sealed),
            Err(OpenError::NotAuthentic)
        );
        assert_eq!(
            keys.open::<String>(Kind::PendingLink, "__Host-a", &sealed),
            Err(OpenError::NotAuthentic)
        );
        assert_eq!(opened(&elsewhere, &sealed), Err(OpenError::NotAuthentic));
    }

    #[test]
    fn a_value_changed_anywhere_does_not_open() {
        let keys = keys(NEW);
        let sealed = sealed(&keys);
        for position in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert!(
                opened(&keys, std::str::from_utf8(&changed).unwrap()).is_err(),
                "position {position}"
            );
        }
        for length in 0..sealed.len() {
            assert!(opened(&keys, &sealed[..length]).is_err(), "length {length}");
        }
        assert_eq!(opened(&keys, &format!("{sealed}=")), Err(OpenError::NotAuthentic));
        assert_eq!(opened(&keys, &"A".repeat(1025)), Err(OpenError::NotAuthentic));
    }

    #[test]
    fn a_value_longer_than_a_cookie_may_be_does_not_open_and_the_longest_does() {
        let (keys, random) = (keys(NEW), SystemRandomness::default());
        // 1024 characters are 768 bytes, of which 32 are id, nonce and tag, and two the text's own length.
        for (length, opens) in [(734, true), (735, false)] {
            let sealed = keys.seal(Kind::Flow, "__Host-a", &"v".repeat(length), &random).unwrap();
            assert_eq!(opened(&keys, &sealed).is_ok(), opens, "{}", sealed.len());
        }
    }

    #[test]
    fn after_a_rotation_old_values_still_open_and_new_ones_use_the_new_key() {
        let (before, during, after) = (keys(OLD), keys(&format!("{NEW}, {OLD}")), keys(NEW));
        assert_eq!(opened(&during, &sealed(&before)).unwrap(), "value");
        assert_eq!(opened(&after, &sealed(&during)).unwrap(), "value");
        assert_eq!(opened(&before, &sealed(&during)), Err(OpenError::UnknownKey));
        assert_eq!(opened(&after, &sealed(&before)), Err(OpenError::UnknownKey));
    }

    #[test]
    fn two_sealings_of_one_value_differ() {
        let keys = keys(NEW);
        assert_ne!(sealed(&keys), sealed(&keys));
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for (text, expected) in [
            ("", FlowKeysError::None),
            (" ", FlowKeysError::None),
            ("short", FlowKeysError::NotAKey),
            ("AAAA", FlowKeysError::NotAKey),
            (&format!("{NEW},"), FlowKeysError::NotAKey),
            (&NEW.replace('=', ""), FlowKeysError::NotAKey),
            (&format!("{NEW},{NEW}"), FlowKeysError::Repeated),
        ] {
            assert_eq!(FlowKeys::parse(text, HERE).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", keys(NEW)), "FlowKeys(1 keys)");
    }

    /// Keys as [`FlowKeys::parse`] reads them, no two the same.
    fn any_keys(rng: &mut fastrand::Rng) -> Vec<String> {
        (0..rng.u8(1..5))
            .map(|position| {
                let mut key = [position; 32];
                rng.fill(&mut key[1..]);
                STANDARD.encode(key)
            })
            .collect()
    }

    fn any_kind(rng: &mut fastrand::Rng) -> Kind {
        *rng.choice([Kind::Flow, Kind::PendingLink].iter()).unwrap()
    }

    /// As many bytes as fit into [`MAX_SEALED_LEN`], or fewer, and a text.
    fn any_payload(rng: &mut fastrand::Rng) -> (Vec<u8>, String) {
        let text = unicode(rng, 50);
        let mut bytes = vec![0; rng.usize(..=MAX_SEALED_LEN / 4 * 3 - KEY_ID_LEN - NONCE_LEN - 16 - 4 - text.len())];
        rng.fill(&mut bytes);
        (bytes, text)
    }

    #[test]
    fn whatever_is_sealed_opens_as_long_as_its_key_is_kept() {
        for_all(|rng| {
            let (mut list, kind, payload) = (any_keys(rng), any_kind(rng), any_payload(rng));
            let (name, origin) = (visible_ascii(rng, 40), visible_ascii(rng, 60));
            let parse = |list: &[String]| FlowKeys::parse(&list.join(","), &origin).unwrap();
            let sealed = parse(&list).seal(kind, &name, &payload, &Seeded::by(rng)).unwrap();
            assert!(sealed.len() <= MAX_SEALED_LEN);
            let opened = |list: &[String]| parse(list).open::<(Vec<u8>, String)>(kind, &name, &sealed);
            assert_eq!(opened(&list), Ok(payload.clone()));
            // Newer keys come, the older go, whatever their order.
            let sealing = list[0].clone();
            list.extend(any_keys(rng).into_iter().filter(|_| rng.bool()));
            rng.shuffle(&mut list);
            assert_eq!(opened(&list), Ok(payload));
            list.retain(|key| *key != sealing);
            if !list.is_empty() {
                assert_eq!(opened(&list), Err(OpenError::UnknownKey));
            }
        });
    }

    #[test]
    fn whatever_is_changed_or_taken_for_something_else_never_opens() {
        for_all(|rng| {
            let (list, kind, payload) = (any_keys(rng), any_kind(rng), any_payload(rng));
            let (name, origin) = (visible_ascii(rng, 40), visible_ascii(rng, 60));
            let parse = |origin: &str| FlowKeys::parse(&list.join(","), origin).unwrap();
            let sealed = parse(&origin).seal(kind, &name, &payload, &Seeded::by(rng)).unwrap();
            let opened = |origin: &str, kind, name: &str, sealed: &str| {
                parse(origin).open::<(Vec<u8>, String)>(kind, name, sealed).is_ok()
            };
            assert!(opened(&origin, kind, &name, &sealed));

            let other_kind = if kind == Kind::Flow {
                Kind::PendingLink
            } else {
                Kind::Flow
            };
            assert!(!opened(&origin, other_kind, &name, &sealed));
            let (other_name, other_origin) = (visible_ascii(rng, 40), visible_ascii(rng, 60));
            assert!(other_name == name || !opened(&origin, kind, &other_name, &sealed));
            assert!(other_origin == origin || !opened(&other_origin, kind, &name, &sealed));

            // The same letters in the same order, divided elsewhere.
            let (longer_origin, shorter_name) = (format!("{origin}{}", &name[..1]), &name[1..]);
            assert!(!opened(&longer_origin, kind, shorter_name, &sealed));

            let mut bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
            let position = rng.usize(..bytes.len());
            bytes[position] ^= rng.u8(1..);
            assert!(
                !opened(&origin, kind, &name, &URL_SAFE_NO_PAD.encode(&bytes)),
                "byte {position}"
            );
            let mut text = sealed.clone().into_bytes();
            let position = rng.usize(..text.len());
            text[position] ^= rng.u8(1..0x80);
            assert!(
                !opened(&origin, kind, &name, str::from_utf8(&text).unwrap()),
                "character {position}"
            );
            assert!(!opened(&origin, kind, &name, &sealed[..rng.usize(..sealed.len())]));
            assert!(!opened(&origin, kind, &name, &(sealed + &visible_ascii(rng, 4))));
        });
    }
}

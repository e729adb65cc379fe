//! The keys of one issuer: a JWK Set (RFC 7517 section 5).

use serde_json::Value;

use super::{
    Algorithm,
    jwk::VerificationKey,
    unique_json::{self, JsonError},
};

/// How long a set may be, in bytes (contract section 9).
pub(super) const LONGEST_KEY_SET: usize = 256 * 1024;

/// How many keys a set may have, those that are skipped included (contract section 9).
const MOST_KEYS: usize = 64;

/// Why a text is no usable JWK Set.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// More than 256 KiB.
    #[error("reading a JWK Set: longer than 256 KiB")]
    TooLong,
    /// Not a JSON object, or with repeated members.
    #[error("reading a JWK Set")]
    Json(#[source] JsonError),
    /// No array `keys`.
    #[error("reading a JWK Set: no array `keys`")]
    NoKeys,
    /// More than 64 keys.
    #[error("reading a JWK Set: more than 64 keys")]
    TooManyKeys,
    /// Nothing but keys that are skipped.
    #[error("reading a JWK Set: none of its keys can be used")]
    NoUsableKey,
}

/// The keys with which an issuer's signatures can be verified: at least one, at most 64.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<VerificationKey>);

impl KeySet {
    /// Parses a JWK Set. As RFC 7517 section 5 asks, keys that cannot be used are skipped: those of another type or curve, for
    /// another use, of an unacceptable size, or malformed.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > LONGEST_KEY_SET {
            return Err(KeySetError::TooLong);
        }
        let set = unique_json::parse_object(text).map_err(KeySetError::Json)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NoKeys)?;
        if keys.len() > MOST_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let usable: Vec<_> = keys
            .iter()
            .filter_map(Value::as_object)
            .filter_map(VerificationKey::from_jwk)
            .collect();
        if usable.is_empty() {
            Err(KeySetError::NoUsableKey)
        } else {
            Ok(Self(usable))
        }
    }

    /// The keys that could have made a signature by `algorithm` under the name `key_id`, or under any.
    pub(super) fn fitting(&self, algorithm: Algorithm, key_id: Option<&str>) -> Vec<&VerificationKey> {
        self.0.iter().filter(|key| key.fits(algorithm, key_id)).collect()
    }
}

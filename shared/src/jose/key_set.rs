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

    /// Whether one of the keys could verify a signature by `algorithm`.
    #[must_use]
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        !self.fitting(algorithm, None).is_empty()
    }

    /// The keys that could have made a signature by `algorithm` under the name `key_id`, or under any.
    pub(super) fn fitting(&self, algorithm: Algorithm, key_id: Option<&str>) -> Vec<&VerificationKey> {
        self.0.iter().filter(|key| key.fits(algorithm, key_id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;
    use crate::jose::test_keys::{ed25519, p256, rsa, rsa_4096, set_text};

    fn parse(jwks: impl IntoIterator<Item = Value>) -> Result<KeySet, KeySetError> {
        KeySet::parse(set_text(jwks).as_bytes())
    }

    /// `jwk` with one member changed, or without it where the change is `None`.
    fn with(mut jwk: Value, name: &str, value: impl Into<Option<Value>>) -> Value {
        let members = jwk.as_object_mut().unwrap();
        members.remove(name);
        if let Some(value) = value.into() {
            members.insert(name.to_owned(), value);
        }
        jwk
    }

    fn base64url(bytes: &[u8]) -> Value {
        URL_SAFE_NO_PAD.encode(bytes).into()
    }

    /// An odd number of this many bits.
    fn modulus(bits: usize) -> Value {
        let mut bytes = vec![0xFF; bits.div_ceil(8)];
        bytes[0] >>= bytes.len() * 8 - bits;
        base64url(&bytes)
    }

    #[test]
    fn keys_of_every_accepted_kind_are_taken() {
        let rsa = rsa().public_jwk();
        for jwk in [
            rsa.clone(),
            rsa_4096().public_jwk(),
            p256().public_jwk(),
            ed25519().public_jwk(),
            with(rsa.clone(), "n", modulus(2048)),
            with(rsa.clone(), "n", modulus(3000)),
            with(rsa.clone(), "n", modulus(4096)),
            with(rsa.clone(), "e", json!("AQAD")),
            with(rsa.clone(), "use", None),
            with(rsa.clone(), "alg", None),
            with(rsa.clone(), "alg", json!("PS256")),
            with(rsa.clone(), "kid", None),
            with(rsa.clone(), "key_ops", json!(["verify"])),
            with(rsa.clone(), "x5c", json!(["not even base64"])),
            with(rsa, "unknown", json!({ "a": 1 })),
        ] {
            assert_eq!(parse([jwk.clone()]).unwrap().0.len(), 1, "{jwk}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_is_skipped_and_does_not_break_its_set() {
        let (rsa, ec, okp) = (rsa().public_jwk(), p256().public_jwk(), ed25519().public_jwk());
        let good_modulus = modulus(2048).as_str().unwrap().to_owned();
        let even = [vec![0xFF; 255], vec![0xFE]].concat();
        let skipped = [
            // RSA: size and exponent.
            with(rsa.clone(), "n", modulus(512)),
            with(rsa.clone(), "n", modulus(1024)),
            with(rsa.clone(), "n", modulus(2047)),
            with(rsa.clone(), "n", modulus(4097)),
            with(rsa.clone(), "n", modulus(16384)),
            with(rsa.clone(), "n", base64url(&even)),
            with(rsa.clone(), "n", base64url(&[vec![0], vec![0xFF; 256]].concat())),
            with(rsa.clone(), "n", json!(format!("{good_modulus}="))),
            with(rsa.clone(), "n", json!("")),
            with(rsa.clone(), "n", json!(3)),
            with(rsa.clone(), "n", None),
            with(rsa.clone(), "e", base64url(&[1])),
            with(rsa.clone(), "e", base64url(&[3])),
            with(rsa.clone(), "e", base64url(&[1, 0, 0])),
            with(rsa.clone(), "e", base64url(&[1, 0, 2])),
            with(rsa.clone(), "e", base64url(&[0, 1, 0, 1])),
            with(rsa.clone(), "e", base64url(&[1, 0, 0, 0, 1])),
            with(rsa.clone(), "e", json!("")),
            with(rsa.clone(), "e", None),
            // Types and curves.
            with(rsa.clone(), "kty", None),
            with(rsa.clone(), "kty", json!("rsa")),
            with(rsa.clone(), "kty", json!("LWE")),
            json!({ "kty": "oct", "kid": "secret", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
            with(ec.clone(), "crv", json!("secp256k1")),
            with(ec.clone(), "crv", json!("P-384")),
            with(ec.clone(), "crv", None),
            with(ec.clone(), "x", base64url(&[1; 31])),
            with(ec.clone(), "y", base64url(&[1; 33])),
            with(ec.clone(), "y", None),
            with(okp.clone(), "crv", json!("X25519")),
            with(okp.clone(), "crv", json!("Ed448")),
            with(okp.clone(), "x", base64url(&[1; 31])),
            // Not for verifying, or not by an algorithm of ours.
            with(rsa.clone(), "use", json!("enc")),
            with(rsa.clone(), "use", json!(["sig"])),
            with(rsa.clone(), "key_ops", json!(["encrypt", "wrapKey"])),
            with(rsa.clone(), "key_ops", json!([])),
            with(rsa.clone(), "key_ops", json!("verify")),
            with(rsa.clone(), "alg", json!("RS512")),
            with(rsa.clone(), "alg", json!("RSA-OAEP")),
            with(rsa.clone(), "alg", json!("ES256")),
            with(rsa.clone(), "alg", json!(1)),
            with(ec.clone(), "alg", json!("RS256")),
            with(okp, "alg", json!("ES256")),
            with(rsa.clone(), "kid", json!(1)),
            // Published with its private half.
            with(ec.clone(), "d", json!("AAAA")),
            json!("a key"),
            json!(null),
        ];
        for jwk in skipped {
            assert!(matches!(parse([jwk.clone()]), Err(KeySetError::NoUsableKey)), "{jwk}");
            assert_eq!(parse([jwk.clone(), ec.clone()]).unwrap().0.len(), 1, "{jwk}");
        }
    }

    #[test]
    fn a_point_off_the_curve_verifies_nothing() {
        let key = p256();
        let moved = with(key.public_jwk(), "y", base64url(&[1; 32]));
        let fitting = |set: &KeySet| set.fitting(Algorithm::Es256, None)[0].clone();
        let token = key.sign_compact("{}", "{}").unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let verifies = |jwk| fitting(&parse([jwk]).unwrap()).verifies(Algorithm::Es256, message.as_bytes(), &signature);
        assert!(verifies(key.public_jwk()));
        assert!(!verifies(moved));
    }

    #[test]
    fn a_set_with_too_many_keys_is_not_used_at_all() {
        let jwk = p256().public_jwk();
        assert_eq!(parse(vec![jwk.clone(); 64]).unwrap().0.len(), 64);
        assert!(matches!(parse(vec![jwk.clone(); 65]), Err(KeySetError::TooManyKeys)));
        // Skipped keys count: the bound is on what has to be looked at.
        let unknown = std::iter::repeat_n(json!({ "kty": "LWE" }), 64);
        assert!(matches!(parse(unknown.chain([jwk])), Err(KeySetError::TooManyKeys)));
    }

    #[test]
    fn a_set_that_is_too_long_is_not_used_at_all() {
        let text = set_text([p256().public_jwk()]);
        let padded = |length: usize| format!("{text}{}", " ".repeat(length - text.len()));
        assert!(KeySet::parse(padded(256 * 1024).as_bytes()).is_ok());
        assert!(matches!(
            KeySet::parse(padded(256 * 1024 + 1).as_bytes()),
            Err(KeySetError::TooLong)
        ));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let jwk = p256().public_jwk().to_string();
        for text in ["{}", r#"{"keys":null}"#, r#"{"keys":{}}"#, &jwk] {
            assert!(
                matches!(KeySet::parse(text.as_bytes()), Err(KeySetError::NoKeys)),
                "{text}"
            );
        }
        assert!(matches!(
            KeySet::parse(br#"{"keys":[]}"#),
            Err(KeySetError::NoUsableKey)
        ));
        let repeated_set = format!(r#"{{"keys":[{jwk}],"keys":[]}}"#);
        let repeated_member = format!(r#"{{"keys":[{}]}}"#, jwk.replacen('{', r#"{"kid":"a","#, 1));
        for text in [
            "",
            "<html>",
            "\u{FEFF}{\"keys\":[]}",
            "[]",
            &repeated_set,
            &repeated_member,
        ] {
            assert!(
                matches!(KeySet::parse(text.as_bytes()), Err(KeySetError::Json(_))),
                "{text}"
            );
        }
    }
}

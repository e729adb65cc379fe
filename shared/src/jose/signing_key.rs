//! A private key that signs tokens: a client's assertions, the local stack's ID tokens and sessions.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaKeyPair,
    },
};
use serde_json::{Value, json};

use super::{
    Algorithm,
    jwk::{self, Members, PublicKey},
    unique_json::{self, JsonError},
};

/// Why a text is no private key for signing. Says nothing of the key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// Not a JSON object, or with repeated members.
    #[error("reading a private JWK")]
    Json(#[source] JsonError),
    /// Not a P-256, Ed25519 or RSA (2048 to 4096 bits) key, or `kid` or `alg` do not go with it.
    #[error("reading a private JWK: not a P-256, Ed25519 or RSA key for signing")]
    Unsupported,
    /// This private member is missing or not base64url.
    #[error("reading a private JWK: no `{0}`")]
    Missing(&'static str),
    /// The members do not belong together.
    #[error("reading a private JWK: {0}")]
    Rejected(KeyRejected),
}

/// No signature could be made.
#[derive(Debug, thiserror::Error)]
#[error("signing a token")]
pub struct SigningError;

impl From<Unspecified> for SigningError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// A private key with its name and its one algorithm.
pub struct SigningKey {
    key_id: Option<String>,
    algorithm: Algorithm,
    private_key: PrivateKey,
    public_key: PublicKey,
    random: SystemRandom,
}

impl SigningKey {
    /// Parses a private JWK. An RSA key without `alg` signs by `RS256`.
    pub fn from_jwk(text: &[u8]) -> Result<Self, SigningKeyError> {
        let jwk = unique_json::parse_object(text).map_err(SigningKeyError::Json)?;
        let public_key = PublicKey::from_jwk(&jwk).ok_or(SigningKeyError::Unsupported)?;
        let key_id = jwk::key_id(&jwk).map_err(|_| SigningKeyError::Unsupported)?;
        let algorithm = jwk::algorithm(&jwk, &public_key).map_err(|_| SigningKeyError::Unsupported)?;
        let random = system_random();
        let (default_algorithm, private_key) = match &public_key {
            PublicKey::Ed25519(public) => {
                let key_pair = Ed25519KeyPair::from_seed_and_public_key(&member(&jwk, "d")?, public);
                (Algorithm::EdDsa, key_pair.map(PrivateKey::Ed25519))
            }
            PublicKey::P256(public) => {
                let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let key_pair =
                    EcdsaKeyPair::from_private_key_and_public_key(curve, &member(&jwk, "d")?, public, &random);
                (Algorithm::Es256, key_pair.map(PrivateKey::P256))
            }
            PublicKey::Rsa { modulus, exponent } => {
                let key_pair = RsaKeyPair::from_components(&KeyPairComponents {
                    public_key: PublicKeyComponents {
                        n: modulus,
                        e: exponent,
                    },
                    d: member(&jwk, "d")?,
                    p: member(&jwk, "p")?,
                    q: member(&jwk, "q")?,
                    dP: member(&jwk, "dp")?,
                    dQ: member(&jwk, "dq")?,
                    qInv: member(&jwk, "qi")?,
                });
                (
                    Algorithm::Rs256,
                    key_pair.map(|key_pair| PrivateKey::Rsa(Box::new(key_pair))),
                )
            }
        };
        Ok(Self {
            key_id,
            algorithm: algorithm.unwrap_or(default_algorithm),
            private_key: private_key.map_err(SigningKeyError::Rejected)?,
            public_key,
            random,
        })
    }

    /// A fresh P-256 key that is called `key_id`.
    pub fn generate_p256(key_id: impl Into<String>) -> Result<Self, SigningError> {
        Self::p256_from_pkcs8(key_id, &Self::generate_p256_pkcs8()?).map_err(|_| SigningError)
    }

    /// A fresh P-256 key as PKCS #8 holds it, for whoever keeps it.
    pub fn generate_p256_pkcs8() -> Result<Vec<u8>, SigningError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &system_random())?;
        Ok(document.as_ref().to_vec())
    }

    /// The P-256 key in `pkcs8`, which is called `key_id`.
    pub fn p256_from_pkcs8(key_id: impl Into<String>, pkcs8: &[u8]) -> Result<Self, SigningKeyError> {
        let (curve, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, system_random());
        let key_pair = EcdsaKeyPair::from_pkcs8(curve, pkcs8, &random).map_err(SigningKeyError::Rejected)?;
        let point = key_pair.public_key().as_ref().try_into();
        Ok(Self {
            key_id: Some(key_id.into()),
            algorithm: Algorithm::Es256,
            private_key: PrivateKey::P256(key_pair),
            public_key: PublicKey::P256(point.map_err(|_| SigningKeyError::Unsupported)?),
            random,
        })
    }

    /// The algorithm it signs by.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half, as a JWK for a set.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.public_key {
            PublicKey::Ed25519(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key) }),
            PublicKey::P256(point) => {
                json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
            PublicKey::Rsa { modulus, exponent } => {
                json!({ "kty": "RSA", "n": encode(modulus), "e": encode(exponent) })
            }
        };
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm.name().into();
        if let Some(key_id) = &self.key_id {
            jwk["kid"] = key_id.as_str().into();
        }
        jwk
    }

    /// Signs `claims` as a JWT, with `alg`, `kid` and the `typ` `JWT` in the header.
    pub fn sign_jwt(&self, claims: &Value) -> Result<String, SigningError> {
        let mut header = json!({ "alg": self.algorithm.name(), "typ": "JWT" });
        if let Some(key_id) = &self.key_id {
            header["kid"] = key_id.as_str().into();
        }
        self.sign_compact(&header.to_string(), &claims.to_string())
    }

    /// Signs exactly this header and payload, whatever they say: the JWS compact serialization (RFC 7515 section 7.1).
    pub fn sign_compact(&self, header: &str, payload: &str) -> Result<String, SigningError> {
        let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        match &self.private_key {
            PrivateKey::Ed25519(key_pair) => Ok(key_pair.sign(message).as_ref().to_vec()),
            PrivateKey::P256(key_pair) => Ok(key_pair.sign(&self.random, message)?.as_ref().to_vec()),
            PrivateKey::Rsa(key_pair) => {
                let mut signature = vec![0; key_pair.public().modulus_len()];
                if self.algorithm == Algorithm::Ps256 {
                    key_pair.sign(&RSA_PSS_SHA256, &self.random, message, &mut signature)?;
                } else {
                    key_pair.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)?;
                }
                Ok(signature)
            }
        }
    }
}

/// Redacted: tells which key it is, and nothing of the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn member(jwk: &Members, name: &'static str) -> Result<Vec<u8>, SigningKeyError> {
    jwk::octets(jwk, name).ok_or(SigningKeyError::Missing(name))
}

#[expect(
    clippy::disallowed_methods,
    reason = "ring signs with the system's randomness and takes no other"
)]
fn system_random() -> SystemRandom {
    SystemRandom::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::test_keys::{ed25519, p256, rsa, rsa_pss};

    fn rsa_jwk() -> Value {
        serde_json::from_slice(include_bytes!("../../testdata/rsa-2048.test-only.jwk.json")).unwrap()
    }

    fn parse(jwk: &Value) -> Result<SigningKey, SigningKeyError> {
        SigningKey::from_jwk(jwk.to_string().as_bytes())
    }

    #[test]
    fn a_key_signs_by_the_algorithm_of_its_kind() {
        assert_eq!(rsa().algorithm(), Algorithm::Rs256);
        assert_eq!(rsa_pss().algorithm(), Algorithm::Ps256);
        assert_eq!(p256().algorithm(), Algorithm::Es256);
        assert_eq!(ed25519().algorithm(), Algorithm::EdDsa);
    }

    #[test]
    fn a_header_names_algorithm_key_and_type() {
        let token = ed25519().sign_jwt(&json!({})).unwrap();
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header, json!({ "alg": "EdDSA", "kid": "ed-1", "typ": "JWT" }));
    }

    #[test]
    fn what_is_no_private_key_of_an_accepted_kind_is_refused() {
        let changed = |name: &str, value: Value| {
            let mut jwk = rsa_jwk();
            jwk[name] = value;
            jwk
        };
        assert!(parse(&rsa_jwk()).is_ok());
        for (name, value) in [
            ("alg", "RS512"),
            ("alg", "ES256"),
            ("kty", "oct"),
            ("n", "AQAB"),
            ("e", "Aw"),
        ] {
            let outcome = parse(&changed(name, value.into()));
            assert!(matches!(outcome, Err(SigningKeyError::Unsupported)), "{name} {value}");
        }
        for name in ["d", "p", "q", "dp", "dq", "qi"] {
            let outcome = parse(&changed(name, Value::Null));
            assert!(
                matches!(outcome, Err(SigningKeyError::Missing(missing)) if missing == name),
                "{name}"
            );
        }
        assert!(matches!(
            parse(&changed("p", "AQAB".into())),
            Err(SigningKeyError::Rejected(_))
        ));
        assert!(matches!(
            parse(&p256().public_jwk()),
            Err(SigningKeyError::Missing("d"))
        ));
        assert!(matches!(SigningKey::from_jwk(b""), Err(SigningKeyError::Json(_))));
    }

    #[test]
    fn halves_of_different_keys_are_refused() {
        let rsa = rsa_jwk();
        let mut ed25519 = ed25519().public_jwk();
        ed25519["d"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into();
        let mut p256 = p256().public_jwk();
        p256["d"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE".into();
        let mut mixed = rsa.clone();
        mixed["p"] = rsa["q"].clone();
        for jwk in [ed25519, p256, mixed] {
            assert!(
                matches!(parse(&jwk), Err(SigningKeyError::Rejected(_))),
                "{}",
                jwk["kty"]
            );
        }
    }

    #[test]
    fn the_public_half_holds_nothing_private() {
        for key in [rsa(), p256(), ed25519()] {
            let jwk = key.public_jwk();
            for private in ["d", "p", "q", "dp", "dq", "qi"] {
                assert!(jwk.get(private).is_none(), "{private}");
            }
        }
    }

    #[test]
    fn a_key_does_not_print() {
        assert_eq!(
            format!("{:?}", rsa()),
            r#"SigningKey { key_id: Some("rsa-1"), algorithm: Rs256, .. }"#
        );
    }
}

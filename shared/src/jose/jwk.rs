//! One key of a set: a JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::Algorithm;

/// The members of a JWK.
pub(super) type Members = Map<String, Value>;

/// A public key of a kind that is accepted here. That a P-256 or Ed25519 point is on its curve is checked by ring, when used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// `OKP` with `Ed25519`.
    Ed25519([u8; 32]),
    /// `EC` with `P-256`, as an uncompressed point: 4, x, y.
    P256([u8; 65]),
    /// `RSA`, 2048 to 4096 bits.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

impl PublicKey {
    /// The public half of `jwk`, when it is of a kind that is accepted here.
    pub(super) fn from_jwk(jwk: &Members) -> Option<Self> {
        let curve = || text(jwk, "crv");
        match text(jwk, "kty")? {
            "OKP" if curve() == Some("Ed25519") => Some(Self::Ed25519(octets(jwk, "x")?.try_into().ok()?)),
            "EC" if curve() == Some("P-256") => {
                // RFC 7518 section 6.2.1.2: coordinates have their full length, leading zeros included.
                let x: [u8; 32] = octets(jwk, "x")?.try_into().ok()?;
                let y: [u8; 32] = octets(jwk, "y")?.try_into().ok()?;
                let mut point = [4; 65];
                point[1..33].copy_from_slice(&x);
                point[33..].copy_from_slice(&y);
                Some(Self::P256(point))
            }
            "RSA" => {
                let (modulus, exponent) = (octets(jwk, "n")?, octets(jwk, "e")?);
                (is_accepted_modulus(&modulus) && is_accepted_exponent(&exponent))
                    .then_some(Self::Rsa { modulus, exponent })
            }
            _ => None,
        }
    }

    /// Whether `algorithm` is one for keys of this kind.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Ed25519(_) => algorithm == Algorithm::EdDsa,
            Self::P256(_) => algorithm == Algorithm::Es256,
            Self::Rsa { .. } => matches!(algorithm, Algorithm::Ps256 | Algorithm::Rs256),
        }
    }

    /// Whether `signature` is this key's over `message`, by `algorithm`.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Ed25519(key), Algorithm::EdDsa) => UnparsedPublicKey::new(&signature::ED25519, key)
                .verify(message, signature)
                .is_ok(),
            // RFC 7518 section 3.4: R and S with 32 bytes each, never DER.
            (Self::P256(point), Algorithm::Es256) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            (Self::Rsa { modulus, exponent }, Algorithm::Ps256 | Algorithm::Rs256) => {
                let parameters = if algorithm == Algorithm::Ps256 {
                    &signature::RSA_PSS_2048_8192_SHA256
                } else {
                    &signature::RSA_PKCS1_2048_8192_SHA256
                };
                RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                }
                .verify(parameters, message, signature)
                .is_ok()
            }
            (Self::Ed25519(_) | Self::P256(_) | Self::Rsa { .. }, _) => false,
        }
    }
}

/// 2048 to 4096 bits, odd, and without the leading zeros that RFC 7518 section 2 forbids (`Base64urlUInt`).
fn is_accepted_modulus(modulus: &[u8]) -> bool {
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
        return false;
    };
    let bits = modulus.len() * 8 - first.leading_zeros() as usize;
    (2048..=4096).contains(&bits) && *first != 0 && last & 1 == 1
}

/// Odd and above 2¹⁶ (FIPS 186-5 section A.1.1), and no longer than 32 bits: in practice 65537.
fn is_accepted_exponent(exponent: &[u8]) -> bool {
    let value = exponent.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    exponent.len() <= 4 && exponent.first() != Some(&0) && value > 1 << 16 && value & 1 == 1
}

/// A public key as a set publishes it: for verifying, under a name, perhaps for one algorithm alone.
#[derive(Clone, Debug)]
pub(super) struct VerificationKey {
    key_id: Option<String>,
    algorithm: Option<Algorithm>,
    public_key: PublicKey,
}

impl VerificationKey {
    /// The key that `jwk` publishes for verifying signatures; `None` when it publishes none that is accepted here.
    pub(super) fn from_jwk(jwk: &Members) -> Option<Self> {
        // Whoever can read its private half can sign with it.
        let is_published_private_key = jwk.contains_key("d");
        let is_for_signatures = jwk.get("use").is_none_or(|purpose| purpose == "sig");
        let is_for_verifying = jwk.get("key_ops").is_none_or(|operations| {
            operations
                .as_array()
                .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
        });
        if is_published_private_key || !is_for_signatures || !is_for_verifying {
            return None;
        }
        let public_key = PublicKey::from_jwk(jwk)?;
        Some(Self {
            key_id: key_id(jwk).ok()?,
            algorithm: algorithm(jwk, &public_key).ok()?,
            public_key,
        })
    }

    /// Whether a signature by `algorithm`, made with the key that is called `key_id` (or whatever it is called), could be this
    /// key's.
    pub(super) fn fits(&self, algorithm: Algorithm, key_id: Option<&str>) -> bool {
        key_id.is_none_or(|key_id| self.key_id.as_deref() == Some(key_id))
            && self.algorithm.is_none_or(|only| only == algorithm)
            && self.public_key.fits(algorithm)
    }

    /// Whether `signature` is this key's over `message`, by `algorithm`.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.public_key.verifies(algorithm, message, signature)
    }
}

/// A member is there and not what it must be.
pub(super) struct UnusableMember;

/// The `kid`, which may be absent.
pub(super) fn key_id(jwk: &Members) -> Result<Option<String>, UnusableMember> {
    let text = |key_id: &Value| key_id.as_str().map(str::to_owned).ok_or(UnusableMember);
    jwk.get("kid").map(text).transpose()
}

/// The `alg`, which may be absent and otherwise must be one for `public_key`.
pub(super) fn algorithm(jwk: &Members, public_key: &PublicKey) -> Result<Option<Algorithm>, UnusableMember> {
    let fitting = |name: &Value| {
        let algorithm = name.as_str().and_then(Algorithm::from_name).ok_or(UnusableMember)?;
        public_key.fits(algorithm).then_some(algorithm).ok_or(UnusableMember)
    };
    jwk.get("alg").map(fitting).transpose()
}

/// A member that holds bytes in unpadded base64url.
pub(super) fn octets(jwk: &Members, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?).ok()
}

fn text<'a>(jwk: &'a Members, name: &str) -> Option<&'a str> {
    jwk.get(name).and_then(Value::as_str)
}

//! Keys for tests, the private halves of some of which everybody knows.

use serde_json::{Value, json};

use super::{KeySet, SigningKey};

/// RSA, 2048 bits, `rsa-1`, signs by `RS256`.
pub(crate) fn rsa() -> SigningKey {
    SigningKey::from_jwk(include_bytes!("../../testdata/rsa-2048.test-only.jwk.json")).unwrap()
}

/// The same key, signing by `PS256`.
pub(crate) fn rsa_pss() -> SigningKey {
    let mut jwk: Value = serde_json::from_slice(include_bytes!("../../testdata/rsa-2048.test-only.jwk.json")).unwrap();
    jwk["alg"] = "PS256".into();
    SigningKey::from_jwk(jwk.to_string().as_bytes()).unwrap()
}

/// RSA, 4096 bits, `rsa-4096`.
pub(crate) fn rsa_4096() -> SigningKey {
    SigningKey::from_jwk(include_bytes!("../../testdata/rsa-4096.test-only.jwk.json")).unwrap()
}

/// P-256, fresh, `p256-1`.
pub(crate) fn p256() -> SigningKey {
    SigningKey::generate_p256("p256-1").unwrap()
}

/// The Ed25519 key of RFC 8037 appendix A.1, `ed-1`.
pub(crate) fn ed25519() -> SigningKey {
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "ed-1",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    SigningKey::from_jwk(jwk.to_string().as_bytes()).unwrap()
}

/// The set that publishes these keys.
pub(crate) fn published(keys: &[&SigningKey]) -> KeySet {
    set_of(keys.iter().map(|key| key.public_jwk()))
}

/// The set of these JWKs.
pub(crate) fn set_of(jwks: impl IntoIterator<Item = Value>) -> KeySet {
    KeySet::parse(set_text(jwks).as_bytes()).unwrap()
}

/// The set of these JWKs, as text.
pub(crate) fn set_text(jwks: impl IntoIterator<Item = Value>) -> String {
    json!({ "keys": jwks.into_iter().collect::<Vec<_>>() }).to_string()
}

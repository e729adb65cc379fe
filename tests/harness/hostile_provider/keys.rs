//! The provider's keys, and signatures that no honest key would make.

use account_linking::jose::SigningKey;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{RSA_PKCS1_SHA512, RsaKeyPair},
};
use serde_json::{Value, json};

const RSA_2048: &str = include_str!("../../../shared/testdata/rsa-2048.test-only.jwk.json");
const RSA_4096: &str = include_str!("../../../shared/testdata/rsa-4096.test-only.jwk.json");

/// Who signs an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The published P-256 key, `p256-1`, by ES256.
    P256,
    /// The published RSA key, `rsa-1`, by RS256.
    Rsa,
    /// The published RSA key `rsa-pss`, by PS256.
    RsaPss,
    /// The published Ed25519 key, `ed-1`.
    Ed25519,
    /// A second P-256 key, `p256-2`, which the honest set does not hold.
    Rotated,
    /// A P-256 key that calls itself `p256-1` too and belongs to somebody else.
    Stranger,
    /// An RSA key of 4096 bits, `rsa-4096`, which the honest set does not hold.
    Rsa4096,
    /// A MAC with the modulus of `rsa-1` as the secret: what a confused verifier takes for RSA.
    HmacOfPublicKey,
    /// A MAC with our own client's name as the secret.
    HmacOfClientId,
    /// The published RSA key, by RS512.
    RsaSha512,
    /// Nobody: the third part is empty.
    Nobody,
}

/// The provider's keys.
pub struct Keys {
    p256: SigningKey,
    rsa: SigningKey,
    rsa_pss: SigningKey,
    ed25519: SigningKey,
    rotated: SigningKey,
    stranger: SigningKey,
    rsa_4096: SigningKey,
}

fn key(jwk: &Value) -> SigningKey {
    SigningKey::from_jwk(jwk.to_string().as_bytes()).expect("a good private key")
}

fn generated(name: &str) -> SigningKey {
    SigningKey::generate_p256(name).expect("a fresh key")
}

impl Keys {
    pub(super) fn new() -> Self {
        let rsa: Value = serde_json::from_str(RSA_2048).expect("JSON");
        let mut pss = rsa.clone();
        pss["alg"] = "PS256".into();
        pss["kid"] = "rsa-pss".into();
        let ed25519 = json!({
            "kty": "OKP", "crv": "Ed25519", "kid": "ed-1",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", // RFC 8037 appendix A.1
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        Self {
            p256: generated("p256-1"),
            rsa: key(&rsa),
            rsa_pss: key(&pss),
            ed25519: key(&ed25519),
            rotated: generated("p256-2"),
            stranger: generated("p256-1"),
            rsa_4096: key(&serde_json::from_str(RSA_4096).expect("JSON")),
        }
    }

    /// The honest set: one key of every kind.
    pub fn honest_set(&self) -> Value {
        let honest = [&self.p256, &self.rsa, &self.rsa_pss, &self.ed25519];
        json!({ "keys": honest.map(SigningKey::public_jwk) })
    }

    /// The public half of this signer's key; `null` where there is none.
    pub fn public_jwk(&self, signer: Signer) -> Value {
        self.signing(signer).map_or(Value::Null, SigningKey::public_jwk)
    }

    fn signing(&self, signer: Signer) -> Option<&SigningKey> {
        match signer {
            Signer::P256 => Some(&self.p256),
            Signer::Rsa => Some(&self.rsa),
            Signer::RsaPss => Some(&self.rsa_pss),
            Signer::Ed25519 => Some(&self.ed25519),
            Signer::Rotated => Some(&self.rotated),
            Signer::Stranger => Some(&self.stranger),
            Signer::Rsa4096 => Some(&self.rsa_4096),
            Signer::HmacOfPublicKey | Signer::HmacOfClientId | Signer::RsaSha512 | Signer::Nobody => None,
        }
    }

    /// The header of an honest token by this signer.
    pub(super) fn header(&self, signer: Signer) -> Value {
        let public = self.public_jwk(signer);
        json!({ "alg": public["alg"], "kid": public["kid"], "typ": "JWT" })
    }

    /// The compact serialization of exactly these two texts.
    pub(super) fn sign(&self, signer: Signer, client_id: &str, header: &str, claims: &str) -> String {
        if let Some(key) = self.signing(signer) {
            return key.sign_compact(header, claims).expect("a signature");
        }
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mac = |secret: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
        };
        let signature = match signer {
            Signer::HmacOfPublicKey => mac(&member(RSA_2048, "n")),
            Signer::HmacOfClientId => mac(client_id.as_bytes()),
            Signer::RsaSha512 => rsa_sha512(message.as_bytes()),
            _ => Vec::new(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn member(jwk: &str, name: &str) -> Vec<u8> {
    let jwk: Value = serde_json::from_str(jwk).expect("JSON");
    URL_SAFE_NO_PAD
        .decode(jwk[name].as_str().unwrap_or_default())
        .expect("base64url")
}

#[expect(
    clippy::disallowed_methods,
    reason = "ring wants a source of randomness, which this signature does not use"
)]
fn rsa_sha512(message: &[u8]) -> Vec<u8> {
    let part = |name| member(RSA_2048, name);
    let components = KeyPairComponents {
        public_key: PublicKeyComponents {
            n: part("n"),
            e: part("e"),
        },
        d: part("d"),
        p: part("p"),
        q: part("q"),
        dP: part("dp"),
        dQ: part("dq"),
        qInv: part("qi"),
    };
    let key = RsaKeyPair::from_components(&components).expect("a good private key");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), message, &mut signature)
        .expect("a signature");
    signature
}

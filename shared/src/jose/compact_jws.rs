//! A signed token: a JWT in the JWS compact serialization (RFC 7515 section 7.1, RFC 7519).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    Algorithm, KeySet,
    unique_json::{self, JsonError},
};
use crate::clock::Timestamp;

/// How long a token may be, in bytes: as long as the longest answer it could come in (contract section 9).
const LONGEST_TOKEN: usize = 64 * 1024;

/// Header parameters that would change what the signature covers or what the payload is; none of them is supported, so none
/// may be there. `crit`: RFC 7515 section 4.1.11. `b64`: RFC 7797. `cty`: a nested token, RFC 7519 section 5.2. `enc`: a JWE, RFC 7516.
const REFUSED_PARAMETERS: [&str; 4] = ["b64", "crit", "cty", "enc"];

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum JwsError {
    /// More than 64 KiB.
    #[error("reading a token: too long")]
    TooLong,
    /// Not three parts of canonical, unpadded base64url.
    #[error("reading a token: not in the JWS compact serialization")]
    NotCompact,
    /// The header is not a JSON object without repeated members.
    #[error("reading a token's header")]
    Header(#[source] JsonError),
    /// This header parameter is missing, of the wrong type, or not supported.
    #[error("reading a token's header: `{0}` is not acceptable")]
    HeaderParameter(&'static str),
    /// `alg` is unknown, or not one that its receiver allows.
    #[error("verifying a token: its algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// No key fits; newer keys might.
    #[error("verifying a token: no such key")]
    UnknownKey,
    /// Several keys fit, and the token does not say which.
    #[error("verifying a token: it names no key, and several fit")]
    AmbiguousKey,
    /// The signature is not by any key that fits.
    #[error("verifying a token: wrong signature")]
    Signature,
    /// The payload is not a JSON object without repeated members.
    #[error("reading a token's claims")]
    Claims(#[source] JsonError),
}

/// A token that was taken apart and not verified yet. Nothing of its payload can be read.
pub struct CompactJws<'a> {
    signing_input: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key_id: Option<String>,
    typ: Option<String>,
}

impl<'a> CompactJws<'a> {
    /// Takes `token` apart. Where the header brings keys along (`jku`, `jwk`, `x5u`, `x5c`), they are not looked at.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        if token.len() > LONGEST_TOKEN {
            return Err(JwsError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::NotCompact)?;
        // A fourth part would leave a dot in one of these, which base64url has not.
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotCompact)?;
        let header = unique_json::parse_object(&decode(header)?).map_err(JwsError::Header)?;
        if let Some(name) = REFUSED_PARAMETERS.into_iter().find(|name| header.contains_key(*name)) {
            return Err(JwsError::HeaderParameter(name));
        }
        let algorithm = text_parameter(&header, "alg")?.ok_or(JwsError::HeaderParameter("alg"))?;
        Ok(Self {
            signing_input,
            payload: decode(payload)?,
            signature: decode(signature)?,
            algorithm: Algorithm::from_name(algorithm).ok_or(JwsError::AlgorithmNotAllowed)?,
            key_id: text_parameter(&header, "kid")?.map(str::to_owned),
            typ: text_parameter(&header, "typ")?.map(str::to_owned),
        })
    }

    /// Verifies the signature with the one of `keys` that the token names, by one of the `allowed` algorithms.
    ///
    /// Keys of other types that share the name are no obstacle. A token that names no key is accepted only where there is no
    /// choice. [`JwsError::UnknownKey`] is the one refusal that newer keys can turn.
    pub fn verify(&self, keys: &KeySet, allowed: &[Algorithm]) -> Result<VerifiedJwt, JwsError> {
        if !allowed.contains(&self.algorithm) {
            return Err(JwsError::AlgorithmNotAllowed);
        }
        let fitting = keys.fitting(self.algorithm, self.key_id.as_deref());
        if fitting.is_empty() {
            return Err(JwsError::UnknownKey);
        }
        if fitting.len() > 1 && self.key_id.is_none() {
            return Err(JwsError::AmbiguousKey);
        }
        let message = self.signing_input.as_bytes();
        if !fitting
            .into_iter()
            .any(|key| key.verifies(self.algorithm, message, &self.signature))
        {
            return Err(JwsError::Signature);
        }
        let claims = unique_json::parse_object(&self.payload).map_err(JwsError::Claims)?;
        Ok(VerifiedJwt {
            typ: self.typ.clone(),
            claims,
        })
    }
}

/// A token whose signature was verified. What its claims must be is for its receiver to say.
pub struct VerifiedJwt {
    typ: Option<String>,
    claims: Map<String, Value>,
}

impl VerifiedJwt {
    /// The header's `typ` (RFC 7515 section 4.1.9).
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// A claim, whatever its type.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// A claim, when it is there and a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str()
    }

    /// A claim, when it is there and a `NumericDate` (RFC 7519 section 2) without a fraction. Fractions are allowed and not
    /// used by anybody; as floating-point numbers they would lose precision, or reach the ends of time.
    #[must_use]
    pub fn date(&self, name: &str) -> Option<Timestamp> {
        self.claim(name)?.as_i64().map(Timestamp::from_unix_seconds)
    }
}

fn text_parameter<'a>(header: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, JwsError> {
    match header.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(JwsError::HeaderParameter(name)),
    }
}

fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    // This engine refuses padding, white space and set bits behind the last byte: each text has one form.
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::NotCompact)
}

#[cfg(test)]
mod tests;

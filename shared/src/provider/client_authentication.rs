//! How we prove to the provider who we are (OIDC Core 9, RFC 6749 section 2.3, RFC 7523).

use std::{fmt, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use oauth2::ClientSecret;
use ring::digest;
use serde_json::{Value, json};

use super::settings::{ClientAuthenticationSettings, Credential};
use crate::{
    cached::{Cached, Lifetimes, Unavailable},
    clock::{Deadline, NoRandomness, Randomness, Timestamp, random_bytes},
    http::problem::{ErrorCode, Refusal},
    identity::Issuer,
    jose::{Algorithm, SigningError, SigningKey},
    outbound::HttpClient,
    secrets::{KmsAlgorithm, SecretError, SecretStore},
};

/// The type of a JWT that proves who we are (RFC 7523 section 2.2).
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion is good for (contract section 8).
const ASSERTION_LIFETIME: Duration = Duration::from_mins(1);

/// A rotated secret is noticed within ten minutes; while Secrets Manager does not answer the old one serves on.
const LIFETIMES: Lifetimes = Lifetimes {
    refreshed_after: Duration::from_mins(10),
    serves_for: Duration::from_hours(24),
};

/// Why we cannot prove who we are. The provider has no part in it.
#[derive(Debug, thiserror::Error)]
pub enum ClientAuthenticationError {
    /// Secrets Manager has no secret for us, or KMS does not know our key.
    #[error("fetching our credential")]
    Credential(#[from] Unavailable<SecretError>),
    /// KMS does not sign.
    #[error("signing a client assertion with KMS")]
    Kms(#[from] SecretError),
    /// What KMS signed is no ECDSA signature.
    #[error("signing a client assertion with KMS: not an ECDSA signature")]
    NotEcdsa,
    /// Our own key does not sign.
    #[error("signing a client assertion")]
    Signing(#[from] SigningError),
    /// There is no randomness for the assertion's name.
    #[error("naming a client assertion")]
    Randomness(#[from] NoRandomness),
}

impl Refusal for ClientAuthenticationError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Credential(Unavailable::TooEarly) => ErrorCode::TemporarilyUnavailable,
            Self::Credential(Unavailable::Fetch(error)) | Self::Kms(error) => error.code(),
            Self::NotEcdsa | Self::Signing(_) | Self::Randomness(_) => ErrorCode::InternalError,
        }
    }
}

/// How we prove who we are at one provider.
#[derive(Debug)]
pub(super) enum ClientAuthentication {
    None,
    ClientSecretBasic(Secret),
    ClientSecretPost(Secret),
    PrivateKeyJwt(Key),
}

#[derive(Debug)]
pub(super) enum Secret {
    Given(ClientSecret),
    Stored(Box<StoredSecret>),
}

#[derive(Debug)]
pub(super) struct StoredSecret {
    arn: String,
    store: SecretStore,
    kept: Cached<ClientSecret>,
}

#[derive(Debug)]
pub(super) enum Key {
    Given(Box<SigningKey>),
    Kms(Box<KmsKey>),
}

#[derive(Debug)]
pub(super) struct KmsKey {
    arn: String,
    store: SecretStore,
    algorithm: Cached<KmsAlgorithm>,
}

/// One call in our own name to an endpoint of the provider.
pub(super) struct AuthenticatedCall<'a> {
    pub(super) client: &'a HttpClient,
    pub(super) client_id: &'a str,
    pub(super) credentials: ClientCredentials,
    pub(super) timeout: Duration,
}

/// What goes along with one request.
pub(super) enum ClientCredentials {
    /// Nothing but the `client_id`.
    None,
    /// `client_secret_basic`.
    Basic(ClientSecret),
    /// `client_secret_post`.
    Post(ClientSecret),
    /// `private_key_jwt`.
    Assertion(String),
}

impl ClientAuthentication {
    /// As `settings` say; where they name an ARN, `store` must be there.
    pub(super) fn new(settings: ClientAuthenticationSettings, store: Option<&SecretStore>) -> Option<Self> {
        use ClientAuthenticationSettings as Settings;
        Some(match settings {
            Settings::None => Self::None,
            Settings::ClientSecretBasic(secret) => Self::ClientSecretBasic(Secret::new(secret, store)?),
            Settings::ClientSecretPost(secret) => Self::ClientSecretPost(Secret::new(secret, store)?),
            Settings::PrivateKeyJwt(Credential::Given(key)) => Self::PrivateKeyJwt(Key::Given(key)),
            Settings::PrivateKeyJwt(Credential::Arn(arn)) => Self::PrivateKeyJwt(Key::Kms(Box::new(KmsKey {
                arn,
                store: store?.clone(),
                algorithm: Cached::new(LIFETIMES),
            }))),
        })
    }

    /// Fetches ahead what [`credentials`](Self::credentials) will need. What fails now is tried again by the first request.
    pub(super) async fn warm_up(&self, now: Timestamp, deadline: Deadline) {
        match self {
            Self::ClientSecretBasic(secret) | Self::ClientSecretPost(secret) => {
                let _ = secret.current(now, deadline).await;
            }
            Self::PrivateKeyJwt(Key::Kms(key)) => {
                let _ = key.algorithm(now, deadline).await;
            }
            Self::None | Self::PrivateKeyJwt(Key::Given(_)) => {}
        }
    }

    /// The credentials for one request to `issuer`.
    pub(super) async fn credentials(
        &self,
        client_id: &str,
        issuer: &Issuer,
        now: Timestamp,
        deadline: Deadline,
        random: &dyn Randomness,
    ) -> Result<ClientCredentials, ClientAuthenticationError> {
        Ok(match self {
            Self::None => ClientCredentials::None,
            Self::ClientSecretBasic(secret) => ClientCredentials::Basic(secret.current(now, deadline).await?),
            Self::ClientSecretPost(secret) => ClientCredentials::Post(secret.current(now, deadline).await?),
            Self::PrivateKeyJwt(key) => {
                let claims = assertion_claims(client_id, issuer, now, random)?;
                ClientCredentials::Assertion(key.sign(&claims, now, deadline).await?)
            }
        })
    }
}

impl Secret {
    fn new(settings: Credential<ClientSecret>, store: Option<&SecretStore>) -> Option<Self> {
        Some(match settings {
            Credential::Given(secret) => Self::Given(secret),
            Credential::Arn(arn) => {
                let (store, kept) = (store?.clone(), Cached::new(LIFETIMES));
                Self::Stored(Box::new(StoredSecret { arn, store, kept }))
            }
        })
    }

    async fn current(&self, now: Timestamp, deadline: Deadline) -> Result<ClientSecret, Unavailable<SecretError>> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::Stored(secret) => {
                let fetch = async {
                    secret
                        .store
                        .secret(&secret.arn, now, deadline)
                        .await
                        .map(ClientSecret::new)
                };
                Ok(ClientSecret::clone(&*secret.kept.current(now, fetch).await?))
            }
        }
    }
}

impl Key {
    async fn sign(
        &self,
        claims: &Value,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<String, ClientAuthenticationError> {
        match self {
            Self::Given(key) => Ok(key.sign_jwt(claims)?),
            Self::Kms(key) => key.sign_jwt(claims, now, deadline).await,
        }
    }
}

impl KmsKey {
    async fn algorithm(&self, now: Timestamp, deadline: Deadline) -> Result<KmsAlgorithm, Unavailable<SecretError>> {
        let fetch = self.store.signing_algorithm(&self.arn, now, deadline);
        Ok(*self.algorithm.current(now, fetch).await?)
    }

    async fn sign_jwt(
        &self,
        claims: &Value,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<String, ClientAuthenticationError> {
        let kms_algorithm = self.algorithm(now, deadline).await?;
        let algorithm = match kms_algorithm {
            KmsAlgorithm::EcdsaSha256 => Algorithm::Es256,
            KmsAlgorithm::RsassaPkcs1V15Sha256 => Algorithm::Rs256,
        };
        // No `kid`: under which one the provider knows our key, KMS cannot say.
        let header = json!({ "alg": algorithm.name(), "typ": "JWT" });
        let signing_input = [header, claims.clone()]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let hash = digest::digest(&digest::SHA256, signing_input.as_bytes());
        let signature = self
            .store
            .sign(&self.arn, kms_algorithm, hash.as_ref(), now, deadline)
            .await?;
        let signature = match kms_algorithm {
            KmsAlgorithm::EcdsaSha256 => ecdsa_signature(&signature)
                .ok_or(ClientAuthenticationError::NotEcdsa)?
                .to_vec(),
            KmsAlgorithm::RsassaPkcs1V15Sha256 => signature,
        };
        Ok(format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl ClientCredentials {
    /// Puts them into a form that has the `client_id` already, or into its header section.
    pub(super) fn apply(
        &self,
        client_id: &str,
        form: &mut form_urlencoded::Serializer<'_, String>,
        headers: &mut HeaderMap,
    ) {
        match self {
            Self::None => {}
            Self::Basic(secret) => {
                if let Some(header) = basic(client_id, secret) {
                    headers.insert(AUTHORIZATION, header);
                }
            }
            Self::Post(secret) => {
                form.append_pair("client_secret", secret.secret());
            }
            Self::Assertion(assertion) => {
                form.append_pair("client_assertion_type", JWT_BEARER);
                form.append_pair("client_assertion", assertion);
            }
        }
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCredentials(…)")
    }
}

/// HTTP Basic with both parts form-encoded first (RFC 6749 section 2.3.1).
fn basic(client_id: &str, secret: &ClientSecret) -> Option<HeaderValue> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.secret()));
    let mut header = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// The claims of RFC 7523 section 3. The audience is the issuer and nothing else, so that an assertion that a hostile provider
/// gets to see is worth nothing at another.
fn assertion_claims(
    client_id: &str,
    issuer: &Issuer,
    now: Timestamp,
    random: &dyn Randomness,
) -> Result<Value, NoRandomness> {
    let name: [u8; 16] = random_bytes(random)?;
    Ok(json!({
        "iss": client_id,
        "sub": client_id,
        "aud": issuer.as_str(),
        "jti": URL_SAFE_NO_PAD.encode(name),
        "iat": now.unix_seconds(),
        "exp": now.plus(ASSERTION_LIFETIME).unix_seconds(),
    }))
}

/// The form of a P-256 signature in JOSE, `r ‖ s` (RFC 7518 section 3.4), of its DER form, `SEQUENCE { INTEGER r, INTEGER s }`
/// (RFC 3279 section 2.2.3).
fn ecdsa_signature(der: &[u8]) -> Option<[u8; 64]> {
    // Both lengths fit one byte: a P-256 signature has at most 72.
    let (&[0x30, length], integers) = der.split_first_chunk()? else {
        return None;
    };
    let (r, rest) = der_integer(integers)?;
    let (s, rest) = der_integer(rest)?;
    if usize::from(length) != integers.len() || !rest.is_empty() {
        return None;
    }
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    Some(signature)
}

/// A non-negative `INTEGER` of at most 256 bits, padded to them, and what follows it.
fn der_integer(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (&[0x02, length], rest) = der.split_first_chunk()? else {
        return None;
    };
    let (integer, rest) = rest.split_at_checked(usize::from(length))?;
    let digits = match integer {
        [0, digits @ ..] => digits,
        [first, ..] if *first < 0x80 => integer,
        _ => return None,
    };
    let mut padded = [0; 32];
    let start = 32_usize.checked_sub(digits.len())?;
    padded[start..].copy_from_slice(digits);
    Some((padded, rest))
}

#[cfg(test)]
mod tests;

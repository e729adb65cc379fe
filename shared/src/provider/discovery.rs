//! Discovery: where the provider's endpoints are and what it can do (OIDC Discovery 1.0, RFC 8414, RFC 9207).

use http::StatusCode;
use url::Url;

use crate::outbound::OutboundError;

/// What has to be known of a provider, whether it was discovered or configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// Where the browser is sent.
    pub authorization_endpoint: Url,
    /// Where a code is redeemed.
    pub token_endpoint: Url,
    /// Where the keys are that sign ID tokens.
    pub jwks_uri: Url,
    /// Where the authorization request is pushed to, if anywhere (RFC 9126).
    pub pushed_authorization_request_endpoint: Option<Url>,
    /// Whether `prompt=create` is understood (Initiating User Registration via OpenID Connect 1.0).
    pub prompt_create: bool,
    /// Whether every authorization response carries `iss` (RFC 9207 section 3).
    pub requires_iss: bool,
}

/// Why a provider's metadata is not known.
#[derive(Debug, thiserror::Error)]
pub enum MetadataUnavailable {
    /// The provider did not answer.
    #[error("fetching the provider's metadata")]
    Unreachable(#[source] OutboundError),
    /// The provider answered with another status than `200`.
    #[error("fetching the provider's metadata: the answer is {0}")]
    Status(StatusCode),
    /// It is not a JSON object with this member, or the member is not what it must be.
    #[error("reading the provider's metadata: `{0}` is not acceptable")]
    Member(&'static str),
    /// The last fetch failed, and it is too early for another.
    #[error("fetching the provider's metadata: failed a moment ago")]
    TooEarly,
}

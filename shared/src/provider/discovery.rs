//! Discovery: where the provider's endpoints are and what it can do (OIDC Discovery 1.0, RFC 8414, RFC 9207).
//!
//! What is discovered decides where codes, secrets and browsers go, so it is believed only as far as its issuer's host reaches:
//! every endpoint must be on that host or on one below it. A provider that spreads wider is configured with fixed endpoints, which
//! the operator vouches for.

use std::time::Duration;

use http::{Request, StatusCode, Uri};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    cached::{Lifetimes, Unavailable},
    identity::Issuer,
    jose::unique_json,
    outbound::{Bounds, HttpClient, Locality, OutboundError},
};

/// Endpoints change rarely, and a provider that moves keeps the old ones for a day.
pub(super) const LIFETIMES: Lifetimes = Lifetimes {
    refreshed_after: Duration::from_hours(4),
    serves_for: Duration::from_hours(24),
};

/// The longest document that is read (contract section 9).
const MAX_BYTES: usize = 256 * 1024;

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

impl ProviderMetadata {
    /// Reads `document`, which should be the metadata of `issuer`.
    pub fn parse(document: &[u8], issuer: &Issuer, locality: Locality) -> Result<Self, DiscoveryError> {
        read(&unique_json::parse_object(document)?, issuer, locality)
    }
}

/// A provider's metadata is not known.
#[derive(Debug, thiserror::Error)]
#[error("learning the provider's endpoints")]
pub struct MetadataUnavailable(#[from] Unavailable<DiscoveryError>);

/// Why discovery brought no metadata.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The provider did not answer.
    #[error("fetching the provider's metadata")]
    Unreachable(#[from] OutboundError),
    /// The provider answered with another status than `200`.
    #[error("fetching the provider's metadata: the answer is {0}")]
    Status(StatusCode),
    /// The answer is not a JSON object, or repeats a member.
    #[error("reading the provider's metadata")]
    Json(#[from] unique_json::JsonError),
    /// The document is another issuer's (OIDC Discovery 4.3).
    #[error("reading the provider's metadata: `issuer` is not the configured one")]
    Issuer,
    /// This member names no URL that may be called, or one that is not the issuer's own.
    #[error("reading the provider's metadata: `{0}` is not an https URL on the issuer's host")]
    Endpoint(&'static str),
    /// This member does not list what we need.
    #[error("reading the provider's metadata: `{member}` does not list `{value}`")]
    Unsupported {
        /// The member.
        member: &'static str,
        /// What it would have to list.
        value: &'static str,
    },
}

/// A URL that may stand for an endpoint: https (http only locally), of a host, without credentials and fragment.
pub(super) fn endpoint(text: &str, locality: Locality) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_callable = url.as_str().parse().is_ok_and(|uri| locality.allows_uri(&uri));
    (is_plain && is_callable).then_some(url)
}

/// The same URL for the HTTP client. [`endpoint`] lets none pass that is not a [`Uri`]; the client would refuse the default.
pub(super) fn uri(endpoint: &Url) -> Uri {
    endpoint.as_str().parse().unwrap_or_default()
}

/// Fetches the metadata of `issuer` (OIDC Discovery 4).
pub(super) async fn discover(
    http: &HttpClient,
    issuer: &Issuer,
    locality: Locality,
    timeout: Duration,
) -> Result<ProviderMetadata, DiscoveryError> {
    let url = format!(
        "{}/.well-known/openid-configuration",
        issuer.as_str().trim_end_matches('/')
    );
    let request = Request::get(url)
        .body(Vec::new())
        .map_err(|_| OutboundError::InsecureUrl)?;
    let answer = http
        .send(
            request,
            Bounds {
                max_bytes: MAX_BYTES,
                timeout,
            },
        )
        .await?;
    if answer.status() != StatusCode::OK {
        return Err(DiscoveryError::Status(answer.status()));
    }
    ProviderMetadata::parse(answer.body(), issuer, locality)
}

fn read(
    document: &Map<String, Value>,
    issuer: &Issuer,
    locality: Locality,
) -> Result<ProviderMetadata, DiscoveryError> {
    // OIDC Discovery 4.3: exactly the issuer that was asked, or it speaks for somebody else.
    if document.get("issuer").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err(DiscoveryError::Issuer);
    }
    let lists = |member, value: &str| {
        let values = document.get(member).and_then(Value::as_array);
        values.is_some_and(|values| values.iter().any(|listed| listed.as_str() == Some(value)))
    };
    let must_list = |member, value| {
        if lists(member, value) {
            Ok(())
        } else {
            Err(DiscoveryError::Unsupported { member, value })
        }
    };
    must_list("response_types_supported", "code")?;
    must_list("code_challenge_methods_supported", "S256")?; // absent means no PKCE at all (RFC 8414 section 2)

    let optional = |member| match document.get(member) {
        None => Ok(None),
        Some(url) => url
            .as_str()
            .and_then(|url| endpoint(url, locality))
            .filter(|url| belongs_to(url, issuer))
            .map(Some)
            .ok_or(DiscoveryError::Endpoint(member)),
    };
    let required = |member| optional(member)?.ok_or(DiscoveryError::Endpoint(member));
    Ok(ProviderMetadata {
        authorization_endpoint: required("authorization_endpoint")?,
        token_endpoint: required("token_endpoint")?,
        jwks_uri: required("jwks_uri")?,
        pushed_authorization_request_endpoint: optional("pushed_authorization_request_endpoint")?,
        prompt_create: lists("prompt_values_supported", "create"),
        requires_iss: document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
    })
}

/// Whether `url` is on the host of `issuer` or on one below it. `ProviderEntry::form_sources` allows as much.
fn belongs_to(url: &Url, issuer: &Issuer) -> bool {
    let Ok(issuer) = Url::parse(issuer.as_str()) else {
        return false;
    };
    let (Some(host), Some(issuer_host)) = (url.host_str(), issuer.host_str()) else {
        return false;
    };
    host.strip_suffix(issuer_host)
        .is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

#[cfg(test)]
mod tests;

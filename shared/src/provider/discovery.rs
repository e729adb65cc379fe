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

/// Whether `url` is on the host of `issuer` or on one below it.
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
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outbound::scripted_server::{Answer, ScriptedServer};

    const ISSUER: &str = "https://id.magento.example/realm";
    const TIMEOUT: Duration = Duration::from_secs(5);

    /// A document with `change` in it; `null` members of `change` are taken out of it.
    fn document(change: &Value) -> Map<String, Value> {
        let Value::Object(mut document) = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://id.magento.example/authorize",
            "token_endpoint": "https://token.id.magento.example/token",
            "jwks_uri": "https://id.magento.example:8443/jwks",
            "response_types_supported": ["code", "code id_token"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "unknown": {},
        }) else {
            unreachable!()
        };
        document.extend(change.as_object().unwrap().clone());
        document.retain(|_, value| !value.is_null());
        document
    }

    fn read(change: &Value) -> Result<ProviderMetadata, DiscoveryError> {
        super::read(&document(change), &Issuer::parse(ISSUER).unwrap(), Locality::Deployed)
    }

    #[test]
    fn a_plain_document_is_read() {
        let metadata = read(&json!({})).unwrap();
        assert_eq!(
            metadata.authorization_endpoint.as_str(),
            "https://id.magento.example/authorize"
        );
        assert_eq!(
            metadata.token_endpoint.as_str(),
            "https://token.id.magento.example/token"
        );
        assert_eq!(metadata.jwks_uri.as_str(), "https://id.magento.example:8443/jwks");
        assert_eq!(metadata.pushed_authorization_request_endpoint, None);
        assert!(!metadata.prompt_create && !metadata.requires_iss);
    }

    #[test]
    fn what_a_provider_can_do_more_is_read() {
        let metadata = read(&json!({
            "pushed_authorization_request_endpoint": "https://id.magento.example/par",
            "authorization_response_iss_parameter_supported": true,
            "prompt_values_supported": ["none", "create"],
        }))
        .unwrap();
        assert!(metadata.prompt_create && metadata.requires_iss);
        let pushed = metadata.pushed_authorization_request_endpoint.unwrap();
        assert_eq!(pushed.as_str(), "https://id.magento.example/par");
    }

    #[test]
    fn the_issuer_is_exactly_the_configured_one() {
        for wrong in [
            json!(null),
            json!("https://id.magento.example/realm/"),
            json!("https://id.magento.example"),
            json!("https://ID.magento.example/realm"),
            json!("https://evil.example"),
            json!([ISSUER]),
        ] {
            assert!(
                matches!(read(&json!({ "issuer": wrong })), Err(DiscoveryError::Issuer)),
                "{wrong}"
            );
        }
    }

    #[test]
    fn an_endpoint_is_on_the_issuers_host_or_below_it() {
        for member in [
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "pushed_authorization_request_endpoint",
        ] {
            for hostile in [
                json!("https://evil.example/"),
                json!("https://magento.example/"),
                json!("https://evil-id.magento.example/"),
                json!("https://id.magento.example.evil.example/"),
                json!("https://id.magento.example@evil.example/"),
                json!("https://user:password@id.magento.example/"),
                json!("https://id.magento.example/#fragment"),
                json!("http://id.magento.example/"),
                json!("https://169.254.169.254/"),
                json!("https://localhost/"),
                json!("file:///etc/passwd"),
                json!("//id.magento.example/"),
                json!(1),
            ] {
                let refused = read(&json!({ member: hostile })).unwrap_err();
                assert!(
                    matches!(refused, DiscoveryError::Endpoint(name) if name == member),
                    "{member}: {hostile}"
                );
            }
        }
        for member in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert!(
                matches!(read(&json!({ member: null })), Err(DiscoveryError::Endpoint(_))),
                "{member}"
            );
        }
    }

    #[test]
    fn a_provider_without_s256_or_the_code_flow_is_refused() {
        for (member, values) in [
            (
                "code_challenge_methods_supported",
                [json!(null), json!([]), json!(["plain"]), json!("S256"), json!(["s256"])],
            ),
            (
                "response_types_supported",
                [
                    json!(null),
                    json!([]),
                    json!(["id_token"]),
                    json!("code"),
                    json!(["code token"]),
                ],
            ),
        ] {
            for value in values {
                let refused = read(&json!({ member: value })).unwrap_err();
                assert!(
                    matches!(refused, DiscoveryError::Unsupported { member: name, .. } if name == member),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn an_abilitys_value_is_not_guessed() {
        for value in [json!("true"), json!(1), json!(["create"]), json!("create")] {
            let metadata = read(&json!({
                "authorization_response_iss_parameter_supported": value,
                "prompt_values_supported": value.as_str(),
            }))
            .unwrap();
            assert!(!metadata.prompt_create && !metadata.requires_iss, "{value}");
        }
    }

    async fn discover(answer: Answer) -> Result<ProviderMetadata, DiscoveryError> {
        let server = ScriptedServer::start([answer]).await;
        let issuer = Issuer::parse(server.url("/realm/")).unwrap();
        let http = HttpClient::new(Locality::Local);
        let outcome = super::discover(&http, &issuer, Locality::Local, TIMEOUT).await;
        assert_eq!(server.hits(), 1);
        assert_eq!(server.requests()[0].target, "/realm/.well-known/openid-configuration");
        outcome
    }

    #[tokio::test]
    async fn the_document_is_fetched_below_the_issuer() {
        let server = ScriptedServer::start([]).await;
        let (issuer, port) = (server.url("/realm/"), server.port());
        server.stop().await;
        let url = |path: &str| format!("http://magento.localhost:{port}{path}");
        let document = document(&json!({
            "issuer": issuer,
            "authorization_endpoint": url("/authorize"), "token_endpoint": url("/token"), "jwks_uri": url("/jwks"),
        }));
        let read = super::read(&document, &Issuer::parse(issuer).unwrap(), Locality::Local).unwrap();
        assert_eq!(read.token_endpoint.as_str(), url("/token"));
    }

    #[tokio::test]
    async fn a_document_has_256_kib_at_most() {
        for (length, is_read) in [(256 * 1024, true), (256 * 1024 + 1, false)] {
            let server = ScriptedServer::start([]).await;
            let endpoint = server.url("/x");
            let mut document = document(&json!({
                "issuer": server.url(""), "padding": "",
                "authorization_endpoint": endpoint, "token_endpoint": endpoint, "jwks_uri": endpoint,
            }));
            let unpadded = Value::from(document.clone()).to_string().len();
            document["padding"] = "x".repeat(length - unpadded).into();
            server.then(Answer::json(200, &Value::from(document).to_string()));
            let issuer = Issuer::parse(server.url("")).unwrap();
            let http = HttpClient::new(Locality::Local);
            let outcome = super::discover(&http, &issuer, Locality::Local, TIMEOUT).await;
            assert_eq!(outcome.is_ok(), is_read, "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_no_document_is_refused() {
        let too_long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BYTES));
        assert!(matches!(
            discover(Answer::json(404, "{}")).await,
            Err(DiscoveryError::Status(_))
        ));
        assert!(matches!(
            discover(Answer::new(200, "text/html", "<html>")).await,
            Err(DiscoveryError::Json(_))
        ));
        assert!(matches!(
            discover(Answer::json(200, r#"{"issuer":"a","issuer":"a"}"#)).await,
            Err(DiscoveryError::Json(_))
        ));
        assert!(matches!(
            discover(Answer::json(200, "{}")).await,
            Err(DiscoveryError::Issuer)
        ));
        assert!(matches!(
            discover(Answer::Hangup).await,
            Err(DiscoveryError::Unreachable(OutboundError::Broken(_)))
        ));
        assert!(matches!(
            discover(Answer::json(200, &too_long)).await,
            Err(DiscoveryError::Unreachable(OutboundError::TooLarge { .. }))
        ));
        let redirect = b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n".to_vec();
        assert!(matches!(
            discover(Answer::Bytes(redirect)).await,
            Err(DiscoveryError::Status(_))
        ));
    }
}

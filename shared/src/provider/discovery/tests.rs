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

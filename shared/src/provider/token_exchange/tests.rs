use std::time::Duration;

use oauth2::ClientSecret;

use super::*;
use crate::{
    clock::{SystemRandomness, Timestamp},
    flow::{Flow, Purpose},
    identity::{Issuer, ProviderId},
    outbound::{
        Locality,
        scripted_server::{Answer, ScriptedServer},
    },
    provider::authorization_response::AuthorizationResponse,
    ticket::Challenge,
};

const GOOD: &str = r#"{"access_token":"hush-access","token_type":"Bearer","id_token":"hush-id"}"#;
const STATE: &str = "abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKL_012";

fn flow() -> Flow {
    let purpose = Purpose::SignIn {
        challenge: Challenge::of("verifier"),
    };
    let (provider, now) = (ProviderId::parse("magento").unwrap(), Timestamp::from_unix_seconds(0));
    Flow::start(provider, purpose, now, &SystemRandomness::default()).unwrap()
}

fn code() -> AuthorizationCode {
    let response = AuthorizationResponse::parse(&format!("code=hush%2Fcode&state={STATE}")).unwrap();
    response
        .accept(&Issuer::parse("https://id.example").unwrap(), false)
        .unwrap()
}

async fn redeem_at(
    server: &ScriptedServer,
    flow: &Flow,
    credentials: ClientCredentials,
) -> Result<String, TokenExchangeError> {
    let client = HttpClient::new(Locality::Local);
    let call = AuthenticatedCall {
        client: &client,
        client_id: "client!+ID",
        credentials,
        timeout: Duration::from_secs(5),
    };
    let endpoint = Url::parse(&server.url("/token")).unwrap();
    let redirect_uri = RedirectUrl::new("https://accounts.example/sso/magento/callback".to_owned()).unwrap();
    super::redeem(call, &endpoint, &redirect_uri, code(), &flow.code_verifier).await
}

/// What comes of one code at a server that gives `answer`; that it was sent exactly once is asserted here, for every case.
async fn redeem(answer: Answer) -> Result<String, TokenExchangeError> {
    let server = ScriptedServer::start([answer]).await;
    let outcome = redeem_at(&server, &flow(), ClientCredentials::None).await;
    assert_eq!(server.hits(), 1, "a code is never sent twice");
    if let Err(error) = &outcome {
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    }
    outcome
}

#[tokio::test]
async fn a_code_is_sent_with_its_verifier_and_the_redirect_uri_and_brings_an_id_token() {
    let (server, flow) = (ScriptedServer::start([Answer::json(200, GOOD)]).await, flow());
    let id_token = redeem_at(&server, &flow, ClientCredentials::None).await.unwrap();
    assert_eq!(id_token, "hush-id");

    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/token"));
    assert_eq!(
        request.header("content-type").unwrap(),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(request.header("accept").unwrap(), "application/json");
    assert_eq!(request.header("authorization"), None);
    let expected = [
        ("grant_type", "authorization_code"),
        ("code", "hush/code"),
        ("code_verifier", &flow.code_verifier.reveal()),
        ("client_id", "client!+ID"),
        ("redirect_uri", "https://accounts.example/sso/magento/callback"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(request.form(), expected);
}

#[tokio::test]
async fn each_kind_of_credentials_goes_where_it_belongs() {
    let secret = || ClientSecret::new("SECRET?%Gclient".to_owned());
    let sent = async |credentials| {
        let server = ScriptedServer::start([Answer::json(200, GOOD)]).await;
        redeem_at(&server, &flow(), credentials).await.unwrap();
        server.requests().remove(0)
    };
    let value = |form: &[(String, String)], name: &str| {
        form.iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.clone())
    };

    let basic = sent(ClientCredentials::Basic(secret())).await;
    // client%21%2BID:SECRET%3F%25Gclient
    assert_eq!(
        basic.header("authorization").unwrap(),
        "Basic Y2xpZW50JTIxJTJCSUQ6U0VDUkVUJTNGJTI1R2NsaWVudA=="
    );
    assert_eq!(
        (value(&basic.form(), "client_id"), value(&basic.form(), "client_secret")),
        (None, None)
    );

    let post = sent(ClientCredentials::Post(secret())).await;
    assert_eq!(post.header("authorization"), None);
    assert_eq!(value(&post.form(), "client_id").unwrap(), "client!+ID");
    assert_eq!(value(&post.form(), "client_secret").unwrap(), "SECRET?%Gclient");

    let assertion = sent(ClientCredentials::Assertion("a.b.c".to_owned())).await;
    assert_eq!(assertion.header("authorization"), None);
    assert_eq!(value(&assertion.form(), "client_id").unwrap(), "client!+ID");
    assert_eq!(value(&assertion.form(), "client_assertion_type").unwrap(), JWT_BEARER);
    assert_eq!(value(&assertion.form(), "client_assertion").unwrap(), "a.b.c");
}

#[tokio::test]
async fn what_an_honest_provider_may_do_is_tolerated() {
    for body in [
        r#"{"access_token":"a","token_type":"bearer","id_token":"hush-id"}"#,
        r#"{"access_token":"a","token_type":"BEARER","id_token":"hush-id"}"#,
        r#"{"access_token":"a","token_type":"DPoP","id_token":"hush-id"}"#,
        r#"{"access_token":"a","token_type":"Bearer","id_token":"hush-id","expires_in":3600,"scope":"openid email"}"#,
        r#"{"id_token":"hush-id","refresh_token":"r","unknown":{"a":[1]},"access_token":"a","token_type":"Bearer"}"#,
    ] {
        assert_eq!(redeem(Answer::json(200, body)).await.unwrap(), "hush-id", "{body}");
    }
    assert_eq!(
        redeem(Answer::new(200, "Application/JSON; charset=UTF-8", GOOD))
            .await
            .unwrap(),
        "hush-id"
    );
}

#[tokio::test]
async fn an_error_of_the_protocol_is_a_refusal_by_its_registered_name() {
    for (status, error, expected) in [
        (400, "invalid_grant", ErrorResponse::InvalidGrant),
        (400, "invalid_request", ErrorResponse::InvalidRequest),
        (401, "invalid_client", ErrorResponse::InvalidClient),
        (400, "invalid_scope", ErrorResponse::InvalidScope),
        (400, "unauthorized_client", ErrorResponse::UnauthorizedClient),
        (400, "unsupported_grant_type", ErrorResponse::UnsupportedGrantType),
        (403, "hush", ErrorResponse::Other),
        (404, "hush", ErrorResponse::Other),
    ] {
        let body = format!(r#"{{"error":"{error}","error_description":"hush","error_uri":"https://hush"}}"#);
        let refused = redeem(Answer::json(status, &body)).await.unwrap_err();
        assert!(
            matches!(refused, TokenExchangeError::Refused(answer) if answer == expected),
            "{refused:?}"
        );
        assert_eq!(refused.code(), ErrorCode::ProviderRefused);
    }
}

#[tokio::test]
async fn any_other_answer_is_unusable() {
    let error = r#"{"error":"invalid_grant"}"#;
    let status = |status| UnusableResponse::Status(StatusCode::from_u16(status).unwrap());
    let json = |status| UnusableResponse::Json(StatusCode::from_u16(status).unwrap());
    for (answer, expected) in [
        (Answer::json(429, error), status(429)),
        (Answer::json(500, error), status(500)),
        (Answer::json(503, error), status(503)),
        (Answer::json(201, GOOD), status(201)),
        (Answer::json(304, ""), status(304)),
        (Answer::json(400, ""), json(400)),
        (Answer::new(403, "text/html", "<html>hush"), json(403)),
        (Answer::json(400, r#"{"error":1}"#), json(400)),
        (Answer::new(200, "text/html", "<html>hush"), json(200)),
        (Answer::new(200, "text/html", GOOD), json(200)),
        (Answer::json(200, ""), json(200)),
        (Answer::json(200, error), json(200)),
        (Answer::json(200, &format!("\u{FEFF}{GOOD}")), json(200)),
        (Answer::json(200, &GOOD[..GOOD.len() - 1]), json(200)),
        (Answer::json(200, &"[".repeat(5000)), json(200)),
        (
            Answer::json(200, r#"{"token_type":"Bearer","id_token":"hush"}"#),
            json(200),
        ),
        (
            Answer::json(200, r#"{"access_token":"hush","id_token":"hush"}"#),
            json(200),
        ),
        (
            Answer::json(
                200,
                r#"{"access_token":"hush","token_type":"Bearer","id_token":["hush"]}"#,
            ),
            json(200),
        ),
        (
            Answer::json(
                200,
                r#"{"access_token":"a","token_type":"Bearer","id_token":"hush","id_token":"hush"}"#,
            ),
            json(200),
        ),
        (
            Answer::json(200, r#"{"access_token":"hush","token_type":"Bearer"}"#),
            UnusableResponse::NoIdToken,
        ),
        (
            Answer::json(200, r#"{"access_token":"hush","token_type":"Bearer","id_token":null}"#),
            UnusableResponse::NoIdToken,
        ),
    ] {
        let described = format!("{answer:?}");
        let unusable = redeem(answer).await.unwrap_err();
        assert!(
            matches!(unusable, TokenExchangeError::Unusable(answer) if answer == expected),
            "{described}: {unusable:?}"
        );
        assert_eq!(unusable.code(), ErrorCode::ProviderUnavailable);
    }
}

#[tokio::test]
async fn a_redirect_leads_the_code_nowhere() {
    let elsewhere = ScriptedServer::start([Answer::json(200, GOOD)]).await;
    for status in [301, 302, 303, 307, 308] {
        let url = elsewhere.url("/token");
        let head = format!("HTTP/1.1 {status} Moved\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n");
        let unusable = redeem(Answer::Bytes(head.into_bytes())).await.unwrap_err();
        assert!(
            matches!(unusable, TokenExchangeError::Unusable(UnusableResponse::Status(_))),
            "{unusable:?}"
        );
    }
    assert_eq!(elsewhere.hits(), 0);
}

#[tokio::test]
async fn a_compressed_answer_is_not_decompressed() {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
            .to_vec();
    bytes.extend(b"\x1f\x8b\x08\x00");
    let unusable = redeem(Answer::Bytes(bytes)).await.unwrap_err();
    assert!(
        matches!(
            unusable,
            TokenExchangeError::Unusable(UnusableResponse::Json(StatusCode::OK))
        ),
        "{unusable:?}"
    );
}

#[tokio::test]
async fn no_answer_a_broken_one_or_a_flood_is_unreachable() {
    let too_long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
    let truncated =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"access".to_vec();
    for answer in [
        Answer::Hangup,
        Answer::Bytes(truncated),
        Answer::json(200, &too_long),
        Answer::flood("Content-Length: 99999999999"),
        Answer::flood("Transfer-Encoding: chunked"),
    ] {
        let error = redeem(answer).await.unwrap_err();
        assert!(matches!(error, TokenExchangeError::Unreachable(_)), "{error:?}");
        assert_eq!(error.code(), ErrorCode::ProviderUnavailable);
    }
}

#[tokio::test]
async fn a_provider_that_stalls_is_left_and_not_asked_again() {
    let (server, flow) = (
        ScriptedServer::start([Answer::Silence, Answer::json(200, GOOD)]).await,
        flow(),
    );
    let redemption = redeem_at(&server, &flow, ClientCredentials::None);
    let outcome = server.without_waiting(redemption).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, TokenExchangeError::Unreachable(OutboundError::TimedOut(_))),
        "{error:?}"
    );
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn an_answer_has_64_kib_at_most() {
    for (length, is_read) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let padded = format!("{GOOD}{}", " ".repeat(length - GOOD.len()));
        let outcome = redeem(Answer::json(200, &padded)).await;
        assert_eq!(outcome.is_ok(), is_read, "{outcome:?}");
    }
}

#[test]
fn tokens_do_not_print() {
    let field = IdTokenField {
        id_token: Some("hush-id".to_owned()),
    };
    assert_eq!(format!("{field:?}"), "IdTokenField(…)");
    let jwks_uri = "http://magento.localhost/jwks".parse().unwrap();
    let keys = RemoteKeySet::new(HttpClient::new(Locality::Local), jwks_uri, Duration::from_secs(3));
    let token = UnverifiedIdToken {
        token: "hush-id".to_owned(),
        keys: Arc::new(keys),
    };
    assert_eq!(format!("{token:?}"), "UnverifiedIdToken(…)");
    let credentials = ClientCredentials::Assertion("hush".to_owned());
    assert_eq!(format!("{credentials:?}"), "ClientCredentials(…)");
}

#[test]
fn an_error_is_logged_under_its_registered_name() {
    for name in [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    ] {
        let error: BasicErrorResponseType = serde_json::from_value(name.into()).unwrap();
        assert_eq!(ErrorResponse::from(&error).to_string(), name);
    }
    let error: BasicErrorResponseType = serde_json::from_value("made\nup".into()).unwrap();
    assert_eq!(ErrorResponse::from(&error).to_string(), "(unregistered)");
}

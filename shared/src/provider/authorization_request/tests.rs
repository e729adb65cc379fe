use std::time::Duration;

use super::*;
use crate::{
    clock::{SystemRandomness, Timestamp},
    flow::Purpose,
    identity::ProviderId,
    outbound::{
        HttpClient, Locality,
        scripted_server::{Answer, ScriptedServer},
    },
    provider::client_authentication::ClientCredentials,
    ticket::Challenge,
};

const CLIENT_ID: &str = "client!+ID";

fn flow() -> Flow {
    let purpose = Purpose::SignIn {
        challenge: Challenge::of("verifier"),
    };
    let (provider, now) = (ProviderId::parse("magento").unwrap(), Timestamp::from_unix_seconds(0));
    Flow::start(provider, purpose, now, &SystemRandomness::default()).unwrap()
}

fn metadata(authorization_endpoint: &str, prompt_create: bool) -> ProviderMetadata {
    let url = |text: &str| Url::parse(text).unwrap();
    ProviderMetadata {
        authorization_endpoint: url(authorization_endpoint),
        token_endpoint: url("https://id.example/token"),
        jwks_uri: url("https://id.example/jwks"),
        pushed_authorization_request_endpoint: None,
        prompt_create,
        requires_iss: true,
    }
}

fn redirect_uri() -> RedirectUrl {
    RedirectUrl::new("https://accounts.example/sso/magento/callback".to_owned()).unwrap()
}

fn parameters(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

fn value_of(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.into_owned())
}

#[test]
fn the_request_says_exactly_what_the_contract_lists() {
    let flow = flow();
    let choice = UserChoice {
        intent: Intent::Create,
        account: AccountChoice::Any,
        ui_locale: UiLocale::parse("fr-CA"),
    };
    let metadata = metadata("https://id.example/authorize?tenant=1", true);
    let url = by_value(&metadata, CLIENT_ID, &redirect_uri(), &flow, &choice);
    assert!(url.as_str().starts_with("https://id.example/authorize?tenant=1&"));

    let verifier = PkceCodeVerifier::new(flow.code_verifier.reveal());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let expected = [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("state", &flow.state.reveal()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "https://accounts.example/sso/magento/callback"),
        ("scope", "openid email"),
        ("nonce", &flow.nonce.reveal()),
        ("prompt", "create"),
        ("ui_locales", "fr-CA"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(parameters(&url), expected);
    assert!(
        !url.as_str().contains(&flow.code_verifier.reveal()),
        "the verifier stays here"
    );
}

#[test]
fn the_code_challenge_is_the_one_of_rfc_7636_appendix_b() {
    let verifier = PkceCodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    assert_eq!(challenge.as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[test]
fn the_prompt_follows_from_the_choice_and_from_what_the_provider_can_do() {
    use AccountChoice::{Any, Choose};
    use Intent::{Create, SignIn};
    for (intent, account, prompt_create, expected) in [
        (SignIn, Any, true, None),
        (SignIn, Choose, true, Some("select_account")),
        (Create, Any, true, Some("create")),
        (Create, Choose, true, Some("create")),
        (Create, Any, false, None),
        (Create, Choose, false, Some("select_account")),
    ] {
        let choice = UserChoice {
            intent,
            account,
            ui_locale: None,
        };
        let metadata = metadata("https://id.example/authorize", prompt_create);
        let url = by_value(&metadata, CLIENT_ID, &redirect_uri(), &flow(), &choice);
        assert_eq!(
            value_of(&url, "prompt").as_deref(),
            expected,
            "{intent:?} {account:?} {prompt_create}"
        );
        assert_eq!(value_of(&url, "ui_locales"), None);
    }
}

#[test]
fn a_locale_is_a_language_tag() {
    let longest = "en-abcdefgh-abcdefgh-abcdefgh-abcde";
    for tag in ["fr", "fr-CA", "zh-Hant-TW", "de-CH-1996", "x-klingon", longest] {
        assert_eq!(UiLocale::parse(tag).unwrap().as_str(), tag);
    }
    let too_long = format!("{longest}f");
    for tag in [
        "",
        "-",
        "fr-",
        "-fr",
        "fr--CA",
        "f1",
        "fr_CA",
        "fr CA",
        "fr&prompt=none",
        "é",
        "abcdefghi",
        "fr-abcdefghi",
        &too_long,
    ] {
        assert_eq!(UiLocale::parse(tag), None, "{tag:?}");
    }
}

/// Pushes a request with HTTP Basic credentials to a server that gives `answer`.
async fn push(answer: Answer) -> (Result<Url, AuthorizationRequestError>, Url, ScriptedServer) {
    let server = ScriptedServer::start([answer]).await;
    let metadata = metadata("https://id.example/authorize?tenant=1", true);
    let by_value = by_value(&metadata, CLIENT_ID, &redirect_uri(), &flow(), &UserChoice::default());
    let client = HttpClient::new(Locality::Local);
    let call = AuthenticatedCall {
        client: &client,
        client_id: CLIENT_ID,
        credentials: ClientCredentials::Basic(oauth2::ClientSecret::new("SECRET?%Gclient".to_owned())),
        timeout: Duration::from_secs(5),
    };
    let endpoint = Url::parse(&server.url("/par")).unwrap();
    let outcome = by_reference(&call, &endpoint, &metadata.authorization_endpoint, &by_value).await;
    (outcome, by_value, server)
}

#[tokio::test]
async fn a_pushed_request_says_the_same_and_the_browser_carries_only_its_reference() {
    let answer = r#"{"request_uri":"urn:ietf:params:oauth:request_uri:a+b","expires_in":60}"#;
    let (outcome, by_value, server) = push(Answer::json(201, answer)).await;
    let url = outcome.unwrap();
    let expected = [
        ("tenant", "1"),
        ("client_id", CLIENT_ID),
        ("request_uri", "urn:ietf:params:oauth:request_uri:a+b"),
    ];
    assert_eq!(
        parameters(&url),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );

    let requests = server.requests();
    let request = &requests[0];
    assert_eq!(
        (requests.len(), request.method.as_str(), request.target.as_str()),
        (1, "POST", "/par")
    );
    assert_eq!(
        request.form(),
        parameters(&by_value)[1..],
        "the same, but for the endpoint's own query"
    );
    assert_eq!(
        request.header("content-type").unwrap(),
        "application/x-www-form-urlencoded"
    );
    assert!(request.header("authorization").unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn an_answer_to_a_pushed_request_is_a_reference_a_refusal_or_unusable() {
    use AuthorizationRequestError::{Refused, Unusable};
    let long = format!(
        r#"{{"request_uri":"{}","expires_in":60}}"#,
        "u".repeat(MAX_REQUEST_URI_BYTES + 1)
    );
    for (status, body, expected) in [
        (
            400,
            r#"{"error":"invalid_request"}"#,
            Refused(ErrorResponse::InvalidRequest),
        ),
        (
            401,
            r#"{"error":"invalid_client","error_description":"hush"}"#,
            Refused(ErrorResponse::InvalidClient),
        ),
        (403, r#"{"error":"hush"}"#, Refused(ErrorResponse::Other)),
        (400, "<html>", Unusable(UnusableResponse::Json(StatusCode::BAD_REQUEST))),
        (
            429,
            r#"{"error":"invalid_request"}"#,
            Unusable(UnusableResponse::Status(StatusCode::TOO_MANY_REQUESTS)),
        ),
        (
            503,
            r#"{"error":"server_error"}"#,
            Unusable(UnusableResponse::Status(StatusCode::SERVICE_UNAVAILABLE)),
        ),
        (
            200,
            r#"{"request_uri":"urn:a","expires_in":60}"#,
            Unusable(UnusableResponse::Status(StatusCode::OK)),
        ),
        (201, "<html>", Unusable(UnusableResponse::Json(StatusCode::CREATED))),
        (
            201,
            r#"{"error":"invalid_request"}"#,
            Unusable(UnusableResponse::Json(StatusCode::CREATED)),
        ),
        (
            201,
            r#"{"request_uri":"urn:a"}"#,
            Unusable(UnusableResponse::Json(StatusCode::CREATED)),
        ),
        (
            201,
            r#"{"request_uri":"urn:a","expires_in":0}"#,
            Unusable(UnusableResponse::Json(StatusCode::CREATED)),
        ),
        (
            201,
            r#"{"request_uri":"urn:a","expires_in":-1}"#,
            Unusable(UnusableResponse::Json(StatusCode::CREATED)),
        ),
        (
            201,
            r#"{"request_uri":"","expires_in":60}"#,
            Unusable(UnusableResponse::Json(StatusCode::CREATED)),
        ),
        (
            201,
            r#"{"request_uri":"urn:a b","expires_in":60}"#,
            Unusable(UnusableResponse::Json(StatusCode::CREATED)),
        ),
        (201, &long, Unusable(UnusableResponse::Json(StatusCode::CREATED))),
    ] {
        let (outcome, _, server) = push(Answer::json(status, body)).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.to_string(), expected.to_string(), "{status} {body}");
        assert_eq!((error.code(), server.hits()), (expected.code(), 1), "{status} {body}");
        assert!(!format!("{error:?}").contains("hush"));
    }
    let (outcome, _, server) = push(Answer::Hangup).await;
    assert!(matches!(
        outcome,
        Err(AuthorizationRequestError::Unreachable(OutboundError::Broken(_)))
    ));
    assert_eq!(server.hits(), 1);
}

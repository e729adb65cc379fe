use serde_json::{Value, json};

use super::*;
use crate::{
    clock::SystemRandomness,
    config::{ConfigError, Environment},
    flow::Purpose,
    http::problem::{ErrorCode, Refusal},
    jose::{
        SigningKey,
        test_keys::{p256, set_text},
    },
    outbound::scripted_server::{Answer, ScriptedServer},
    ticket::Challenge,
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_699_200);
const CLIENT_ID: &str = "accounts";

fn plenty() -> Deadline {
    Deadline::within(REQUEST_BUDGET)
}

fn flow() -> Flow {
    let purpose = Purpose::SignIn {
        challenge: Challenge::of("verifier"),
    };
    Flow::start(
        ProviderId::parse("magento").unwrap(),
        purpose,
        NOW,
        &SystemRandomness::default(),
    )
    .unwrap()
}

/// The variables of a local configuration with one provider whose element of `PROVIDERS` has `change` in it; `null` members of
/// `change` are taken out of it.
fn variables(issuer: &str, change: &Value) -> Vec<(String, String)> {
    let mut element = json!({
        "id": "magento", "name": "Magento.com", "issuer": issuer,
        "client_id": CLIENT_ID, "client_authentication": "client_secret_basic", "client_secret": "hush",
    });
    let members = element.as_object_mut().unwrap();
    members.extend(change.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    [
        ("PUBLIC_ORIGIN", "http://accounts.localhost:8080"),
        ("SETTINGS_URL", "http://accounts.localhost:8080/user"),
        ("SIGN_IN_URL", "http://accounts.localhost:8080/sign-in"),
        ("PROVIDERS", &json!([element]).to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn read(variables: Vec<(String, String)>) -> Result<Providers, ConfigError> {
    let environment: Environment = variables.into_iter().collect();
    let mut reader = Reader::new(&environment);
    let site = Site::read(&mut reader);
    let providers = Providers::read(&mut reader, site.as_ref());
    reader.finish(providers)
}

fn providers(issuer: &str, change: &Value) -> Providers {
    read(variables(issuer, change)).unwrap()
}

fn fixed_endpoints(server: &ScriptedServer) -> Value {
    json!({
        "authorization_endpoint": server.url("/authorize"),
        "token_endpoint": server.url("/token"),
        "jwks_uri": server.url("/jwks"),
    })
}

/// Has the server answer next with its own metadata, with `change` in it.
fn discovery_document(server: &ScriptedServer, change: &Value) {
    let mut document = fixed_endpoints(server);
    let members = document.as_object_mut().unwrap();
    members.insert("issuer".to_owned(), server.url("").into());
    members.insert("response_types_supported".to_owned(), json!(["code"]));
    members.insert("code_challenge_methods_supported".to_owned(), json!(["S256"]));
    members.extend(change.as_object().unwrap().clone());
    server.then(Answer::json(200, &document.to_string()));
}

fn response(flow: &Flow, rest: &str) -> AuthorizationResponse {
    AuthorizationResponse::parse(&format!("state={}&{rest}", flow.state.reveal())).unwrap()
}

fn jwks(keys: &[&SigningKey]) -> Answer {
    Answer::json(200, &set_text(keys.iter().map(|key| key.public_jwk())))
}

fn tokens(key: &SigningKey, issuer: &str, flow: &Flow) -> Answer {
    let claims = json!({
        "iss": issuer, "sub": "248289761001", "aud": CLIENT_ID, "nonce": flow.nonce.reveal(),
        "iat": NOW.unix_seconds(), "exp": NOW.unix_seconds() + 300,
    });
    let id_token = key.sign_jwt(&claims).unwrap();
    Answer::json(
        200,
        &json!({ "access_token": "a", "token_type": "Bearer", "id_token": id_token }).to_string(),
    )
}

fn targets(server: &ScriptedServer) -> Vec<String> {
    server.requests().into_iter().map(|request| request.target).collect()
}

#[tokio::test]
async fn with_fixed_endpoints_a_flow_costs_its_start_nothing_and_its_callback_one_call() {
    let (server, key, flow) = (ScriptedServer::start([]).await, p256(), flow());
    let issuer = server.url("");
    let providers = providers(&issuer, &fixed_endpoints(&server));
    let (provider, random) = (providers.find("magento").unwrap(), SystemRandomness::default());

    providers.warm_up_requests(NOW).await;
    let choice = UserChoice::default();
    let location = provider
        .authorization_request(&flow, &choice, NOW, plenty(), &random)
        .await
        .unwrap();
    assert!(
        location.starts_with(&server.url("/authorize?response_type=code&client_id=accounts&")),
        "{location}"
    );
    assert_eq!(server.hits(), 0);

    server.then(jwks(&[&key]));
    providers.warm_up_responses(NOW).await;
    assert_eq!(targets(&server), ["/jwks"]);

    server.then(tokens(&key, &issuer, &flow));
    let response = response(&flow, &format!("code=c&iss={issuer}"));
    let code = provider.accept(response, NOW, plenty()).await.unwrap();
    let id_token = provider
        .redeem(code, &flow.code_verifier, NOW, plenty(), &random)
        .await
        .unwrap();
    let verified = provider.verify(&id_token, &flow.nonce, NOW, plenty()).await.unwrap();
    assert_eq!(verified.identity.subject.as_str(), "248289761001");
    assert_eq!(targets(&server), ["/jwks", "/token"]);
    let redirect_uri = (
        "redirect_uri".to_owned(),
        "http://accounts.localhost:8080/sso/magento/callback".to_owned(),
    );
    assert!(server.requests()[1].form().contains(&redirect_uri));
}

#[tokio::test]
async fn discovery_is_done_once_and_again_after_hours() {
    let (server, flow, random) = (ScriptedServer::start([]).await, flow(), SystemRandomness::default());
    let providers = providers(&server.url(""), &json!({}));
    let provider = providers.find("magento").unwrap();
    discovery_document(&server, &json!({ "prompt_values_supported": ["create"] }));
    let choice = UserChoice {
        intent: authorization_request::Intent::Create,
        ..UserChoice::default()
    };
    let four_hours = Duration::from_hours(4);
    for now in [NOW, NOW.plus(four_hours).minus(Duration::from_secs(1))] {
        let location = provider
            .authorization_request(&flow, &choice, now, plenty(), &random)
            .await
            .unwrap();
        assert!(location.contains("prompt=create"));
        assert_eq!(server.hits(), 1);
    }
    discovery_document(&server, &json!({}));
    let later = NOW.plus(four_hours);
    let location = provider
        .authorization_request(&flow, &choice, later, plenty(), &random)
        .await
        .unwrap();
    assert!(!location.contains("prompt"));
    assert_eq!(targets(&server), ["/.well-known/openid-configuration"; 2]);

    // Down: the old document serves, and the provider is asked again at most every 30 s.
    for second in [0, 29] {
        let now = later.plus(four_hours).plus(Duration::from_secs(second));
        provider
            .authorization_request(&flow, &choice, now, plenty(), &random)
            .await
            .unwrap();
    }
    assert_eq!(server.hits(), 3);
    let now = later.plus(Duration::from_hours(24));
    let error = provider
        .authorization_request(&flow, &choice, now, plenty(), &random)
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProviderUnavailable);
}

#[tokio::test]
async fn whether_iss_must_come_is_what_discovery_or_the_configuration_says() {
    let (server, flow) = (ScriptedServer::start([]).await, flow());
    for (supported, refused) in [(true, true), (false, false)] {
        let providers = providers(&server.url(""), &json!({}));
        discovery_document(
            &server,
            &json!({ "authorization_response_iss_parameter_supported": supported }),
        );
        let outcome = providers
            .find("magento")
            .unwrap()
            .accept(response(&flow, "code=c"), NOW, plenty())
            .await;
        assert_eq!(matches!(outcome, Err(ResponseRefused::IssuerMissing)), refused);
    }
    for (required, refused) in [(true, true), (false, false)] {
        let mut change = fixed_endpoints(&server);
        change["requires_iss"] = required.into();
        let providers = providers(&server.url(""), &change);
        let outcome = providers
            .find("magento")
            .unwrap()
            .accept(response(&flow, "code=c"), NOW, plenty())
            .await;
        assert_eq!(matches!(outcome, Err(ResponseRefused::IssuerMissing)), refused);
    }
}

#[tokio::test]
async fn where_requests_can_be_pushed_they_are() {
    let (server, flow) = (ScriptedServer::start([]).await, flow());
    let mut change = fixed_endpoints(&server);
    change["pushed_authorization_request_endpoint"] = server.url("/par").into();
    let providers = providers(&server.url(""), &change);
    server.then(Answer::json(201, r#"{"request_uri":"urn:r:1","expires_in":60}"#));
    let location = providers
        .find("magento")
        .unwrap()
        .authorization_request(
            &flow,
            &UserChoice::default(),
            NOW,
            plenty(),
            &SystemRandomness::default(),
        )
        .await
        .unwrap();
    assert_eq!(
        location,
        server.url("/authorize?client_id=accounts&request_uri=urn%3Ar%3A1")
    );
    let request = &server.requests()[0];
    assert_eq!(request.header("authorization").unwrap(), "Basic YWNjb3VudHM6aHVzaA==");
    assert!(request.form().contains(&("nonce".to_owned(), flow.nonce.reveal())));
}

#[tokio::test]
async fn a_code_is_not_sent_when_the_commit_would_have_too_little_time() {
    let (server, flow) = (ScriptedServer::start([]).await, flow());
    let providers = providers(&server.url(""), &fixed_endpoints(&server));
    let provider = providers.find("magento").unwrap();
    let response = response(&flow, &format!("code=c&iss={}", server.url("")));
    let code = provider.accept(response, NOW, plenty()).await.unwrap();
    let deadline = Deadline::within(COMMIT_BUDGET);
    let outcome = provider
        .redeem(code, &flow.code_verifier, NOW, deadline, &SystemRandomness::default())
        .await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, TokenExchangeError::TooLate), "{error:?}");
    assert_eq!((error.code(), server.hits()), (ErrorCode::TemporarilyUnavailable, 0));
}

#[tokio::test]
async fn a_redemption_leaves_the_commit_its_time() {
    let (server, flow) = (ScriptedServer::start([Answer::Silence]).await, flow());
    let providers = providers(&server.url(""), &fixed_endpoints(&server));
    let (provider, random) = (providers.find("magento").unwrap(), SystemRandomness::default());
    let response = response(&flow, &format!("code=c&iss={}", server.url("")));
    let code = provider.accept(response, NOW, plenty()).await.unwrap();
    let deadline = Deadline::within(COMMIT_BUDGET + Duration::from_secs(1));
    let redemption = provider.redeem(code, &flow.code_verifier, NOW, deadline, &random);
    let outcome = server.without_waiting(redemption).await;
    assert!(
        matches!(outcome, Err(TokenExchangeError::Unreachable(_))),
        "{outcome:?}"
    );
    assert!(deadline.left() > COMMIT_BUDGET.mul_f32(0.9), "{:?}", deadline.left());
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn looking_for_the_key_leaves_the_commit_its_time() {
    let (server, flow, random) = (ScriptedServer::start([]).await, flow(), SystemRandomness::default());
    let providers = providers(&server.url(""), &fixed_endpoints(&server));
    let provider = providers.find("magento").unwrap();
    server.then(tokens(&p256(), &server.url(""), &flow));
    server.then(Answer::Silence);
    let response = response(&flow, &format!("code=c&iss={}", server.url("")));
    let code = provider.accept(response, NOW, plenty()).await.unwrap();
    let redemption = provider.redeem(code, &flow.code_verifier, NOW, plenty(), &random);
    let id_token = redemption.await.unwrap();

    let deadline = Deadline::within(COMMIT_BUDGET + Duration::from_secs(1));
    let verification = provider.verify(&id_token, &flow.nonce, NOW, deadline);
    let error = server.without_waiting(verification).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProviderUnavailable, "{error:?}");
    assert!(deadline.left() > COMMIT_BUDGET.mul_f32(0.9), "{:?}", deadline.left());
}

/// Whether a call that began with all the time there is was given up after the 3 s that are the default.
fn took_three_seconds(deadline: Deadline) -> bool {
    let left = REQUEST_BUDGET.saturating_sub(Duration::from_secs(3));
    (left.mul_f32(0.9)..=left).contains(&deadline.left())
}

#[tokio::test]
async fn discovery_takes_no_longer_than_provider_timeout_ms() {
    let (server, flow, random) = (
        ScriptedServer::start([Answer::Silence]).await,
        flow(),
        SystemRandomness::default(),
    );
    let providers = providers(&server.url(""), &json!({}));
    let (provider, choice, deadline) = (providers.find("magento").unwrap(), UserChoice::default(), plenty());
    let request = provider.authorization_request(&flow, &choice, NOW, deadline, &random);
    let error = server.without_waiting(request).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProviderUnavailable);
    assert!(took_three_seconds(deadline) && server.hits() == 1);
}

#[tokio::test]
async fn a_redemption_takes_no_longer_than_provider_timeout_ms() {
    let (server, flow, random) = (
        ScriptedServer::start([Answer::Silence]).await,
        flow(),
        SystemRandomness::default(),
    );
    let providers = providers(&server.url(""), &fixed_endpoints(&server));
    let provider = providers.find("magento").unwrap();
    let response = response(&flow, &format!("code=c&iss={}", server.url("")));
    let code = provider.accept(response, NOW, plenty()).await.unwrap();
    let deadline = plenty();
    let redemption = provider.redeem(code, &flow.code_verifier, NOW, deadline, &random);
    let error = server.without_waiting(redemption).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProviderUnavailable);
    assert!(took_three_seconds(deadline) && server.hits() == 1);
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once() {
    let (server, flow, random) = (ScriptedServer::start([]).await, flow(), SystemRandomness::default());
    let issuer = server.url("");
    let providers = providers(&issuer, &fixed_endpoints(&server));
    let provider = providers.find("magento").unwrap();
    let (old, new) = (
        SigningKey::generate_p256("old").unwrap(),
        SigningKey::generate_p256("new").unwrap(),
    );
    for answer in [jwks(&[&old]), tokens(&new, &issuer, &flow), jwks(&[&old, &new])] {
        server.then(answer);
    }
    providers.warm_up_responses(NOW).await;
    let code = provider
        .accept(response(&flow, &format!("code=c&iss={issuer}")), NOW, plenty())
        .await
        .unwrap();
    let id_token = provider
        .redeem(code, &flow.code_verifier, NOW, plenty(), &random)
        .await
        .unwrap();
    provider.verify(&id_token, &flow.nonce, NOW, plenty()).await.unwrap();
    assert_eq!(targets(&server), ["/jwks", "/token", "/jwks"]);
}

#[tokio::test]
async fn keys_follow_a_jwks_uri_that_moves() {
    let server = ScriptedServer::start([]).await;
    let providers = providers(&server.url(""), &json!({}));
    let url = |path| Url::parse(&server.url(path)).unwrap();
    let first = providers.0[0].keys_at(&url("/jwks"));
    assert!(Arc::ptr_eq(&first, &providers.0[0].keys_at(&url("/jwks"))));
    assert!(!Arc::ptr_eq(&first, &providers.0[0].keys_at(&url("/jwks-2"))));
}

#[tokio::test]
async fn what_a_warm_up_does_not_get_the_request_gets() {
    let (server, flow, random) = (
        ScriptedServer::start([Answer::Hangup]).await,
        flow(),
        SystemRandomness::default(),
    );
    let providers = providers(&server.url(""), &json!({}));
    providers.warm_up_requests(NOW).await;
    discovery_document(&server, &json!({}));
    let provider = providers.find("magento").unwrap();
    provider
        .authorization_request(&flow, &UserChoice::default(), NOW, plenty(), &random)
        .await
        .unwrap();
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn a_client_secret_is_fetched_ahead_only_where_it_will_be_needed() {
    let (server, aws) = (ScriptedServer::start([]).await, ScriptedServer::start([]).await);
    let mut element = fixed_endpoints(&server);
    element["client_secret"] = Value::Null;
    element["client_secret_arn"] = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:client-AbCdEf".into();
    let providers_with = |element: &Value| {
        let mut variables = variables(&server.url(""), element);
        for (name, value) in [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("AWS_ENDPOINT_URL", &aws.url("")),
        ] {
            variables.push((name.to_owned(), value.to_owned()));
        }
        read(variables).unwrap()
    };

    providers_with(&element).warm_up_requests(NOW).await;
    assert_eq!(
        (server.hits(), aws.hits()),
        (0, 0),
        "without pushed requests the browser carries everything"
    );

    element["pushed_authorization_request_endpoint"] = server.url("/par").into();
    providers_with(&element).warm_up_requests(NOW).await;
    assert_eq!((server.hits(), aws.hits()), (0, 1));

    providers_with(&element).warm_up_responses(NOW).await;
    assert_eq!((targets(&server), aws.hits()), (vec!["/jwks".to_owned()], 2));
}

#[test]
fn a_provider_is_found_by_its_exact_id() {
    let providers = providers("http://magento.localhost:8080", &json!({}));
    assert_eq!(providers.find("magento").unwrap().id().as_str(), "magento");
    for id in ["", "Magento", "magento ", "adobe"] {
        assert!(providers.find(id).is_none(), "{id:?}");
    }
}

#[test]
fn a_secret_at_aws_needs_awss_own_variables() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:client-AbCdEf";
    let change = json!({ "client_secret": null, "client_secret_arn": arn });
    let ConfigError(mistakes) = read(variables("http://magento.localhost:8080", &change)).unwrap_err();
    assert_eq!(
        mistakes,
        [
            "AWS_REGION is missing",
            "AWS_ACCESS_KEY_ID is missing",
            "AWS_SECRET_ACCESS_KEY is missing"
        ]
    );
}

#[test]
fn what_a_handler_awaits_may_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let (providers, flow, random) = (
        providers("http://magento.localhost:8080", &json!({})),
        flow(),
        SystemRandomness::default(),
    );
    let (provider, choice) = (providers.find("magento").unwrap(), UserChoice::default());
    is_send(provider.authorization_request(&flow, &choice, NOW, plenty(), &random));
    let code = response(&flow, "code=c").accept(&provider.issuer, false).unwrap();
    is_send(provider.redeem(code, &flow.code_verifier, NOW, plenty(), &random));
    is_send(provider.accept(response(&flow, "code=c"), NOW, plenty()));
    is_send(providers.warm_up_responses(NOW));
}

/// The claim takes a whole attempt, the provider all that it may, and the commit a whole attempt.
#[cfg(feature = "table")]
#[test]
fn the_slowest_callback_that_links_fits_into_its_deadline() {
    let provider = read_provider_timeout(&mut Reader::new(&Environment::default())).unwrap();
    let attempt = crate::table::CallLimits::default().attempt_timeout;
    assert!(attempt <= COMMIT_BUDGET);
    assert!(attempt + provider + COMMIT_BUDGET < REQUEST_BUDGET);
}

#[tokio::test]
async fn every_provider_is_asked_at_once() {
    let everybody = tokio::sync::Barrier::new(3);
    let asked = (0..3).map(async |_| {
        everybody.wait().await;
    });
    at_once(asked).await;
}

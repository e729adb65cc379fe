use std::sync::Arc;

use serde_json::{Map, json};

use super::*;
use crate::{
    config::{ConfigError, Environment},
    jose::{
        KeySet, RemoteKeySet, SigningKey,
        test_keys::{ed25519, p256, published, rsa, rsa_pss, set_text},
    },
    outbound::{
        HttpClient, Locality,
        scripted_server::{Answer, ScriptedServer},
    },
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_000_000);
const ISSUER: &str = "https://accounts.magento.example";
const AUDIENCE: &str = "account-linking";

fn verifier(sources: Vec<KeySource>) -> SessionVerifier {
    SessionVerifier::new(sources, ISSUER, AUDIENCE)
}

fn fixed(keys: KeySet) -> KeySource {
    KeySource::Fixed(Arc::new(keys))
}

/// What an honest site says: the twin of every row below.
fn claims() -> Map<String, Value> {
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "account-1",
        "sid": "session-1",
        "email": "maria@example.com",
        "auth_time": NOW.unix_seconds() - 60,
        "exp": NOW.unix_seconds() + 1800,
    });
    claims.as_object().unwrap().clone()
}

/// The honest claims with one changed, or without it where the change is `None`.
fn with(name: &str, value: impl Into<Option<Value>>) -> Map<String, Value> {
    let mut claims = claims();
    claims.remove(name);
    if let Some(value) = value.into() {
        claims.insert(name.to_owned(), value);
    }
    claims
}

fn signed(key: &SigningKey, claims: Map<String, Value>) -> String {
    key.sign_jwt(&claims.into()).unwrap()
}

async fn authenticate(
    verifier: &SessionVerifier,
    cookie: Option<&str>,
    authorization: Option<&str>,
) -> Result<Session, SessionError> {
    verifier
        .authenticate(cookie, authorization, NOW, Deadline::within(Duration::from_secs(5)))
        .await
}

/// What becomes of a cookie with these claims.
async fn verify(claims: Map<String, Value>) -> Result<Session, SessionError> {
    let key = ed25519();
    authenticate(
        &verifier(vec![fixed(published(&[&key]))]),
        Some(&signed(&key, claims)),
        None,
    )
    .await
}

async fn assert_refused(name: &str, values: Vec<Option<Value>>, expected: SessionError) {
    for value in values {
        let error = verify(with(name, value.clone())).await.unwrap_err();
        assert_eq!(error.to_string(), expected.to_string(), "{name} {value:?}");
    }
}

fn at(seconds_from_now: i64) -> Value {
    json!(NOW.unix_seconds() + seconds_from_now)
}

#[tokio::test]
async fn an_honest_token_becomes_a_session() {
    for key in [rsa(), p256(), ed25519()] {
        let verifier = verifier(vec![fixed(published(&[&key]))]);
        let session = authenticate(&verifier, Some(&signed(&key, claims())), None)
            .await
            .unwrap();
        let expected = Session {
            account: AccountId::parse("account-1").unwrap(),
            id: SessionId::parse("session-1").unwrap(),
            email: EmailAddress::parse("maria@example.com"),
            auth_time: NOW.minus(Duration::from_mins(1)),
            expires_at: NOW.plus(Duration::from_mins(30)),
        };
        assert_eq!(session, expected);
        assert_eq!(session.binding(), SessionBinding::of(&expected.account, &expected.id));
    }
}

#[tokio::test]
async fn a_session_is_signed_by_accounts_magento_cloud() {
    let key = p256();
    let verifier = verifier(vec![fixed(published(&[&key, &rsa_pss()]))]);
    let forged = authenticate(&verifier, Some(&signed(&p256(), claims())), None).await;
    assert!(matches!(forged, Err(SessionError::Token(JwsError::Signature))));
    let by_another_algorithm = authenticate(&verifier, Some(&signed(&rsa_pss(), claims())), None).await;
    assert!(matches!(
        by_another_algorithm,
        Err(SessionError::Token(JwsError::AlgorithmNotAllowed))
    ));
    let by_another_key = authenticate(&verifier, Some(&signed(&ed25519(), claims())), None).await;
    assert!(matches!(by_another_key, Err(SessionError::Token(JwsError::UnknownKey))));
    assert!(matches!(
        authenticate(&verifier, Some(""), None).await,
        Err(SessionError::Token(JwsError::NotCompact))
    ));
}

#[tokio::test]
async fn the_issuer_is_exact() {
    let hostile = [
        json!("https://accounts.magento.example/"),
        json!([ISSUER]),
        json!(""),
        json!(null),
    ];
    assert_refused(
        "iss",
        [None].into_iter().chain(hostile.map(Some)).collect(),
        SessionError::Claim("iss"),
    )
    .await;
}

#[tokio::test]
async fn the_audience_contains_this_service() {
    for audience in [json!([AUDIENCE]), json!(["settings-page", AUDIENCE])] {
        assert!(verify(with("aud", audience)).await.is_ok());
    }
    let hostile = [
        json!("other"),
        json!(["other"]),
        json!([]),
        json!("account-linking2"),
        json!([AUDIENCE, 1]),
        json!(1),
    ];
    assert_refused(
        "aud",
        [None].into_iter().chain(hostile.map(Some)).collect(),
        SessionError::Claim("aud"),
    )
    .await;
}

#[tokio::test]
async fn a_session_ends_and_begins_with_thirty_seconds_of_leeway() {
    assert!(verify(with("exp", at(-29))).await.is_ok());
    assert_refused(
        "exp",
        vec![Some(at(-30)), Some(at(-3600)), Some(json!(0))],
        SessionError::Expired,
    )
    .await;
    let no_dates = [json!("9999999999"), json!(1e300), json!(null), json!(1_585_001_800.5)];
    let no_dates = || no_dates.clone().map(Some).into_iter();
    assert_refused("exp", no_dates().chain([None]).collect(), SessionError::Claim("exp")).await;

    for not_before in [None, Some(at(-1)), Some(at(30))] {
        assert!(verify(with("nbf", not_before.clone())).await.is_ok(), "{not_before:?}");
    }
    assert_refused("nbf", vec![Some(at(31)), Some(at(3600))], SessionError::NotYetValid).await;
    assert_refused("nbf", no_dates().collect(), SessionError::Claim("nbf")).await;

    assert_refused(
        "auth_time",
        no_dates().chain([None]).collect(),
        SessionError::Claim("auth_time"),
    )
    .await;
}

#[tokio::test]
async fn account_and_session_are_named_in_printable_ascii() {
    let longest = "a".repeat(128);
    let hostile = [
        json!(""),
        json!("a b"),
        json!("a\n"),
        json!("é"),
        json!(format!("{longest}a")),
        json!(1),
        json!(null),
    ];
    for (name, error) in [("sub", SessionError::Claim("sub")), ("sid", SessionError::Claim("sid"))] {
        assert!(verify(with(name, json!(longest))).await.is_ok());
        assert_refused(
            name,
            [None].into_iter().chain(hostile.clone().map(Some)).collect(),
            error,
        )
        .await;
    }
}

#[tokio::test]
async fn an_email_address_is_optional() {
    for value in [None, Some(json!("maria")), Some(json!(1)), Some(json!(null))] {
        assert_eq!(
            verify(with("email", value.clone())).await.unwrap().email,
            None,
            "{value:?}"
        );
    }
}

#[tokio::test]
async fn a_session_comes_in_the_cookie_or_as_a_bearer_token() {
    let key = p256();
    let verifier = verifier(vec![fixed(published(&[&key]))]);
    let token = signed(&key, claims());
    for scheme in ["Bearer ", "bearer ", "BEARER  "] {
        assert!(
            authenticate(&verifier, None, Some(&format!("{scheme}{token}")))
                .await
                .is_ok(),
            "{scheme}"
        );
    }
    // Another scheme is nobody's session, and in nobody's way.
    for authorization in [None, Some("Basic dTpw"), Some("Bearer"), Some("")] {
        assert!(matches!(
            authenticate(&verifier, None, authorization).await,
            Err(SessionError::Missing)
        ));
        assert!(
            authenticate(&verifier, Some(&token), authorization).await.is_ok(),
            "{authorization:?}"
        );
    }
    for authorization in ["Bearer ", "Bearer x", &format!("Bearer {token} x")] {
        let outcome = authenticate(&verifier, None, Some(authorization)).await;
        assert!(matches!(outcome, Err(SessionError::Token(_))), "{authorization}");
    }
}

#[tokio::test]
async fn cookie_and_bearer_token_are_of_the_same_account_and_session() {
    let key = p256();
    let verifier = verifier(vec![fixed(published(&[&key]))]);
    let cookie = signed(&key, claims());
    let bearer = |claims| format!("Bearer {}", signed(&key, claims));

    let renewed = bearer(with("exp", at(3600)));
    let session = authenticate(&verifier, Some(&cookie), Some(&renewed)).await.unwrap();
    assert_eq!(session.expires_at, NOW.plus(Duration::from_mins(30)), "the cookie's");

    for other in [with("sub", json!("account-2")), with("sid", json!("session-2"))] {
        let outcome = authenticate(&verifier, Some(&cookie), Some(&bearer(other))).await;
        assert!(matches!(outcome, Err(SessionError::Contradiction)));
    }
    // One that is not valid names nobody, whichever of the two it is.
    let expired = with("exp", at(-60));
    let outcome = authenticate(&verifier, Some(&cookie), Some(&bearer(expired.clone()))).await;
    assert!(matches!(outcome, Err(SessionError::Expired)));
    let outcome = authenticate(&verifier, Some(&signed(&key, expired)), Some(&bearer(claims()))).await;
    assert!(matches!(outcome, Err(SessionError::Expired)));
}

#[tokio::test]
async fn a_key_that_is_not_configured_is_looked_for_where_keys_are_published_and_there_once_more() {
    let (configured, removed, rotated_in) = (p256(), rsa(), ed25519());
    let publishing = |key: &SigningKey| Answer::json(200, &set_text([key.public_jwk()]));
    let server = ScriptedServer::start([publishing(&removed), publishing(&rotated_in)]).await;
    let jwks_uri = server.url("/jwks").parse().unwrap();
    let remote = RemoteKeySet::new(HttpClient::new(Locality::Local), jwks_uri, Duration::from_secs(3));
    let verifier = verifier(vec![
        fixed(published(&[&configured])),
        KeySource::Remote(Box::new(remote)),
    ]);

    assert!(
        authenticate(&verifier, Some(&signed(&configured, claims())), None)
            .await
            .is_ok()
    );
    assert_eq!(server.hits(), 0);
    verifier.prepare(NOW, Deadline::within(Duration::from_secs(5))).await;
    assert_eq!(server.hits(), 1);
    assert!(
        authenticate(&verifier, Some(&signed(&rotated_in, claims())), None)
            .await
            .is_ok()
    );
    assert_eq!(server.hits(), 2);
    let outcome = authenticate(&verifier, Some(&signed(&removed, claims())), None).await;
    assert!(matches!(outcome, Err(SessionError::Token(JwsError::UnknownKey))));
    assert_eq!(server.hits(), 2, "within 30 s nobody asks again");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_not_the_users_fault() {
    let server = ScriptedServer::start([Answer::json(500, "{}")]).await;
    let jwks_uri = server.url("/jwks").parse().unwrap();
    let remote = RemoteKeySet::new(HttpClient::new(Locality::Local), jwks_uri, Duration::from_secs(3));
    let verifier = verifier(vec![KeySource::Remote(Box::new(remote))]);
    let error = authenticate(&verifier, Some(&signed(&p256(), claims())), None)
        .await
        .unwrap_err();
    assert!(matches!(error, SessionError::KeysUnavailable(_)));
    assert_eq!(error.code(), ErrorCode::TemporarilyUnavailable);
}

#[test]
fn a_sign_in_is_recent_for_as_long_as_configured_and_not_before_it_happened() {
    let hour = Duration::from_hours(1);
    let recent = |auth_time| session(auth_time, NOW).is_recent(NOW, hour);
    assert!(recent(NOW.minus(hour)));
    assert!(!recent(NOW.minus(hour).minus(Duration::from_millis(1))));
    assert!(recent(NOW.plus(LEEWAY)));
    assert!(!recent(NOW.plus(LEEWAY).plus(Duration::from_millis(1))));
}

#[test]
fn a_session_with_less_than_eleven_minutes_left_does_not_outlive_a_flow() {
    let outlives = |left| session(NOW, NOW.plus(Duration::from_secs(left))).outlives_flow(NOW);
    assert!(outlives(660));
    assert!(!outlives(659));
}

fn session(auth_time: Timestamp, expires_at: Timestamp) -> Session {
    Session {
        account: AccountId::parse("account-1").unwrap(),
        id: SessionId::parse("session-1").unwrap(),
        email: None,
        auth_time,
        expires_at,
    }
}

/// What is configured, or the names of the variables that are wrong.
fn read(variables: &[(&str, &str)]) -> Result<Sessions, Vec<String>> {
    let mut environment: Environment = [
        ("PUBLIC_ORIGIN", "http://accounts.localhost"),
        ("SESSION_ISSUER", ISSUER),
        ("SESSION_AUDIENCE", AUDIENCE),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into_iter()
    .collect();
    for (name, value) in variables {
        environment.set(name, *value);
    }
    let mut reader = Reader::new(&environment);
    let sessions = Sessions::read(&mut reader);
    reader.finish(sessions).map_err(|ConfigError(mistakes)| {
        let name = |mistake: &String| mistake.split_once(' ').unwrap().0.to_owned();
        mistakes.iter().map(name).collect()
    })
}

#[test]
fn a_session_cookie_has_a_name_that_is_a_cookies_and_none_of_ours() {
    let keys = set_text([p256().public_jwk()]);
    let named = |name| read(&[("SESSION_JWKS", &keys), ("SESSION_COOKIE", name)]).map(|it| it.cookie_name().to_owned());
    assert_eq!(named(""), Ok("__Host-accounts-session".to_owned()), "the default");
    for name in ["session", "__Host-session.1", "a!#$%&'*+-.^_`|~Z9"] {
        assert_eq!(named(name), Ok(name.to_owned()));
    }
    for name in [
        "a b",
        "a=b",
        "a;b",
        "a,b",
        "\"a\"",
        "é",
        "__Host-sso-pending",
        "__Host-sso-flow-abcdefgh",
    ] {
        assert_eq!(named(name), Err(vec!["SESSION_COOKIE".to_owned()]), "{name}");
    }
}

#[test]
fn sessions_need_an_issuer_an_audience_and_keys_from_one_place_at_least() {
    let keys = set_text([p256().public_jwk()]);
    let (given, published) = (
        ("SESSION_JWKS", &*keys),
        ("SESSION_JWKS_URL", "http://keys.localhost/jwks"),
    );
    for (variables, sources) in [(&[given][..], 1), (&[published], 1), (&[published, given], 2)] {
        assert_eq!(
            read(variables).unwrap().verifier.sources.len(),
            sources,
            "{variables:?}"
        );
    }
    // What is in the configuration is asked first: it costs nobody a call.
    let both = read(&[published, given]).unwrap();
    assert!(matches!(
        both.verifier.sources[..],
        [KeySource::Fixed(_), KeySource::Remote(_)]
    ));

    let deployed = [
        ("PUBLIC_ORIGIN", "https://accounts.example"),
        ("SETTINGS_URL", "https://accounts.example/user"),
        ("SIGN_IN_URL", "https://accounts.example/sign-in"),
    ];
    for (variables, wrong) in [
        (&[][..], "SESSION_JWKS"),
        (&[("SESSION_JWKS", "{}")], "SESSION_JWKS"),
        (
            &[given, ("SESSION_JWKS_URL", "http://keys.example/jwks")],
            "SESSION_JWKS_URL",
        ),
        (&[&deployed[..], &[published]].concat(), "SESSION_JWKS_URL"),
        (&[given, ("SESSION_ISSUER", "")], "SESSION_ISSUER"),
        (&[given, ("SESSION_AUDIENCE", "")], "SESSION_AUDIENCE"),
    ] {
        assert_eq!(read(variables).unwrap_err(), [wrong], "{variables:?}");
    }
}

#[tokio::test]
async fn keys_are_fetched_before_anybody_asks() {
    let server = ScriptedServer::start([Answer::json(200, &set_text([p256().public_jwk()]))]).await;
    let sessions = read(&[("SESSION_JWKS_URL", &server.url("/jwks"))]).unwrap();
    assert_eq!(server.hits(), 0);
    sessions.warm_up(NOW).await;
    assert_eq!(server.hits(), 1);
}

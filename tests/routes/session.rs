//! The session proof (contract section 3), as status sees it; start-link, callback and confirm read the same one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::browser::Answer;
use http::Method;
use serde_json::{Value, json};

use crate::world::{World, assert_refused};

async fn status(page: &Answer) -> Answer {
    page.fetching(Method::GET, "/sso/magento/status", "application/json")
        .send()
        .await
}

/// What a change of one claim makes of Alice's good session.
async fn with_claim(world: &World, name: &str, value: Value) -> Answer {
    let mut claims = world.claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    status(&world.page_with(&world.sessions.sign(&claims)).await).await
}

#[tokio::test]
async fn a_good_session_is_accepted() {
    let world = World::start().await;
    let now = world.claims()["iat"].as_i64().unwrap();
    for (name, value) in [
        ("unheard-of", json!("claim")),
        ("aud", json!(["somebody else", "account-linking"])),
        ("exp", json!(now - 25)), // 30 s of leeway
        ("nbf", json!(now + 25)),
        ("email", Value::Null),
        ("sub", json!("a".repeat(128))),
    ] {
        let answer = with_claim(&world, name, value.clone()).await;
        assert_eq!(answer.status, 200, "{name}={value}: {answer:?}");
    }
}

#[tokio::test]
async fn a_session_with_one_wrong_claim_is_refused() {
    let world = World::start().await;
    let now = world.claims()["iat"].as_i64().unwrap();
    for (name, value) in [
        ("iss", json!("https://sessions.example/")),
        ("iss", json!(["https://sessions.example"])),
        ("iss", Value::Null),
        ("aud", json!("account-linking-too")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("exp", json!(now - 35)),
        ("exp", json!((now + 3600).to_string())),
        ("exp", json!(1e300)),
        ("exp", Value::Null),
        ("nbf", json!(now + 35)),
        ("nbf", json!("soon")),
        ("sub", json!("")),
        ("sub", json!("a".repeat(129))),
        ("sub", json!("a b")),
        ("sub", json!("a\u{0}")),
        ("sub", json!(7)),
        ("sub", Value::Null),
        ("sid", json!("")),
        ("sid", json!("s".repeat(129))),
        ("sid", Value::Null),
    ] {
        let answer = with_claim(&world, name, value.clone()).await;
        assert_eq!(answer.status, 401, "{name}={value}: {answer:?}");
        assert_refused(&answer, "401 session_required");
    }
}

#[tokio::test]
async fn only_a_signature_by_the_right_key_counts() {
    let world = World::start().await;
    let claims = world.claims().to_string();
    let good = world.sessions.sign(&world.claims());
    let mallory = harness::sessions::SessionIssuer::new();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let body = part(&claims);
    let [header, payload, _] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for (what, token) in [
        ("another key of the same name", mallory.sign(&world.claims())),
        ("no signature", format!("{}.{body}.", part(r#"{"alg":"none"}"#))),
        (
            "no signature, in other letters",
            format!("{}.{body}.", part(r#"{"alg":"nOnE"}"#)),
        ),
        ("its signature cut off", format!("{header}.{payload}.")),
        (
            "HS256",
            world
                .sessions
                .sign_compact(r#"{"alg":"HS256","kid":"sessions"}"#, &claims),
        ),
        (
            "RS256 with a key for ES256",
            world
                .sessions
                .sign_compact(r#"{"alg":"RS256","kid":"sessions"}"#, &claims),
        ),
        (
            "a key that it brings along",
            world
                .sessions
                .sign_compact(r#"{"alg":"ES256","kid":"x","jwk":{}}"#, &claims),
        ),
        (
            "a critical extension",
            world.sessions.sign_compact(
                r#"{"alg":"ES256","kid":"sessions","crit":["b64"],"b64":false}"#,
                &claims,
            ),
        ),
        (
            "claims that come twice",
            world.sessions.sign_compact(
                r#"{"alg":"ES256","kid":"sessions"}"#,
                &claims.replacen('{', r#"{"sub":"x","#, 1),
            ),
        ),
        ("four parts", format!("{good}.x")),
        ("no token at all", "x".to_owned()),
    ] {
        let answer = status(&world.page_with(&token).await).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert_refused(&answer, "401 session_required");
    }
}

#[tokio::test]
async fn a_bearer_token_serves_as_well_and_must_agree_with_the_cookie() {
    let world = World::start().await;
    let (nobody, alice) = (world.anonymous_page().await, world.page().await);
    let call = |page: &Answer, token: &str| {
        let call = page.fetching(Method::GET, "/sso/magento/status", "application/json");
        call.header("authorization", &format!("Bearer {token}")).send()
    };
    let good = world.sessions.sign(&world.claims());
    assert_eq!(call(&nobody, &good).await.status, 200);
    assert_eq!(call(&alice, &good).await.status, 200);
    assert_refused(&call(&nobody, "rubbish").await, "401 session_required");
    assert_refused(&call(&alice, "rubbish").await, "401 session_required");
    for (claim, value) in [("sub", "somebody-else"), ("sid", "another-session")] {
        let mut claims = world.claims();
        claims[claim] = value.into();
        let other = world.sessions.sign(&claims);
        assert_eq!(call(&nobody, &other).await.status, 200);
        assert_refused(&call(&alice, &other).await, "401 session_required");
    }
}

#[tokio::test]
async fn nobody_is_signed_in_without_a_session() {
    let world = World::start().await;
    assert_refused(&status(&world.anonymous_page().await).await, "401 session_required");
    world.nothing_is_written().await;
}

//! `GET /sso/{provider}/sign-in`.

use account_linking::ticket::Challenge;
use harness::browser::Answer;

use crate::world::{World, assert_refused_by_page, assert_sent_to};

fn challenge() -> String {
    Challenge::of("verifier").to_string()
}

/// A navigation to the route with this query, by somebody whom nobody knows.
async fn navigates(world: &World, query: &str) -> Answer {
    world
        .stack
        .browser()
        .types(&world.stack.at(&format!("/sso/magento/sign-in?{query}")))
        .await
}

#[tokio::test]
async fn a_sign_in_starts_without_a_session_and_asks_no_database() {
    let world = World::start().await;

    let answer = navigates(&world, &format!("challenge={}&ignored=1", challenge())).await;

    assert_eq!(answer.status, 303, "{answer:?}");
    let location = answer.location().unwrap();
    assert!(
        location.as_str().starts_with("http://magento.localhost:9/authorize?"),
        "{location}"
    );
    let mut sent: Vec<_> = location.query_pairs().map(|(name, _)| name.into_owned()).collect();
    sent.sort_unstable();
    assert_eq!(
        sent,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "nonce",
            "redirect_uri",
            "response_type",
            "scope",
            "state"
        ]
    );
    assert!(
        !location.as_str().contains(&challenge()),
        "the challenge stays here: {location}"
    );
    let [cookie] = answer.set_cookies()[..] else {
        panic!("{answer:?}")
    };
    let state = answer.location_parameter("state").unwrap();
    assert!(
        cookie.starts_with(&format!("__Host-sso-flow-{}=", &state[..8])),
        "{cookie}"
    );
    assert!(
        cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"),
        "{cookie}"
    );
    assert!(world.stack.database_proxy.operations().is_empty());
}

#[tokio::test]
async fn without_a_good_challenge_nothing_starts() {
    let world = World::start().await;
    let good = challenge();
    for query in [
        String::new(),
        "challenge=".to_owned(),
        format!("challenge={}", &good[1..]),
        format!("challenge={good}="),
        format!("challenge={good}&challenge={good}"),
        format!("challenge={}", "!".repeat(43)),
        format!("challenge={}", "A".repeat(44)),
        format!("Challenge={good}"),
    ] {
        let answer = navigates(&world, &query).await;
        assert_refused_by_page(&answer, 400);
        assert!(answer.set_cookies().is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_fetch_a_frame_and_a_prefetch_start_nothing() {
    let world = World::start().await;
    let url = world
        .stack
        .at(&format!("/sso/magento/sign-in?challenge={}", challenge()));
    for (name, value) in [
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-dest", "empty"),
        ("sec-purpose", "prefetch"),
    ] {
        let answer = world.stack.browser().typing(&url).header(name, value).send().await;
        assert_refused_by_page(&answer, 400);
        assert!(answer.set_cookies().is_empty(), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_provider_that_nobody_configured_is_unknown_by_a_page_of_ours() {
    let world = World::start().await;
    let url = world
        .stack
        .at(&format!("/sso/nobody/sign-in?challenge={}", challenge()));
    assert_refused_by_page(&world.stack.browser().types(&url).await, 404);
}

#[tokio::test]
async fn a_cookie_of_ours_that_comes_twice_is_refused() {
    let world = World::start().await;
    let url = world
        .stack
        .at(&format!("/sso/magento/sign-in?challenge={}", challenge()));
    let twice = "__Host-sso-flow-AAAAAAAA=a; __Host-sso-flow-AAAAAAAA=a";
    let answer = world.stack.browser().typing(&url).header("cookie", twice).send().await;
    assert_refused_by_page(&answer, 400);
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_leads_back_to_the_sign_in_page() {
    let provider = r#"[{"id": "magento", "name": "Magento.com", "issuer": "http://magento.localhost:9", "client_id": "c", "client_authentication": "none"}]"#;
    let world = World::start_with(&[("PROVIDERS", provider)]).await;
    let answer = navigates(&world, &format!("challenge={}", challenge())).await;
    assert_sent_to(
        &answer,
        &world.stack.at("/sign-in?sso=provider_unavailable&provider=magento"),
    );
    assert!(answer.set_cookies().is_empty());
}

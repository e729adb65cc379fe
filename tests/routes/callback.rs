//! `GET /sso/{provider}/callback`: what stops before the claim.

use harness::browser::Answer;

use crate::world::{World, assert_refused_by_page, assert_sent_to};

const ISS: &str = "iss=http%3A%2F%2Fmagento.localhost%3A9";

/// A world in which Alice has started a flow, and what a callback with `query` answers her. `STATE` in the query is her state.
async fn callback(query: &str) -> (World, Answer) {
    let world = World::start().await;
    let (alice, state) = world.starts_a_flow().await;
    let query = query.replace("STATE", &state);
    let answer = alice
        .types(&world.stack.at(&format!("/sso/magento/callback?{query}")))
        .await;
    (world, answer)
}

#[tokio::test]
async fn a_malformed_answer_is_refused_before_anything_is_used_up() {
    for query in [
        "",
        "code=c",
        &format!("code=c&{ISS}"),
        &format!("state=&code=c&{ISS}"),
        &format!("state=STATE&{ISS}"),
        &format!("state=STATE&state=STATE&code=c&{ISS}"),
        &format!("state=STATE&code=c&code=d&{ISS}"),
        &format!("state=STATE&code=c&{ISS}&{ISS}"),
        &format!("state=STATE&error=a&error=b&{ISS}"),
        &format!("state=STATE&code=c&error=access_denied&{ISS}"),
        &format!("state=STATE&code=c%00&{ISS}"),
        &format!("state=STATE&code=%FF&{ISS}"),
        &format!("state=STATE&code=&{ISS}"),
    ] {
        let (world, answer) = callback(query).await;
        assert_refused_by_page(&answer, 400);
        world.nothing_is_written().await;
        let cookies = answer.browser().cookies_for(&world.stack.at("/"));
        assert_eq!(
            cookies.len(),
            2,
            "{query}: the session, and the flow that is still good"
        );
    }
}

#[tokio::test]
async fn a_flow_that_is_not_there_is_unknown_whatever_the_reason() {
    for query in [
        &format!("state={}&code=c&{ISS}", "A".repeat(43)),
        &format!("state=STATEx&code=c&{ISS}"),
        &format!("state=x&code=c&{ISS}"),
        &format!("state=%F0%9F%92%A9%F0%9F%92%A9&code=c&{ISS}"),
    ] {
        let (world, answer) = callback(query).await;
        assert_refused_by_page(&answer, 400);
        assert!(!answer.text().contains(query.split('&').next().unwrap()), "{answer:?}");
        world.nothing_is_written().await;
    }
}

#[tokio::test]
async fn the_right_state_with_other_last_letters_is_not_the_right_state() {
    let world = World::start().await;
    let (alice, state) = world.starts_a_flow().await;
    // The cookie's name shows the first eight characters; the rest is the secret.
    let guess = format!("{}{}", &state[..8], "A".repeat(35));
    let answer = alice
        .types(
            &world
                .stack
                .at(&format!("/sso/magento/callback?state={guess}&code=c&{ISS}")),
        )
        .await;
    assert_refused_by_page(&answer, 400);
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_flow_at_one_provider_does_not_serve_another() {
    let world = World::start().await;
    let (alice, state) = world.starts_a_flow().await;
    let url = world.stack.at(&format!(
        "/sso/adobe/callback?state={state}&code=c&iss=http%3A%2F%2Fadobe.localhost%3A9"
    ));
    assert_refused_by_page(&alice.types(&url).await, 400);
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_cookie_that_was_tampered_with_is_no_flow() {
    let world = World::start().await;
    let (alice, state) = world.starts_a_flow().await;
    let cookies = alice.cookies_for(&world.stack.at("/"));
    let flow = cookies
        .iter()
        .find(|cookie| cookie.name.starts_with("__Host-sso-flow-"))
        .unwrap();
    let session = cookies.iter().find(|cookie| cookie.name.contains("session")).unwrap();
    let url = world
        .stack
        .at(&format!("/sso/magento/callback?state={state}&code=c&{ISS}"));
    let middle = flow.value.len() / 2;
    let flipped = if &flow.value[middle..=middle] == "A" { "B" } else { "A" };
    for value in [
        format!("{}{flipped}{}", &flow.value[..middle], &flow.value[middle + 1..]),
        flow.value[..flow.value.len() - 1].to_owned(),
        format!("{}A", flow.value),
        String::new(),
        "%00".to_owned(),
    ] {
        let cookie = format!("{}={}; {}={value}", session.name, session.value, flow.name);
        assert_refused_by_page(&alice.typing(&url).header("cookie", &cookie).send().await, 400);
    }
    // Nor does it serve under another name, though the value is genuine.
    let pending = format!("{}={}; __Host-sso-pending={}", session.name, session.value, flow.value);
    let answer = alice
        .typing(&world.stack.at("/sso/magento/confirm"))
        .header("cookie", &pending)
        .send()
        .await;
    assert_sent_to(
        &answer,
        &world.stack.at("/user?sso=nothing_to_confirm&provider=magento"),
    );
    world.nothing_is_written().await;
}

#[tokio::test]
async fn without_a_session_the_user_signs_in_and_nothing_is_used_up() {
    let world = World::start().await;
    let (alice, state) = world.starts_a_flow().await;
    alice.forgets("__Host-accounts-session");
    let answer = alice
        .types(
            &world
                .stack
                .at(&format!("/sso/magento/callback?state={state}&code=c&{ISS}")),
        )
        .await;
    assert_sent_to(&answer, &world.stack.at("/sign-in?return_to=settings"));
    world.nothing_is_written().await;
}

#[tokio::test]
async fn only_a_navigation_to_a_document_takes_a_flow_up() {
    let world = World::start().await;
    let (alice, state) = world.starts_a_flow().await;
    let url = world
        .stack
        .at(&format!("/sso/magento/callback?state={state}&code=c&{ISS}"));
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-dest", "iframe"),
        ("sec-fetch-dest", "image"),
    ] {
        assert_refused_by_page(&alice.typing(&url).header(name, value).send().await, 400);
    }
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_unavailable() {
    let (world, answer) = callback(&format!("state=STATE&code=c&{ISS}")).await;
    assert_eq!(answer.outcome().as_deref(), Some("provider_unavailable"), "{answer:?}");
    let contents = world.stack.contents().await;
    assert_eq!(
        (contents.claims, contents.links.len(), contents.events.len()),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_in_our_own_words() {
    for (error, outcome) in [
        ("access_denied", "cancelled"),
        ("login_required", "provider_refused"),
        ("server_error", "provider_refused"),
        ("temporarily_unavailable", "provider_refused"),
        ("made_up_and_hostile", "provider_refused"),
    ] {
        let query = format!(
            "state=STATE&error={error}&error_description=Call%20555&error_uri=https%3A%2F%2Fevil.example&{ISS}"
        );
        let (world, answer) = callback(&query).await;
        let mut location = world.stack.at(&format!("/user?sso={outcome}&provider=magento"));
        // Whoever is sent to support has something to name there.
        if outcome == "provider_refused" {
            let reference = answer.location_parameter("request_id").unwrap();
            location = format!("{location}&request_id={reference}");
        }
        assert_eq!(answer.header("location"), Some(&*location), "{error}: {answer:?}");
        assert_eq!(world.stack.contents().await.claims, 1);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_say_whose_it_is_is_refused() {
    for iss in [
        "",
        "&iss=",
        "&iss=http%3A%2F%2Fmagento.localhost%3A9%2F",
        "&iss=http%3A%2F%2Fadobe.localhost%3A9",
        "&iss=HTTP%3A%2F%2Fmagento.localhost%3A9",
    ] {
        for answer_kind in ["code=c", "error=access_denied"] {
            let (_, answer) = callback(&format!("state=STATE&{answer_kind}{iss}")).await;
            assert_eq!(
                answer.outcome().as_deref(),
                Some("identity_invalid"),
                "{answer_kind} {iss:?}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn where_a_flow_began_is_where_it_ends() {
    let world = World::start().await;
    let page = world.page().await;
    let started = page
        .posting("/sso/magento/start-link", &[("return_to", "onboarding")])
        .send()
        .await;
    let state = started.location_parameter("state").unwrap();
    let url = world.stack.at(&format!(
        "/sso/magento/callback?state={state}&error=access_denied&{ISS}"
    ));
    let answer = page.browser().types(&url).await;
    assert_eq!(
        answer.header("location"),
        Some(&*world.stack.at("/onboarding?sso=cancelled&provider=magento"))
    );
}

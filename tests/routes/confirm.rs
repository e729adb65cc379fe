//! `GET` and `POST /sso/{provider}/confirm`.

use harness::{
    engines::Engine,
    magento::{Magento, Person},
    stack::Setup,
};
use http::Method;

use crate::world::{World, as_script, assert_refused, assert_refused_by_page, assert_sent_to};

const CONFIRM: &str = "/sso/magento/confirm";

#[tokio::test]
async fn where_nothing_waits_there_is_nothing_to_confirm() {
    let world = World::start().await;
    let page = world.page().await;
    let shown = page.fetching(Method::GET, CONFIRM, "application/json").send().await;
    assert_refused(&shown, "404 nothing_to_confirm");
    let decided = page
        .posting(CONFIRM, &[("decision", "link"), ("confirmation", &"A".repeat(22))])
        .send()
        .await;
    assert_sent_to(
        &decided,
        &world.stack.at("/user?sso=nothing_to_confirm&provider=magento"),
    );
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_cookie_that_we_did_not_seal_is_nothing() {
    let world = World::start().await;
    let page = world.page().await;
    for value in ["", "AAAA", "%00", &"A".repeat(1000)] {
        page.browser().keeps(
            world.stack.origin(),
            &format!("__Host-sso-pending={value}; Path=/; Secure"),
        );
        let shown = page.fetching(Method::GET, CONFIRM, "application/json").send().await;
        assert_eq!(shown.status, 404, "{shown:?}");
    }
}

#[tokio::test]
async fn the_page_tells_what_went_wrong_before() {
    let stack = Setup::new(Engine::Embedded, Magento::Development).start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = |query: &str| {
        let url = stack.at(&format!("{CONFIRM}{query}"));
        asked.browser().following_a_link_from(asked.url().as_str(), &url).send()
    };

    let told = shown("?sso=temporarily_unavailable&request_id=JKJaXmPLvHcESHA%3D")
        .await
        .page();
    assert!(told.text.contains("Try again in a few seconds."), "{}", told.text);
    assert!(told.text.contains("JKJaXmPLvHcESHA="), "{}", told.text);
    assert_eq!(told.forms.len(), 1);
    let repeated = shown("?sso=cancelled&sso=cancelled").await;
    assert_eq!(repeated.status, 400, "{repeated:?}");
}

#[tokio::test]
async fn a_decision_is_one_of_two_words_in_a_form() {
    let stack = Setup::new(Engine::Embedded, Magento::Development).start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = asked
        .fetching(Method::GET, CONFIRM, "application/json")
        .send()
        .await
        .json();
    let confirmation = ("confirmation", shown["confirmation"].as_str().unwrap());
    for fields in [
        &[confirmation][..],
        &[confirmation, ("decision", "")],
        &[confirmation, ("decision", "Link")],
        &[confirmation, ("decision", "yes")],
        &[confirmation, ("decision", "link"), ("decision", "cancel")],
        &[confirmation, confirmation, ("decision", "link")],
    ] {
        assert_refused_by_page(&asked.posting(CONFIRM, fields).send().await, 400);
    }
    for content_type in ["application/json", "text/plain", ""] {
        let form = format!("decision=link&confirmation={}", confirmation.1);
        assert_refused_by_page(&asked.posting(CONFIRM, &[]).body(content_type, form).send().await, 400);
    }
    let long = format!("decision=link&confirmation={}&x={}", confirmation.1, "y".repeat(4096));
    let too_long = asked
        .posting(CONFIRM, &[])
        .body("application/x-www-form-urlencoded", long);
    assert_refused_by_page(&too_long.send().await, 400);
    assert_eq!(stack.contents().await.history(), Vec::<&str>::new());

    let good = asked
        .posting(CONFIRM, &[confirmation, ("decision", "link")])
        .send()
        .await;
    assert_eq!(
        good.outcome().as_deref(),
        Some("linked"),
        "nothing of that spoilt it: {good:?}"
    );
}

#[tokio::test]
async fn only_our_own_page_decides() {
    let world = World::start().await;
    let page = world.page().await;
    let decide = || page.posting(CONFIRM, &[("decision", "link")]);
    for request in [
        decide().without("sec-fetch-site").without("origin"),
        decide().header("sec-fetch-site", "same-site"),
        decide().header("sec-fetch-site", "cross-site"),
        decide().header("origin", "http://evil.localhost"),
        decide().without("sec-fetch-site").header("origin", "null"),
    ] {
        assert_refused_by_page(&request.send().await, 403);
    }
}

#[tokio::test]
async fn it_is_a_navigation_whatever_it_says_it_accepts() {
    let world = World::start().await;
    let nobody = world.anonymous_page().await;
    let decided = as_script(nobody.posting(CONFIRM, &[("decision", "link")])).send().await;
    assert_sent_to(&decided, &world.stack.at("/sign-in?return_to=settings"));
    let shown = nobody.fetching(Method::GET, CONFIRM, "application/json").send().await;
    assert_refused(&shown, "401 session_required");
    assert_eq!(world.stack.database_proxy.operations(), Vec::<String>::new());
}

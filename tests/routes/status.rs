//! `GET /sso/{provider}/status`.

use http::Method;
use serde_json::{Value, json};

use crate::world::{World, headers};

#[tokio::test]
async fn an_account_that_is_not_linked_is_told_what_it_can_do() {
    let world = World::start().await;
    let answer = world
        .page()
        .await
        .fetching(Method::GET, "/sso/magento/status", "application/json")
        .send()
        .await;
    assert_eq!(
        headers(&answer),
        [
            ("cache-control", "no-store"),
            ("content-type", "application/json"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ]
    );
    let mut status = answer.json();
    assert_eq!(status["actions"]["start_link"].take(), "/sso/magento/start-link");
    status.as_object_mut().unwrap().remove("actions");
    let expected = json!({
        "provider": {"id": "magento", "name": "Magento.com"},
        "account": {"email": "alice@example.com"},
        "status": "not_linked",
        "link": null,
        "requirement": {"required": true, "since": "2020-04-01T00:00:00Z", "exempt_until": null},
        "reauthenticate": null,
    });
    assert_eq!(status, expected);
    assert_eq!(world.stack.database_proxy.operations(), ["GetItem"]);
}

#[tokio::test]
async fn each_provider_has_a_status_of_its_own() {
    let world = World::start().await;
    let answer = world
        .page()
        .await
        .fetching(Method::GET, "/sso/adobe/status", "application/json")
        .send()
        .await;
    assert_eq!(answer.json()["provider"], json!({"id": "adobe", "name": "Adobe"}));
}

#[tokio::test]
async fn the_requirement_begins_when_it_is_configured_to_and_can_be_paused() {
    for (from, required, since) in [
        ("2020-04-01T00:00:00Z", true, json!("2020-04-01T00:00:00Z")),
        ("2120-04-01T00:00:00Z", false, json!("2120-04-01T00:00:00Z")),
        ("never", false, Value::Null),
    ] {
        let world = World::start_with(&[("LINKING_REQUIRED_FROM", from)]).await;
        let answer = world
            .page()
            .await
            .fetching(Method::GET, "/sso/magento/status", "application/json")
            .send()
            .await;
        let requirement = answer.json()["requirement"].clone();
        assert_eq!(
            requirement,
            json!({"required": required, "since": since, "exempt_until": null}),
            "{from}"
        );
    }
}

#[tokio::test]
async fn a_session_too_old_to_change_the_link_still_sees_it() {
    let world = World::start().await;
    let mut claims = world.claims();
    claims["auth_time"] = (claims["iat"].as_i64().unwrap() - 4000).into();
    let page = world.page_with(&world.sessions.sign(&claims)).await;
    let status = page
        .fetching(Method::GET, "/sso/magento/status", "application/json")
        .send()
        .await
        .json();
    assert_eq!(
        status["reauthenticate"],
        world.stack.at("/sign-in?reauthenticate=1&return_to=settings")
    );
}

//! `/sso/{provider}/accounts/{account_id}` and what is below it.

use account_linking::{
    clock::{Clock, Timestamp},
    identity::AccountId,
};
use harness::{
    browser::Answer,
    iam::{ACCESS_KEY_ID, calls, signed},
    magento::Person,
};
use http::Method;
use serde_json::{Value, json};

use crate::world::{World, assert_refused, headers};

fn alice(rest: &str) -> String {
    let account = AccountId::parse(Person::Alice.account_id()).unwrap();
    format!("/sso/magento/accounts/{}{rest}", account.to_path_segment())
}

/// An instant that many seconds from now, as callers write it.
fn in_seconds(world: &World, seconds: i64) -> String {
    let now = world.stack.clock().now().unix_seconds();
    Timestamp::from_unix_seconds(now + seconds).to_string()
}

async fn exempts(world: &World, body: &Value) -> Answer {
    calls(&world.stack, &Method::PUT, &alice("/exemption"), Some(body)).await
}

#[tokio::test]
async fn a_server_is_told_how_an_account_may_sign_in_by_one_read() {
    let world = World::start().await;
    let answer = calls(&world.stack, &Method::GET, &alice(""), None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
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
    assert_eq!(
        answer.json(),
        json!({
            "account_id": Person::Alice.account_id(),
            "status": "not_linked",
            "link": null,
            "requirement": {"required": true, "since": "2020-04-01T00:00:00Z", "exempt_until": null},
            "sign_in": {"provider": true, "other_methods": "link_only"},
        })
    );
    let calls = world.stack.database_proxy.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].operation, "GetItem");
    assert_eq!(calls[0].request["ConsistentRead"], true);
}

#[tokio::test]
async fn an_exemption_is_granted_told_and_ended() {
    let world = World::start().await;
    let until = in_seconds(&world, 3600);

    let answer = exempts(&world, &json!({"until": until, "reason": "their contract", "more": 1})).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0), "{answer:?}");
    assert_eq!(world.stack.database_proxy.operations(), ["TransactWriteItems"]);
    let told = calls(&world.stack, &Method::GET, &alice(""), None).await.json();
    assert_eq!(
        told["requirement"],
        json!({"required": false, "since": "2020-04-01T00:00:00Z", "exempt_until": until})
    );
    assert_eq!(told["sign_in"]["other_methods"], "allowed");
    let items = world.stack.database.items().await;
    let link = items.iter().find(|item| item["sk"]["S"] == "LINK#magento").unwrap();
    assert_eq!(link["exemption"]["M"]["by"]["S"], ACCESS_KEY_ID);

    for _ in 0..2 {
        let answer = calls(&world.stack, &Method::DELETE, &alice("/exemption"), None).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    let told = calls(&world.stack, &Method::GET, &alice(""), None).await.json();
    assert_eq!(told["sign_in"]["other_methods"], "link_only");
    assert_eq!(world.stack.contents().await.history(), ["exempted", "exemption_ended"]);
}

#[tokio::test]
async fn while_the_requirement_is_paused_every_method_is_allowed() {
    let world = World::start_with(&[("LINKING_REQUIRED_FROM", "never")]).await;
    let told = calls(&world.stack, &Method::GET, &alice(""), None).await.json();
    assert_eq!(
        told["requirement"],
        json!({"required": false, "since": null, "exempt_until": null})
    );
    assert_eq!(told["sign_in"], json!({"provider": true, "other_methods": "allowed"}));
}

#[tokio::test]
async fn an_exemption_that_says_too_little_or_too_much_is_refused() {
    let world = World::start().await;
    let until = in_seconds(&world, 3600);
    for body in [
        json!({"reason": "x"}),
        json!({"until": until}),
        json!({"until": in_seconds(&world, -1), "reason": "x"}),
        json!({"until": in_seconds(&world, 0), "reason": "x"}),
        json!({"until": "tomorrow", "reason": "x"}),
        json!({"until": 4_102_444_800_i64, "reason": "x"}),
        json!({"until": until, "reason": ""}),
        json!({"until": until, "reason": "é".repeat(501)}),
        json!({"until": until, "reason": null}),
        json!([until, "x"]),
        json!({"until": until, "reason": "x", "filler": "y".repeat(4096)}),
    ] {
        assert_refused(&exempts(&world, &body).await, "400 invalid_request");
    }
    world.nothing_is_written().await;
    let answer = exempts(&world, &json!({"until": until, "reason": "é".repeat(500)})).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[tokio::test]
async fn an_account_is_named_by_unpadded_base64url_of_its_id() {
    let world = World::start().await;
    // Padded; the standard alphabet; not an id; nothing decodable; longer than an id may be.
    for account in ["YWxpY2UtMQ==", "YW+x", "w6k", "%20", "Y", &"YQ".repeat(100)] {
        let path = format!("/sso/magento/accounts/{account}");
        assert_refused(
            &calls(&world.stack, &Method::GET, &path, None).await,
            "400 invalid_request",
        );
    }
    let path = alice("").replace("magento", "nobody");
    assert_refused(
        &calls(&world.stack, &Method::GET, &path, None).await,
        "404 unknown_provider",
    );
    world.nothing_is_written().await;
}

#[tokio::test]
async fn who_does_not_sign_or_signs_wrong_reaches_no_function() {
    let world = World::start().await;
    let good = || {
        signed(
            &world.stack,
            &Method::DELETE,
            &alice("/link"),
            None,
            harness::iam::SECRET_ACCESS_KEY,
        )
    };
    for call in [
        signed(&world.stack, &Method::DELETE, &alice("/link"), None, "a guess"),
        good().without("authorization"),
        good().without("x-amz-date"),
        good().method(Method::GET),
        good().body("application/json", "{}"),
    ] {
        let answer = call.send().await;
        let expected = if answer.text().contains("Not Found") { 404 } else { 403 };
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    // Nor does a session help.
    let page = world.page().await;
    let answer = page.fetching(Method::GET, &alice(""), "application/json").send().await;
    assert_eq!(
        (answer.status.as_u16(), answer.text()),
        (403, r#"{"message":"Forbidden"}"#)
    );
    world.nothing_is_written().await;
    assert_eq!(good().send().await.status, 204);
}

#[tokio::test]
async fn a_route_of_its_methods_alone() {
    let world = World::start().await;
    for (method, rest) in [
        (Method::POST, ""),
        (Method::DELETE, ""),
        (Method::POST, "/exemption"),
        (Method::GET, "/exemption"),
        (Method::GET, "/link"),
        (Method::PUT, "/link"),
        (Method::GET, "/more"),
        (Method::GET, "/"),
    ] {
        let answer = calls(&world.stack, &method, &alice(rest), None).await;
        assert_eq!(answer.text(), r#"{"message":"Not Found"}"#, "{method} {rest}");
    }
}

//! `POST /sso/{provider}/unlink`.

use harness::browser::Answer;

use crate::world::{World, as_script, assert_refused, assert_refused_by_page, assert_sent_to, headers};

const UNLINK: &str = "/sso/magento/unlink";

async fn old_page(world: &World) -> Answer {
    let mut claims = world.claims();
    claims["auth_time"] = (claims["iat"].as_i64().unwrap() - 3601).into();
    world.page_with(&world.sessions.sign(&claims)).await
}

#[tokio::test]
async fn a_form_is_led_back_and_a_script_hears_nothing_more() {
    let world = World::start().await;
    let page = world.page().await;

    let answer = page.posting(UNLINK, &[]).send().await;
    assert_sent_to(&answer, &world.stack.at("/user?sso=unlinked&provider=magento"));
    assert_eq!(world.stack.database_proxy.operations(), ["GetItem", "UpdateItem"]);

    world.stack.clock().move_by_ms(1);
    let answer = as_script(page.posting(UNLINK, &[])).send().await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0), "{answer:?}");
    assert_eq!(
        headers(&answer),
        [
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ]
    );
}

#[tokio::test]
async fn a_sign_in_too_old_to_change_the_link_is_renewed_first() {
    let world = World::start().await;
    let page = old_page(&world).await;
    let again = world.stack.at("/sign-in?reauthenticate=1&return_to=settings");
    assert_sent_to(&page.posting(UNLINK, &[]).send().await, &again);
    let answer = as_script(page.posting(UNLINK, &[])).send().await;
    assert_refused(&answer, "403 reauthentication_required");
    world.nothing_is_written().await;
}

#[tokio::test]
async fn nobody_signed_in_and_another_site_end_nothing() {
    let world = World::start().await;
    let (page, nobody) = (world.page().await, world.anonymous_page().await);
    let answer = as_script(nobody.posting(UNLINK, &[])).send().await;
    assert_refused(&answer, "401 session_required");
    let signing_in = world.stack.at("/sign-in?return_to=settings");
    assert_sent_to(&nobody.posting(UNLINK, &[]).send().await, &signing_in);

    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.localhost")] {
        let call = || page.posting(UNLINK, &[]).header(name, value);
        assert_refused_by_page(&call().send().await, 403);
        assert_refused(&as_script(call()).send().await, "403 cross_origin_request");
    }
    world.nothing_is_written().await;
}

#[tokio::test]
async fn a_database_that_is_gone_is_told_and_may_be_asked_again() {
    use harness::database_proxy::Fate;

    let world = World::start().await;
    let page = world.page().await;
    let throttled = || [Fate::throttled(), Fate::throttled(), Fate::throttled()];
    world.stack.database_proxy.next("GetItem", throttled());
    let answer = as_script(page.posting(UNLINK, &[])).send().await;
    assert_eq!(answer.problem(), "503 temporarily_unavailable", "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    let answer = as_script(page.posting(UNLINK, &[])).send().await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

//! What ends by itself. Told with the development provider, whose clock is the stack's own.

use harness::{
    browser::Answer,
    engines::Engine,
    magento::{Magento, Person},
    stack::{CONNECT, Setup, Stack},
};
use http::Method;

const MINUTE_MS: i64 = 60_000;

async fn started() -> Stack {
    Setup::new(Engine::Embedded, Magento::Development).start().await
}

/// The cookies of `page`'s browser whose names start with `prefix`, put back after the browser has let them go.
fn later(stack: &Stack, page: &Answer, prefix: &str, milliseconds: i64) {
    let cookies = page.browser().cookies_for(&stack.at("/"));
    stack.clock().move_by_ms(milliseconds);
    for mut cookie in cookies.into_iter().filter(|cookie| cookie.name.starts_with(prefix)) {
        cookie.expires_at = None;
        page.browser().is_given(cookie);
    }
}

#[tokio::test]
async fn a_flow_lasts_ten_minutes() {
    let stack = started().await;
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings.presses(CONNECT).await.followed().await;
    later(&stack, &settings, "__Host-sso-flow-", 10 * MINUTE_MS - 2000);
    let landed = stack.magento.signs_in(&page, Person::Alice).await.followed().await;
    assert_eq!(landed.outcome().as_deref(), Some("linked"), "{landed:?}");
}

#[tokio::test]
async fn a_flow_that_is_over_links_nothing_even_when_its_cookie_was_kept() {
    let stack = started().await;
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings.presses(CONNECT).await.followed().await;
    later(&stack, &settings, "__Host-sso-flow-", 10 * MINUTE_MS);
    let answer = stack.magento.signs_in(&page, Person::Alice).await.follows().await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(
        (stack.contents().await.claims, stack.provider_calls().await.token),
        (0, 0)
    );
}

#[tokio::test]
async fn a_browser_lets_the_flow_go_by_itself() {
    let stack = started().await;
    let settings = stack.signed_in(Person::Alice).await;
    settings.presses(CONNECT).await;
    stack.clock().move_by_ms(10 * MINUTE_MS);
    let left = settings.browser().cookies_for(&stack.at("/"));
    assert!(
        left.iter().all(|cookie| !cookie.name.starts_with("__Host-sso-")),
        "{left:?}"
    );
}

#[tokio::test]
async fn an_identity_waits_ten_minutes_for_its_user() {
    let stack = started().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = asked
        .fetching(Method::GET, "/sso/magento/confirm", "application/json")
        .send()
        .await
        .json();
    later(&stack, &asked, "__Host-sso-pending", 10 * MINUTE_MS);

    let confirmation = shown["confirmation"].as_str().unwrap();
    let fields = [("decision", "link"), ("confirmation", confirmation)];
    let answer = asked.posting("/sso/magento/confirm", &fields).send().await;

    assert_eq!(answer.outcome().as_deref(), Some("nothing_to_confirm"), "{answer:?}");
    assert_eq!(stack.contents().await.links, []);
}

#[tokio::test]
async fn who_signed_in_more_than_an_hour_ago_proves_themselves_again() {
    let stack = started().await;
    let settings = stack.signed_in(Person::Alice).await;
    stack.clock().move_by_ms(59 * MINUTE_MS);
    let settings = settings.browser().visits(settings.url().as_str()).await;
    stack.clock().move_by_ms(MINUTE_MS + 1000);

    let refused = settings.presses(CONNECT).await;
    let location = refused.location().unwrap();
    assert!(
        location
            .as_str()
            .starts_with(&stack.at("/sign-in?reauthenticate=1&return_to=settings")),
        "{location}"
    );
    assert!(stack.status(&settings).await["reauthenticate"].is_string());

    let settings = refused
        .followed()
        .await
        .presses(Person::Alice.account_email())
        .await
        .followed()
        .await;
    let page = settings.presses(CONNECT).await.followed().await;
    let landed = stack.magento.signs_in(&page, Person::Alice).await.followed().await;
    assert_eq!(landed.outcome().as_deref(), Some("linked"), "{landed:?}");
}

#[tokio::test]
async fn a_session_that_would_end_during_the_flow_is_renewed_first() {
    let stack = started().await;
    let settings = stack.signed_in(Person::Alice).await;
    stack.clock().move_by_ms(50 * MINUTE_MS); // ten of its sixty minutes are left

    let refused = settings.presses(CONNECT).await;
    assert_eq!(refused.location().unwrap().path(), "/sign-in");
    let settings = refused.followed().await;

    assert_eq!(settings.url().path(), "/user", "silently, and back: {settings:?}");
    let page = settings.presses(CONNECT).await.followed().await;
    assert_eq!(page.url().host_str(), Some("magento.localhost"), "{page:?}");
}

#[tokio::test]
async fn linking_is_required_from_the_first_of_april_2020() {
    let stack = started().await;
    let settings = stack.signed_in(Person::Alice).await;
    let requirement = stack.status(&settings).await["requirement"].clone();
    assert_eq!(
        (&requirement["required"], &requirement["since"]),
        (&true.into(), &"2020-04-01T00:00:00Z".into())
    );
}

#[tokio::test]
async fn the_date_changes_what_e_mail_is_good_for_and_the_site_moves_the_clock_there() {
    let stack = started().await;
    let moves = async |choice: &str| {
        let tool = stack.browser().visits(&stack.at("/development/clock")).await;
        let moved = tool.presses(choice).await.followed().await;
        assert!(moved.page().text.contains("Development tool"), "{moved:?}");
    };
    let reaches_history = async |settings: &Answer| {
        let page = settings
            .browser()
            .types(&stack.at("/user/history"))
            .await
            .followed()
            .await;
        page.url().path() == "/user/history"
    };

    moves("One minute before").await;
    let linked = stack.linked(Person::Alice, Person::Alice).await;
    assert!(reaches_history(&linked).await);
    let required = stack.status(&linked).await["requirement"]["required"].clone();
    assert_eq!(required, false);
    // Linked or not, e-mail is as good as ever.
    assert!(reaches_history(&stack.signed_in(Person::Alice).await).await);
    assert!(reaches_history(&stack.signed_in(Person::Bruno).await).await);

    moves("That very instant").await;
    let refused = stack.browser().visits(&stack.at("/sign-in")).await;
    let refused = refused.presses(Person::Alice.account_email()).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(!reaches_history(&stack.signed_in(Person::Bruno).await).await);
    assert!(reaches_history(&linked).await, "a session goes on until it ends");

    moves("One day after").await;
    assert!(!reaches_history(&linked).await, "and it ends");
}

//! What each function costs, warm: its calls to the database and to the provider, counted (contract section 7, "Budget per call").

use harness::{
    browser::Answer,
    engines::Engine,
    magento::{Magento, Person},
    oidc_provider::Variant,
    stack::{CONNECT, ProviderCalls, Setup, Stack},
};
use http::Method;

const CONFIRM: &str = "/sso/magento/confirm";

/// A stack whose functions have seen everything once: metadata and keys are cached.
async fn warm(setup: Setup) -> Stack {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Chloe, Person::Chloe).await;
    decides(&asked, "cancel").await;
    stack
}

fn plain() -> Setup {
    Setup::new(Engine::Embedded, Magento::Development)
}

/// What `doing` brings, and the database's operations meanwhile.
async fn counting<T>(stack: &Stack, doing: impl Future<Output = T>) -> (T, Vec<String>) {
    stack.database_proxy.operations(); // those of before
    (doing.await, stack.database_proxy.operations())
}

/// The user of `page` decides about the identity that waits.
async fn decides(page: &Answer, decision: &str) -> Answer {
    let shown = shown(page).await.json();
    let confirmation = shown["confirmation"].as_str().unwrap_or_default();
    page.posting(CONFIRM, &[("decision", decision), ("confirmation", confirmation)])
        .send()
        .await
}

async fn shown(page: &Answer) -> Answer {
    page.fetching(Method::GET, CONFIRM, "application/json").send().await
}

/// A flow of `person` with the identity of `at_magento`, as far as the provider's answer, which is not followed yet.
async fn answered(stack: &Stack, settings: &Answer, at_magento: Person) -> Answer {
    stack
        .magento
        .signs_in(&settings.presses(CONNECT).await.followed().await, at_magento)
        .await
}

#[tokio::test]
async fn start_link_calls_no_database() {
    let stack = warm(plain()).await;
    let settings = stack.signed_in(Person::Alice).await;
    let before = stack.provider_calls().await;

    let (started, operations) = counting(&stack, settings.presses(CONNECT)).await;

    assert_eq!(started.status, 303);
    assert_eq!(operations, [""; 0]);
    let pushed = before.pushed_authorization_request + 1;
    assert_eq!(
        stack.provider_calls().await,
        ProviderCalls {
            pushed_authorization_request: pushed,
            ..before
        }
    );
}

#[tokio::test]
async fn a_callback_that_links_calls_the_provider_once_and_the_database_twice() {
    let stack = warm(plain()).await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = answered(&stack, &settings, Person::Alice).await;
    let before = stack.provider_calls().await;

    let (landed, operations) = counting(&stack, back.follows()).await;

    assert_eq!(landed.location_parameter("sso").as_deref(), Some("linked"));
    assert_eq!(operations, ["PutItem", "TransactWriteItems"]);
    assert_eq!(
        stack.provider_calls().await,
        ProviderCalls {
            token: before.token + 1,
            ..before
        }
    );
}

#[tokio::test]
async fn a_callback_that_asks_calls_the_database_once() {
    let stack = warm(plain()).await;
    let settings = stack.signed_in(Person::Bruno).await;
    let back = answered(&stack, &settings, Person::Bruno).await;

    let (landed, operations) = counting(&stack, back.follows()).await;

    assert_eq!(landed.location_parameter("sso").as_deref(), Some("confirm"));
    assert_eq!(operations, ["PutItem"]);
}

#[tokio::test]
async fn a_callback_with_an_identity_in_use_calls_the_database_once_more() {
    let stack = plain().with("CONFIRM_LINK", "never").start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let settings = stack.signed_in(Person::Bruno).await;
    let back = answered(&stack, &settings, Person::Alice).await;

    let (landed, operations) = counting(&stack, back.follows()).await;

    assert_eq!(landed.location_parameter("sso").as_deref(), Some("identity_in_use"));
    assert_eq!(operations, ["PutItem", "TransactWriteItems", "PutItem"]);
}

#[tokio::test]
async fn a_callback_without_its_flow_or_its_session_calls_nobody() {
    let stack = warm(plain()).await;
    let settings = stack.signed_in(Person::Alice).await;
    let back = answered(&stack, &settings, Person::Alice).await;
    let url = back.location().unwrap();
    let before = stack.provider_calls().await;

    let (mallory, operations) = counting(&stack, stack.browser().visits(url.as_str())).await;
    assert_eq!((mallory.status.as_u16(), operations), (400, vec![]));

    settings.browser().forgets("__Host-accounts-session");
    let (signed_out, operations) = counting(&stack, back.follows()).await;
    assert_eq!((signed_out.status.as_u16(), operations), (303, vec![]));
    assert_eq!(stack.provider_calls().await, before);
}

#[tokio::test]
async fn status_reads_once() {
    let stack = warm(plain()).await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;

    stack.database_proxy.calls(); // those of before
    assert_eq!(stack.status(&settings).await["status"], "linked");

    let calls = stack.database_proxy.calls();
    let [read] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(
        (&*read.operation, &read.request["ConsistentRead"]),
        ("GetItem", &true.into())
    );
}

#[tokio::test]
async fn confirm_shows_without_the_database_and_decides_with_one_call() {
    let stack = warm(plain()).await;
    for (decision, operation) in [("cancel", "PutItem"), ("link", "TransactWriteItems")] {
        let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
        let (answer, operations) = counting(&stack, shown(&asked)).await;
        assert_eq!((answer.status.as_u16(), operations), (200, vec![]));

        let (_, operations) = counting(&stack, decides(&asked, decision)).await;
        assert_eq!(operations, [operation]);
    }
}

#[tokio::test]
async fn a_switch_reads_the_old_link_to_show_it_and_once_more_to_replace_it() {
    let stack = warm(plain()).await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);
    let started = settings
        .posting("/sso/magento/start-link", &[("replace", "true")])
        .send()
        .await;
    let back = stack.magento.signs_in(&started.followed().await, Person::Bruno).await;

    let (asked, operations) = counting(&stack, back.follows()).await;
    assert_eq!(asked.location_parameter("sso").as_deref(), Some("confirm"));
    assert_eq!(operations, ["PutItem"]);

    let asked = asked.followed().await;
    let (answer, operations) = counting(&stack, shown(&asked)).await;
    assert_eq!((answer.status.as_u16(), operations), (200, vec!["GetItem".to_owned()]));

    let confirmation = answer.json()["confirmation"].as_str().unwrap().to_owned();
    let form = [("decision", "link"), ("confirmation", &*confirmation)];
    let (_, operations) = counting(&stack, asked.posting(CONFIRM, &form).send()).await;
    assert_eq!(operations, ["GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn unlink_reads_and_writes_once_each() {
    let stack = warm(plain()).await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    let unlink = || settings.posting("/sso/magento/unlink", &[]).send();

    let (unlinked, operations) = counting(&stack, unlink()).await;
    assert_eq!(unlinked.location_parameter("sso").as_deref(), Some("unlinked"));
    assert_eq!(operations, ["GetItem", "TransactWriteItems"]);

    let (again, operations) = counting(&stack, unlink()).await;
    assert_eq!(again.location_parameter("sso").as_deref(), Some("unlinked"));
    assert!(operations.len() <= 2, "{operations:?}");
}

#[tokio::test]
async fn the_certified_provider_is_called_no_more_often() {
    for pushed_authorization_requests in [true, false] {
        let variant = Variant {
            pushed_authorization_requests,
            ..Variant::default()
        };
        let stack = warm(Setup::new(Engine::Embedded, Magento::OidcProvider).with_variant(variant)).await;
        let before = stack.provider_calls().await;

        stack.linked(Person::Alice, Person::Alice).await;

        let pushed = before.pushed_authorization_request + u64::from(pushed_authorization_requests);
        let expected = ProviderCalls {
            pushed_authorization_request: pushed,
            token: before.token + 1,
            ..before
        };
        assert_eq!(stack.provider_calls().await, expected);
    }
}

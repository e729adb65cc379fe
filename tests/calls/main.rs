//! What each function costs, warm: its calls to the database and to the provider, counted (contract section 7, "Budget per call").

use account_linking::{clock::Clock, identity::AccountId, ticket::Challenge};
use harness::{
    browser::Answer,
    engines::Engine,
    iam,
    magento::{Magento, Person},
    oidc_provider::Variant,
    stack::{CONNECT, ProviderCalls, Setup, Stack},
};
use http::Method;
use serde_json::{Value, json};

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

const VERIFIER: &str = "what the login page keeps in the browser, and nobody else has";

/// A sign-in of Alice at Magento.com, as far as the provider's answer, which is not followed yet.
async fn signing_in(stack: &Stack) -> Answer {
    let start = stack.at(&format!("/sso/magento/sign-in?challenge={}", Challenge::of(VERIFIER)));
    let page = stack.browser().visits(&start).await;
    stack.magento.signs_in(&page, Person::Alice).await
}

#[tokio::test]
async fn sign_in_calls_no_database() {
    let stack = warm(plain()).await;
    let before = stack.provider_calls().await;
    let start = stack.at(&format!("/sso/magento/sign-in?challenge={}", Challenge::of(VERIFIER)));

    let (started, operations) = counting(&stack, stack.browser().types(&start)).await;

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
async fn a_callback_that_signs_in_calls_the_database_three_times_whether_the_label_changed_or_not() {
    let stack = warm(plain()).await;
    stack.linked(Person::Alice, Person::Alice).await;
    for changes in [false, true] {
        let back = signing_in(&stack).await;
        if changes {
            // The code was issued before; the token endpoint tells the address of now.
            stack
                .changes_email_at_magento(Person::Alice, "martin@shop.example")
                .await;
        }
        let before = stack.provider_calls().await;

        let (signed_in, operations) = counting(&stack, back.follows()).await;

        assert!(signed_in.location_parameter("ticket").is_some(), "{signed_in:?}");
        assert_eq!(operations, ["PutItem", "GetItem", "TransactWriteItems"]);
        assert_eq!(stack.provider_calls().await.token, before.token + 1);
        let label = stack.contents().await.links[0].email.clone();
        assert_eq!(label.as_deref() == Some("martin@shop.example"), changes, "{label:?}");
    }
}

#[tokio::test]
async fn a_callback_with_an_identity_that_nobody_linked_writes_nothing_but_its_claim() {
    let stack = warm(plain()).await;
    let back = signing_in(&stack).await;

    let (refused, operations) = counting(&stack, back.follows()).await;

    assert_eq!(refused.location_parameter("sso").as_deref(), Some("not_linked"));
    assert_eq!(operations, ["PutItem", "GetItem"]);
}

#[tokio::test]
async fn redeem_ticket_calls_the_database_once_whatever_comes_of_it() {
    let stack = warm(plain()).await;
    stack.linked(Person::Alice, Person::Alice).await;
    let signed_in = signing_in(&stack).await.follows().await;
    let ticket = signed_in.location_parameter("ticket").unwrap();
    for (verifier, status) in [("another browser's", 404), (VERIFIER, 200), (VERIFIER, 404)] {
        let body = json!({"ticket": ticket, "verifier": verifier});
        let redeem = iam::calls(&stack, &Method::POST, "/sso/tickets/redeem", Some(&body));

        let (answer, operations) = counting(&stack, redeem).await;

        assert_eq!(
            (answer.status.as_u16(), operations),
            (status, vec!["DeleteItem".to_owned()])
        );
    }
}

#[tokio::test]
async fn account_policy_calls_the_database_once_and_to_unlink_as_unlink_does() {
    let stack = warm(plain()).await;
    stack.linked(Person::Alice, Person::Alice).await;
    let account = AccountId::parse(Person::Alice.account_id()).unwrap();
    let path = |rest: &str| format!("/sso/magento/accounts/{}{rest}", account.to_path_segment());
    let until = stack.clock().now().plus(std::time::Duration::from_hours(1)).to_string();
    let exemption = json!({"until": until, "reason": "moves to another project"});
    let rows: [(Method, &str, Option<&Value>, &[&str]); 4] = [
        (Method::GET, "", None, &["GetItem"]),
        (Method::PUT, "/exemption", Some(&exemption), &["TransactWriteItems"]),
        (Method::DELETE, "/exemption", None, &["TransactWriteItems"]),
        (Method::DELETE, "/link", None, &["GetItem", "TransactWriteItems"]),
    ];
    for (method, rest, body, expected) in rows {
        let (answer, operations) = counting(&stack, iam::calls(&stack, &method, &path(rest), body)).await;
        assert!(answer.status.is_success(), "{method} {rest}: {answer:?}");
        assert_eq!(operations, expected, "{method} {rest}");
    }
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

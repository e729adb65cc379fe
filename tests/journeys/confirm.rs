//! The identity is not obviously the right one: the user is asked before anything is written.

use harness::{
    browser::Answer,
    magento::Person,
    on_every_combination,
    stack::{Setup, Stack},
};
use http::Method;
use serde_json::{Value, json};

on_every_combination!(
    another_address_is_linked_once_confirmed,
    an_address_that_magento_has_not_verified_asks_too,
    always_asks_even_for_the_same_address,
    never_asks_not_even_for_another_address,
    declining_leaves_everything_as_it_was,
    a_kept_copy_of_a_declined_identity_is_worthless,
    nobody_confirms_what_they_were_not_shown,
    a_newer_identity_takes_the_place_of_the_older,
    another_session_cannot_confirm,
    an_identity_that_was_taken_meanwhile_stays_where_it_is,
    confirming_twice_links_once,
    another_site_cannot_confirm,
);

const CONFIRM: &str = "/sso/magento/confirm";

/// What a script on `page` is told about the identity that waits.
async fn shown(page: &Answer) -> Value {
    let answer = page.fetching(Method::GET, CONFIRM, "application/json").send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The user of `page` decides about what `shown` says.
async fn decides(page: &Answer, decision: &str, shown: &Value) -> Answer {
    let confirmation = shown["confirmation"].as_str().unwrap_or_default();
    page.posting(CONFIRM, &[("decision", decision), ("confirmation", confirmation)])
        .send()
        .await
}

async fn another_address_is_linked_once_confirmed(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    assert_eq!(
        stack.contents().await.links,
        [],
        "nothing is linked before the user says so"
    );

    let shown = shown(&asked).await;
    assert_eq!(shown["account"]["email"], "bruno@example.com");
    assert_eq!(
        shown["identity"],
        json!({"email": "bruno.keller@shop.example", "email_verified": true})
    );
    assert_eq!(shown["replacing"], Value::Null);

    let confirmed = decides(&asked, "link", &shown).await;
    assert_eq!(confirmed.status, 303, "{confirmed:?}");
    assert_eq!(
        confirmed.header("location"),
        Some(&*stack.at("/user?sso=linked&provider=magento"))
    );
    let left = asked.browser().cookies_for(&stack.at("/"));
    assert!(
        left.iter().all(|cookie| !cookie.name.starts_with("__Host-sso-")),
        "{left:?}"
    );
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Bruno, Person::Bruno)),
        "{contents:?}"
    );
    assert_eq!(contents.history(), ["linked"]);
}

async fn an_address_that_magento_has_not_verified_asks_too(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Chloe, Person::Chloe).await;
    assert_eq!(
        shown(&asked).await["identity"],
        json!({"email": "chloe@example.com", "email_verified": false})
    );
}

async fn always_asks_even_for_the_same_address(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "always").start().await;
    let asked = stack.asked_to_confirm(Person::Alice, Person::Alice).await;
    let confirmed = decides(&asked, "link", &shown(&asked).await).await;
    assert_eq!(confirmed.outcome().as_deref(), Some("linked"));
}

async fn never_asks_not_even_for_another_address(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    stack.linked(Person::Bruno, Person::Bruno).await;
    assert_eq!(stack.contents().await.links.len(), 1);
}

async fn declining_leaves_everything_as_it_was(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;

    let declined = decides(&asked, "cancel", &shown(&asked).await).await;

    assert_eq!(declined.outcome().as_deref(), Some("cancelled"), "{declined:?}");
    let contents = stack.contents().await;
    assert_eq!((contents.links.len(), contents.history()), (0, vec!["cancelled"]));
    let landed = declined.followed().await;
    assert_eq!(nothing_to_confirm(&landed).await, "404 nothing_to_confirm");
}

async fn a_kept_copy_of_a_declined_identity_is_worthless(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let kept = pending_link(&stack, &asked);
    let shown = shown(&asked).await;
    decides(&asked, "cancel", &shown).await;

    asked.browser().is_given(kept);
    let again = decides(&asked, "link", &shown).await;

    assert_eq!(again.outcome().as_deref(), Some("nothing_to_confirm"), "{again:?}");
    assert_eq!(stack.contents().await.links, []);
}

async fn nobody_confirms_what_they_were_not_shown(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;

    for guess in ["", "AAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(1000)] {
        let answer = asked
            .posting(CONFIRM, &[("decision", "link"), ("confirmation", guess)])
            .send()
            .await;
        assert_eq!(
            answer.outcome().as_deref(),
            Some("nothing_to_confirm"),
            "{guess:?} {answer:?}"
        );
    }
    let none = asked.posting(CONFIRM, &[("decision", "link")]).send().await;
    assert_eq!(none.outcome().as_deref(), Some("nothing_to_confirm"), "{none:?}");

    assert_eq!(stack.contents().await.history(), Vec::<&str>::new());
    let confirmed = decides(&asked, "link", &shown(&asked).await).await;
    assert_eq!(
        confirmed.outcome().as_deref(),
        Some("linked"),
        "a wrong guess spoils nothing: {confirmed:?}"
    );
}

async fn a_newer_identity_takes_the_place_of_the_older(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let first = stack.brings(&settings, Person::Bruno).await;
    let shown_first = shown(&first).await;
    let second = stack.brings(&settings, Person::Chloe).await;

    let stale = decides(&first, "link", &shown_first).await;
    assert_eq!(stale.outcome().as_deref(), Some("nothing_to_confirm"), "{stale:?}");
    assert_eq!(stack.contents().await.links, []);

    let confirmed = decides(&second, "link", &shown(&second).await).await;
    assert_eq!(confirmed.outcome().as_deref(), Some("linked"));
    assert!(stack.contents().await.links[0].joins(Person::Alice, Person::Chloe));
}

async fn another_session_cannot_confirm(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = shown(&asked).await;

    // The same person in another browser, and somebody else there: both with a copy of the cookie.
    for person in [Person::Bruno, Person::Alice] {
        let elsewhere = stack.signed_in(person).await;
        elsewhere.browser().is_given(pending_link(&stack, &asked));
        assert_eq!(
            nothing_to_confirm(&elsewhere).await,
            "404 nothing_to_confirm",
            "{person:?}"
        );
        let answer = decides(&elsewhere, "link", &shown).await;
        assert_eq!(
            answer.outcome().as_deref(),
            Some("nothing_to_confirm"),
            "{person:?}: {answer:?}"
        );
    }
    assert_eq!(stack.contents().await.links, []);

    // Signed out, the identity waits; nobody is told about it.
    asked.presses("Sign out").await;
    let answer = asked.fetching(Method::GET, CONFIRM, "application/json").send().await;
    assert_eq!(answer.problem(), "401 session_required");
}

async fn an_identity_that_was_taken_meanwhile_stays_where_it_is(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "always").start().await;
    let alice = stack.asked_to_confirm(Person::Alice, Person::Bruno).await;
    let bruno = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let first = decides(&bruno, "link", &shown(&bruno).await).await;
    assert_eq!(first.outcome().as_deref(), Some("linked"));

    let second = decides(&alice, "link", &shown(&alice).await).await;

    assert_eq!(second.outcome().as_deref(), Some("identity_in_use"), "{second:?}");
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Bruno, Person::Bruno)),
        "{contents:?}"
    );
    assert_eq!(contents.history(), ["linked", "identity_in_use"]);
}

async fn confirming_twice_links_once(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let (kept, shown) = (pending_link(&stack, &asked), shown(&asked).await);
    decides(&asked, "link", &shown).await;

    // The double click's second post carries the cookie that the first answer had not yet taken away.
    asked.browser().is_given(kept);
    let again = decides(&asked, "link", &shown).await;

    assert_eq!(again.outcome().as_deref(), Some("linked"), "{again:?}");
    assert_eq!(stack.contents().await.history(), ["linked"]);
}

async fn another_site_cannot_confirm(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = shown(&asked).await;
    let fields = [
        ("decision", "link"),
        ("confirmation", shown["confirmation"].as_str().unwrap_or_default()),
    ];

    for elsewhere in [
        "http://evil.localhost/",
        "http://evil.accounts.localhost/",
        "http://accounts.localhost:1/",
    ] {
        let answer = asked
            .browser()
            .posting_from(elsewhere, &stack.at(CONFIRM), &fields)
            .send()
            .await;
        assert_eq!(answer.status, 403, "{elsewhere}: {answer:?}");
    }
    assert_eq!(stack.contents().await.links, []);
}

/// The answer to a script on `page` that asks what there is to confirm, when there is nothing.
async fn nothing_to_confirm(page: &Answer) -> String {
    page.fetching(Method::GET, CONFIRM, "application/json")
        .send()
        .await
        .problem()
}

/// The cookie with the identity that waits in the browser of `page`.
fn pending_link(stack: &Stack, page: &Answer) -> harness::browser::cookies::Cookie {
    let mut cookies = page.browser().cookies_for(&stack.at("/")).into_iter();
    cookies
        .find(|cookie| cookie.name == "__Host-sso-pending")
        .unwrap_or_else(|| panic!("nothing waits at {page:?}"))
}

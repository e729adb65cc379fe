//! A linked account changes to another identity.

use harness::{
    browser::Answer,
    magento::Person,
    on_every_combination,
    stack::{Setup, Stack},
};
use http::Method;

on_every_combination!(
    switching_asks_shows_whom_it_replaces_and_replaces_them,
    switching_asks_even_where_linking_does_not,
    declining_to_switch_keeps_the_old_identity,
    a_switch_that_fails_on_its_way_keeps_the_old_identity,
    the_identity_left_behind_can_be_linked_elsewhere,
);

/// Starts a flow with `replace=true`, as far as Magento.com's page.
async fn starts_to_switch(settings: &Answer) -> Answer {
    let started = settings
        .posting("/sso/magento/start-link", &[("replace", "true")])
        .send()
        .await;
    started.followed().await
}

/// Brings the identity of `person` with `replace=true`, as far as the question.
async fn wants_to_switch(stack: &Stack, settings: &Answer, person: Person) -> Answer {
    let page = starts_to_switch(settings).await;
    let asked = stack.magento.signs_in(&page, person).await.followed().await;
    assert_eq!(asked.outcome().as_deref(), Some("confirm"), "{asked:?}");
    asked
}

async fn decides(asked: &Answer, decision: &str) -> Answer {
    let shown = asked
        .fetching(Method::GET, "/sso/magento/confirm", "application/json")
        .send()
        .await
        .json();
    assert_eq!(shown["replacing"]["email"], "a***@example.com", "{shown}");
    let fields = [
        ("decision", decision),
        ("confirmation", shown["confirmation"].as_str().unwrap_or_default()),
    ];
    asked.posting("/sso/magento/confirm", &fields).send().await
}

async fn switching_asks_shows_whom_it_replaces_and_replaces_them(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);

    let asked = wants_to_switch(&stack, &settings, Person::Bruno).await;
    assert!(stack.contents().await.links[0].joins(Person::Alice, Person::Alice));
    let switched = decides(&asked, "link").await;

    assert_eq!(switched.outcome().as_deref(), Some("linked"), "{switched:?}");
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Bruno)),
        "{contents:?}"
    );
    assert_eq!(contents.history(), ["linked", "switched"]);
}

async fn switching_asks_even_where_linking_does_not(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    wants_to_switch(&stack, &settings, Person::Bruno).await;
    assert!(stack.contents().await.links[0].joins(Person::Alice, Person::Alice));
}

async fn declining_to_switch_keeps_the_old_identity(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;

    let asked = wants_to_switch(&stack, &settings, Person::Bruno).await;
    let declined = decides(&asked, "cancel").await;

    assert_eq!(declined.outcome().as_deref(), Some("cancelled"), "{declined:?}");
    assert!(stack.contents().await.links[0].joins(Person::Alice, Person::Alice));
}

async fn a_switch_that_fails_on_its_way_keeps_the_old_identity(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.linked(Person::Chloe, Person::Chloe).await;

    let cancelled = stack.magento.cancels(&starts_to_switch(&settings).await).await;
    assert_eq!(cancelled.follows().await.outcome().as_deref(), Some("cancelled"));
    let taken = wants_to_switch(&stack, &settings, Person::Chloe).await;
    let taken = decides(&taken, "link").await;
    assert_eq!(taken.outcome().as_deref(), Some("identity_in_use"), "{taken:?}");

    let contents = stack.contents().await;
    assert!(
        contents
            .links
            .iter()
            .any(|link| link.joins(Person::Alice, Person::Alice)),
        "{contents:?}"
    );
}

async fn the_identity_left_behind_can_be_linked_elsewhere(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);
    let asked = wants_to_switch(&stack, &settings, Person::Bruno).await;
    decides(&asked, "link").await;

    stack.linked(Person::Chloe, Person::Alice).await;

    let contents = stack.contents().await;
    assert_eq!(contents.links.len(), 2, "{contents:?}");
}

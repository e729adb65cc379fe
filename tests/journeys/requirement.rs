//! The date from which linking is required comes, for accounts that are linked and for those that are not.

use std::time::Duration;

use account_linking::{
    clock::{Clock, SystemClock, Timestamp},
    identity::AccountId,
};
use harness::{
    browser::Answer,
    iam,
    magento::Person,
    on_every_combination,
    stack::{Setup, Stack},
};
use http::Method;
use serde_json::{Value, json};

on_every_combination!(
    se_11_the_date_comes_at_one_instant_for_everybody,
    an_exemption_holds_the_requirement_off_until_it_ends,
);

fn path(person: Person, rest: &str) -> String {
    let account = AccountId::parse(person.account_id()).unwrap();
    format!("/sso/magento/accounts/{}{rest}", account.to_path_segment())
}

async fn other_methods(stack: &Stack, person: Person) -> Value {
    let policy = iam::calls(stack, &Method::GET, &path(person, ""), None).await;
    policy.json()["sign_in"]["other_methods"].clone()
}

async fn required(stack: &Stack, page: &Answer) -> Value {
    stack.status(page).await["requirement"]["required"].clone()
}

async fn se_11_the_date_comes_at_one_instant_for_everybody(setup: Setup) {
    // To the second, as it is configured.
    let date = SystemClock.now().plus(Duration::from_mins(5)).to_string();
    let setup = setup.with("LINKING_REQUIRED_FROM", &date);
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let date = Timestamp::parse_rfc3339(&date).unwrap();
    let linked = stack.linked(Person::Alice, Person::Alice).await;
    let unlinked = stack.signed_in(Person::Bruno).await;
    let second = Duration::from_secs(1);

    stack.clock().set(date.minus(second));
    assert_eq!(other_methods(&stack, Person::Alice).await, "allowed");
    assert_eq!(other_methods(&stack, Person::Bruno).await, "allowed");
    assert_eq!(required(&stack, &unlinked).await, false);

    stack.clock().set(date.plus(second));
    assert_eq!(other_methods(&stack, Person::Alice).await, "refused");
    assert_eq!(other_methods(&stack, Person::Bruno).await, "link_only");
    assert_eq!(required(&stack, &unlinked).await, true);
    assert_eq!(required(&stack, &linked).await, true);
    let text = unlinked.link("Show the status").send().await.page().text;
    assert!(text.contains("Connecting has been required since"), "{text}");

    // Nobody is locked out: linking is what is left, and it works.
    let landed = stack.linked(Person::Chloe, Person::Bruno).await;
    assert_eq!(stack.status(&landed).await["status"], "linked");
}

async fn an_exemption_holds_the_requirement_off_until_it_ends(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let settings = stack.signed_in(Person::Bruno).await;
    let until = stack.clock().now().plus(Duration::from_mins(10));
    let body = json!({"until": until.to_string(), "reason": "moves to another project"});

    let answer = iam::calls(&stack, &Method::PUT, &path(Person::Bruno, "/exemption"), Some(&body)).await;

    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(other_methods(&stack, Person::Bruno).await, "allowed");
    assert_eq!(required(&stack, &settings).await, false);
    stack.clock().move_by_ms(10 * 60 * 1000);
    assert_eq!(other_methods(&stack, Person::Bruno).await, "link_only");
    assert_eq!(required(&stack, &settings).await, true);
}

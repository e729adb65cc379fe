//! What a link may do to the accounts that it joins: their sessions, their life, the date from which linking is required.

use account_linking::{identity::AccountId, ticket::Challenge};
use harness::{
    browser::{Answer, Browser},
    hostile_provider::{Endpoint, Endpoints, Fate},
    hostile_world::HostileWorld,
    iam,
    magento::Person,
    stack::{CONNECT, Stack},
};
use http::Method;
use serde_json::{Value, json};

use crate::scene::{
    CONFIRM, SESSION, START_LINK, UNLINK, about_to_come_back, confirms, nothing_happened, setup, shown, stack,
};

const VERIFIER: &str = "what the login page keeps in the browser, and nobody else has";

fn sign_in_url(stack: &Stack) -> String {
    stack.at(&format!("/sso/magento/sign-in?challenge={}", Challenge::of(VERIFIER)))
}

/// What the callback answers to a sign-in of `identity`.
async fn signs_in(stack: &Stack, browser: &Browser, identity: Person) -> Answer {
    let page = browser.visits(&sign_in_url(stack)).await;
    stack.magento.signs_in(&page, identity).await.follows().await
}

async fn policy(stack: &Stack, person: Person) -> Value {
    let account = AccountId::parse(person.account_id()).unwrap().to_path_segment();
    let path = format!("/sso/magento/accounts/{account}");
    iam::calls(stack, &Method::GET, &path, None).await.json()
}

async fn redeems(stack: &Stack, ticket: &str, verifier: &str) -> Answer {
    let body = json!({ "ticket": ticket, "verifier": verifier });
    iam::calls(stack, &Method::POST, "/sso/tickets/redeem", Some(&body)).await
}

#[tokio::test]
async fn se_01_a_link_flow_that_would_sign_in_as_the_other_owner() {
    let stack = setup().with("CONFIRM_LINK", "never").start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let mallory = stack.signed_in(Person::Bruno).await;

    let refused = about_to_come_back(&stack, &mallory, Person::Alice)
        .await
        .follows()
        .await;

    assert_eq!(refused.outcome().as_deref(), Some("identity_in_use"), "{refused:?}");
    assert!(
        !refused.set_cookies().iter().any(|cookie| cookie.starts_with(SESSION)),
        "{refused:?}"
    );
    assert!(refused.location_parameter("ticket").is_none());
    let settings = refused.followed().await;
    assert!(settings.text().contains(Person::Bruno.account_email()), "{settings:?}");
    assert_eq!(stack.status(&settings).await["status"], "not_linked");
}

#[tokio::test]
async fn se_02_a_sign_in_that_would_link_or_create() {
    let stack = stack().await;
    // The address is that of a cloud account, verified, and a session of that account is even there.
    let alice = stack.signed_in(Person::Alice).await;
    for browser in [stack.browser(), alice.browser().clone()] {
        let answer = signs_in(&stack, &browser, Person::Alice).await;
        assert_eq!(answer.outcome().as_deref(), Some("not_linked"), "{answer:?}");
    }
    let contents = stack.contents().await;
    assert_eq!((contents.links.len(), contents.history().len()), (0, 0));
}

#[tokio::test]
async fn se_06_unlinking_in_a_session_nobody_proved_lately() {
    let stack = setup().with("REAUTHENTICATE_AFTER_SECONDS", "60").start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(120 * 1000);

    let answer = settings.posting(UNLINK, &[]).send().await;

    let location = answer.location().unwrap();
    assert!(
        location.as_str().starts_with(&stack.at("/sign-in?reauthenticate=1")),
        "{location}"
    );
    assert_eq!(stack.contents().await.history(), ["linked"]);
}

#[tokio::test]
async fn se_07_somebody_elses_account_in_the_request() {
    let stack = stack().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let mallory = stack.signed_in(Person::Bruno).await;
    let alices = Person::Alice.account_id();
    let fields = [
        ("account_id", alices),
        ("sub", alices),
        ("account", "any"),
        ("user", alices),
    ];

    stack.clock().move_by_ms(1000);
    mallory.posting(UNLINK, &fields).send().await;
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let status = mallory
        .fetching(Method::GET, &format!("/sso/magento/status?{query}"), "application/json")
        .header("x-account-id", alices)
        .send()
        .await;
    assert_eq!(status.json()["status"], "not_linked");
    // The server's route takes no session for a signature.
    let account = AccountId::parse(alices).unwrap().to_path_segment();
    for (method, rest) in [
        (Method::GET, ""),
        (Method::DELETE, "/link"),
        (Method::DELETE, "/exemption"),
    ] {
        let path = format!("/sso/magento/accounts/{account}{rest}");
        let answer = mallory.fetching(method, &path, "application/json").send().await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }

    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Alice)),
        "{contents:?}"
    );
}

#[tokio::test]
async fn se_08_unlinking_after_the_date_locks_nobody_out_and_lets_nobody_in() {
    let stack = setup()
        .with("LINKING_REQUIRED_FROM", "2020-04-01T00:00:00Z")
        .start()
        .await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);

    settings.posting(UNLINK, &[]).send().await;

    let after = policy(&stack, Person::Alice).await;
    assert_eq!(
        after["sign_in"]["other_methods"], "link_only",
        "the old method is good for linking, and nothing else"
    );
    let refused = signs_in(&stack, &stack.browser(), Person::Alice).await;
    assert_eq!(refused.outcome().as_deref(), Some("not_linked"));
}

#[tokio::test]
async fn se_09_the_date_holds_for_servers_too() {
    let stack = setup()
        .with("LINKING_REQUIRED_FROM", "2020-04-01T00:00:00Z")
        .start()
        .await;
    assert_eq!(
        policy(&stack, Person::Bruno).await["sign_in"]["other_methods"],
        "link_only"
    );
    stack.linked(Person::Alice, Person::Alice).await;
    assert_eq!(
        policy(&stack, Person::Alice).await["sign_in"]["other_methods"],
        "refused"
    );
}

#[tokio::test]
async fn se_12_an_outage_that_would_open_the_old_way_in() {
    let world = HostileWorld::start(Endpoints::Discovered).await;
    let newcomer = world.newcomer();
    world.about_to_come_back(&newcomer).await.follows().await;
    let account = AccountId::parse(&newcomer.account).unwrap().to_path_segment();
    let path = format!("/sso/magento/accounts/{account}");
    let before = iam::calls(&world.stack, &Method::GET, &path, None).await.json();

    let page = world.stack.browser().types(&sign_in_url(&world.stack)).await;
    world.provider.next(Endpoint::Token, [Fate::LoseRequest]);
    let answer = page.follows().await.follows().await;

    assert_eq!(answer.outcome().as_deref(), Some("provider_unavailable"), "{answer:?}");
    assert_eq!(before["sign_in"]["other_methods"], "refused");
    let after = iam::calls(&world.stack, &Method::GET, &path, None).await.json();
    assert_eq!(after, before, "no fallback");
}

#[tokio::test]
async fn se_14_the_wrong_identity_in_a_hurry() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let asked = stack.brings(&settings, Person::Bruno).await;
    let before = shown(&asked).await;
    assert_eq!(
        before["identity"]["email"],
        Person::Bruno.email(),
        "shown before it counts"
    );
    confirms(&asked, &before).await;
    stack.clock().move_by_ms(1000);

    // It can be changed for the right one, and that is asked for, too.
    let form = [("replace", "true"), ("account", "choose")];
    let page = settings.posting(START_LINK, &form).send().await.followed().await;
    let asked = stack.magento.signs_in(&page, Person::Alice).await.followed().await;
    confirms(&asked, &shown(&asked).await).await;

    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Alice)),
        "{contents:?}"
    );
}

#[tokio::test]
async fn se_15_an_identity_that_somebody_else_sits_on() {
    let stack = setup().with("CONFIRM_LINK", "never").start().await;
    stack.linked(Person::Bruno, Person::Alice).await;
    let alice = stack.signed_in(Person::Alice).await;
    let refused = stack.brings(&alice, Person::Alice).await;
    assert_eq!(refused.outcome().as_deref(), Some("identity_in_use"));
    assert!(!refused.text().contains(Person::Bruno.account_id()), "{refused:?}");

    // Support, whom Alice has proven to, frees it; what the squatter began before is worthless.
    stack.clock().move_by_ms(1000);
    let account = AccountId::parse(Person::Bruno.account_id()).unwrap().to_path_segment();
    let freed = iam::calls(
        &stack,
        &Method::DELETE,
        &format!("/sso/magento/accounts/{account}/link"),
        None,
    )
    .await;
    assert_eq!(freed.status, 204);
    let linked = stack.brings(&alice, Person::Alice).await;

    assert_eq!(linked.outcome().as_deref(), Some("linked"), "{linked:?}");
}

#[tokio::test]
async fn se_17_a_ticket_in_the_wrong_hands() {
    let stack = stack().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let ticket = signs_in(&stack, &stack.browser(), Person::Alice)
        .await
        .location_parameter("ticket")
        .unwrap();

    // Leaked: without the secret of the login page's browser it is worth nothing, and trying spends nothing.
    assert_eq!(
        redeems(&stack, &ticket, "a guess").await.problem(),
        "404 ticket_unknown"
    );
    // Without the server's signature nobody even asks.
    let unsigned = stack
        .browser()
        .typing(&stack.at("/sso/tickets/redeem"))
        .method(Method::POST)
        .body(
            "application/json",
            json!({"ticket": ticket, "verifier": VERIFIER}).to_string(),
        )
        .send()
        .await;
    assert_eq!(unsigned.status, 403, "{unsigned:?}");
    let told = redeems(&stack, &ticket, VERIFIER).await.json();
    assert_eq!(told["account_id"], Person::Alice.account_id());
    // Replayed, and too late.
    assert_eq!(redeems(&stack, &ticket, VERIFIER).await.problem(), "404 ticket_unknown");
    let late = signs_in(&stack, &stack.browser(), Person::Alice)
        .await
        .location_parameter("ticket")
        .unwrap();
    stack.clock().move_by_ms(61 * 1000);
    assert_eq!(redeems(&stack, &late, VERIFIER).await.problem(), "404 ticket_unknown");
}

#[tokio::test]
async fn se_18_a_flow_that_outlives_the_sign_out() {
    let stack = stack().await;
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings.presses(CONNECT).await.followed().await;
    settings.presses("Sign out").await;

    let answer = stack.magento.signs_in(&page, Person::Alice).await.follows().await;

    assert!(
        answer.location().unwrap().as_str().starts_with(&stack.at("/sign-in?")),
        "{answer:?}"
    );
    nothing_happened(&stack).await;
    let confirm = settings.fetching(Method::GET, CONFIRM, "application/json").send().await;
    assert_eq!(confirm.problem(), "401 session_required");
}

//! Signing in at accounts.magento.cloud with the identity that is linked.

use account_linking::{
    clock::{Clock, Deadline},
    http::request::REQUEST_BUDGET,
    ticket::{Challenge, SignIn, TicketHash},
};
use harness::{
    browser::{Answer, Browser},
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup, Stack},
};

on_every_combination!(
    whoever_linked_signs_in,
    whoever_is_signed_in_at_magento_sees_no_form,
    an_identity_that_nobody_linked_is_told_so,
    whoever_unlinked_is_not_let_in,
    a_ticket_is_worth_nothing_in_another_browser,
    a_ticket_is_redeemed_once,
    a_sign_in_finished_in_another_browser_touches_nothing,
    a_link_flow_ends_in_a_link_and_a_sign_in_never_does,
    whoever_cancels_is_back_on_the_sign_in_page,
    a_fifth_sign_in_ends_the_oldest,
    a_sign_in_costs_three_calls_to_the_database,
);

const VERIFIER: &str = "what the login page keeps in the browser, and nobody else has";

/// Where the login page leads.
fn start(stack: &Stack) -> String {
    stack.at(&format!("/sso/magento/sign-in?challenge={}", Challenge::of(VERIFIER)))
}

/// Starts a sign-in in `browser` and signs `identity` in at Magento.com: what the callback answers, not yet followed.
async fn comes_back(stack: &Stack, browser: &Browser, identity: Person) -> Answer {
    let page = browser.visits(&start(stack)).await;
    stack.magento.signs_in(&page, identity).await.follows().await
}

/// The ticket that the callback sends to the completion page.
#[track_caller]
fn ticket_in(stack: &Stack, answer: &Answer) -> String {
    let ticket = answer
        .location_parameter("ticket")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let complete = stack.at(&format!("/sign-in/complete?ticket={ticket}"));
    assert_eq!(answer.location().unwrap().as_str(), complete);
    ticket
}

async fn redeemed(stack: &Stack, ticket: &str, verifier: &str) -> Option<SignIn> {
    let (ticket, challenge) = (TicketHash::of(ticket), Challenge::of(verifier));
    let (now, deadline) = (stack.clock().now(), Deadline::within(REQUEST_BUDGET));
    stack
        .database
        .table()
        .redeem_ticket(ticket, challenge, now, deadline)
        .await
        .unwrap()
}

/// The sign-in page, told `outcome`.
#[track_caller]
fn assert_back_at_sign_in(stack: &Stack, answer: &Answer, outcome: &str) {
    assert_eq!(
        answer.location().unwrap_or_else(|| panic!("{answer:?}")).as_str(),
        stack.at(&format!("/sign-in?sso={outcome}&provider=magento"))
    );
}

async fn whoever_linked_signs_in(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    stack.linked(Person::Bruno, Person::Alice).await;

    let answer = comes_back(&stack, &stack.browser(), Person::Alice).await;

    let sign_in = redeemed(&stack, &ticket_in(&stack, &answer), VERIFIER).await.unwrap();
    assert_eq!(sign_in.account.as_str(), Person::Bruno.account_id());
    assert_eq!(sign_in.identity.subject.as_str(), Person::Alice.subject());
    assert_eq!(sign_in.provider.as_str(), "magento");
    let session = answer.set_cookies();
    assert!(
        session.iter().all(|cookie| cookie.starts_with("__Host-sso-flow-")),
        "{session:?}"
    );
}

async fn whoever_is_signed_in_at_magento_sees_no_form(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;

    let mut step = settings.browser().types(&start(&stack)).await;
    while step.location().is_some() && step.location_parameter("ticket").is_none() {
        step = step.follows().await;
    }

    assert!(redeemed(&stack, &ticket_in(&stack, &step), VERIFIER).await.is_some());
}

async fn an_identity_that_nobody_linked_is_told_so(setup: Setup) {
    let stack = setup.start().await;
    let answer = comes_back(&stack, &stack.browser(), Person::Alice).await;
    assert_back_at_sign_in(&stack, &answer, "not_linked");
    let contents = stack.contents().await;
    assert_eq!(
        (contents.links.len(), contents.claims),
        (0, 1),
        "no account, no link: {contents:?}"
    );
}

async fn whoever_unlinked_is_not_let_in(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    settings.posting("/sso/magento/unlink", &[]).send().await;
    let answer = comes_back(&stack, &stack.browser(), Person::Alice).await;
    assert_back_at_sign_in(&stack, &answer, "not_linked");
}

async fn a_ticket_is_worth_nothing_in_another_browser(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let ticket = ticket_in(&stack, &comes_back(&stack, &stack.browser(), Person::Alice).await);
    assert_eq!(redeemed(&stack, &ticket, "another browser's secret").await, None);
    assert!(
        redeemed(&stack, &ticket, VERIFIER).await.is_some(),
        "nobody else could spend it"
    );
}

async fn a_ticket_is_redeemed_once(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let ticket = ticket_in(&stack, &comes_back(&stack, &stack.browser(), Person::Alice).await);
    assert_eq!(redeemed(&stack, &ticket[..42], VERIFIER).await, None);
    assert!(redeemed(&stack, &ticket, VERIFIER).await.is_some());
    assert_eq!(redeemed(&stack, &ticket, VERIFIER).await, None);
}

async fn a_sign_in_finished_in_another_browser_touches_nothing(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let before = stack.contents().await.claims;
    let page = stack.browser().visits(&start(&stack)).await;
    let back = stack.magento.signs_in(&page, Person::Alice).await;
    let callback_url = back.location().unwrap();

    let stranger = stack.browser().types(callback_url.as_str()).await;

    assert_eq!(stranger.status, 400, "{stranger:?}");
    assert_eq!(stack.contents().await.claims, before);
    ticket_in(&stack, &back.follows().await); // nobody else could burn it
}

async fn a_link_flow_ends_in_a_link_and_a_sign_in_never_does(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    // Both flows wait in one browser, in the session that could link.
    let linking = settings.presses(CONNECT).await.followed().await;
    let signing_in = settings.browser().visits(&start(&stack)).await;

    let signed_in = stack.magento.signs_in(&signing_in, Person::Alice).await.follows().await;
    assert_back_at_sign_in(&stack, &signed_in, "not_linked");
    assert_eq!(stack.contents().await.links, []);

    let linked = stack.magento.signs_in(&linking, Person::Alice).await.follows().await;
    let location = linked.location().unwrap();
    assert_eq!(location.as_str(), stack.at("/user?sso=linked&provider=magento"));
}

async fn whoever_cancels_is_back_on_the_sign_in_page(setup: Setup) {
    let stack = setup.start().await;
    let page = stack.browser().visits(&start(&stack)).await;
    let answer = stack.magento.cancels(&page).await.follows().await;
    assert_back_at_sign_in(&stack, &answer, "cancelled");
}

async fn a_fifth_sign_in_ends_the_oldest(setup: Setup) {
    let stack = setup.start().await;
    let browser = stack.browser();
    for _ in 0..5 {
        stack.clock().move_by_ms(1000);
        browser.types(&start(&stack)).await;
    }
    let flows = browser.cookies_for(&stack.at("/"));
    assert_eq!(
        flows
            .iter()
            .filter(|cookie| cookie.name.starts_with("__Host-sso-flow-"))
            .count(),
        4
    );
    assert!(stack.contents().await.is_empty());
    assert_eq!(stack.database_proxy.operations(), Vec::<String>::new());
}

async fn a_sign_in_costs_three_calls_to_the_database(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let browser = stack.browser();
    let page = browser.visits(&start(&stack)).await;
    let back = stack.magento.signs_in(&page, Person::Alice).await;
    stack.database_proxy.calls();

    ticket_in(&stack, &back.follows().await);

    assert_eq!(
        stack.database_proxy.operations(),
        ["PutItem", "GetItem", "TransactWriteItems"]
    );
}

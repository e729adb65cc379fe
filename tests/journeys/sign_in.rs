//! Signing in at accounts.magento.cloud with the identity that is linked.

use account_linking::ticket::Challenge;
use harness::{
    browser::{Answer, Browser},
    iam,
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup, Stack},
};
use http::Method;
use serde_json::{Value, json};

on_every_combination!(
    whoever_linked_signs_in,
    whoever_is_signed_in_at_magento_sees_no_form,
    an_identity_that_nobody_linked_is_told_so,
    whoever_unlinked_is_not_let_in,
    after_a_switch_the_new_identity_signs_in_and_the_old_one_does_not,
    whoever_has_a_new_address_at_magento_is_let_in_and_shown_with_it,
    a_ticket_is_worth_nothing_in_another_browser,
    a_ticket_is_redeemed_once,
    a_ticket_cut_short_is_none,
    a_ticket_that_comes_late_is_none,
    a_sign_in_finished_in_another_browser_touches_nothing,
    a_link_flow_ends_in_a_link_and_a_sign_in_never_does,
    a_flow_in_the_other_s_place_is_no_flow,
    whoever_cancels_is_back_on_the_sign_in_page,
    a_fifth_sign_in_ends_the_oldest,
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

/// What accounts.magento.cloud's server gets for `ticket` and the secret that it finds in the browser.
async fn redeems(stack: &Stack, ticket: &str, verifier: &str) -> Answer {
    let body = json!({"ticket": ticket, "verifier": verifier});
    iam::calls(stack, &Method::POST, "/sso/tickets/redeem", Some(&body)).await
}

/// Who signed in, according to `ticket`.
async fn redeemed(stack: &Stack, ticket: &str) -> Value {
    let answer = redeems(stack, ticket, VERIFIER).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[track_caller]
fn assert_unknown(answer: &Answer) {
    assert_eq!(answer.problem(), "404 ticket_unknown", "{answer:?}");
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

    let sign_in = redeemed(&stack, &ticket_in(&stack, &answer)).await;
    assert_eq!(sign_in["account_id"], Person::Bruno.account_id());
    assert_eq!(sign_in["identity"]["sub"], Person::Alice.subject());
    assert_eq!(sign_in["provider"], "magento");
    let session = answer.set_cookies();
    assert!(
        session.iter().all(|cookie| cookie.starts_with("__Host-sso-flow-")),
        "{session:?}"
    );
}

async fn whoever_is_signed_in_at_magento_sees_no_form(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;

    let back = comes_back_without_a_form(&stack, settings.browser()).await;

    redeemed(&stack, &ticket_in(&stack, &back)).await;
}

/// Starts a sign-in in a browser that is signed in at Magento.com: what the callback answers.
async fn comes_back_without_a_form(stack: &Stack, browser: &Browser) -> Answer {
    let mut step = browser.types(&start(stack)).await;
    while step.location().is_some() && step.url().path() != "/sso/magento/callback" {
        step = step.follows().await;
    }
    step
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

async fn after_a_switch_the_new_identity_signs_in_and_the_old_one_does_not(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);
    let form = [("replace", "true"), ("account", "choose")];
    let started = settings.posting("/sso/magento/start-link", &form).send().await;
    let back = stack.magento.signs_in(&started.followed().await, Person::Bruno).await;
    let settings = back.followed().await;
    let question = settings.link("Confirm the connection").send().await;
    question.presses("Switch").await;

    let old = comes_back(&stack, &stack.browser(), Person::Alice).await;
    assert_back_at_sign_in(&stack, &old, "not_linked");
    let new = comes_back(&stack, &stack.browser(), Person::Bruno).await;
    let sign_in = redeemed(&stack, &ticket_in(&stack, &new)).await;
    assert_eq!(sign_in["account_id"], Person::Alice.account_id());
    assert_eq!(sign_in["identity"]["sub"], Person::Bruno.subject());
}

async fn whoever_has_a_new_address_at_magento_is_let_in_and_shown_with_it(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    let before = stack.contents().await;
    stack
        .changes_email_at_magento(Person::Alice, "martin@shop.example")
        .await;

    let back = comes_back_without_a_form(&stack, settings.browser()).await;

    let sign_in = redeemed(&stack, &ticket_in(&stack, &back)).await;
    assert_eq!(sign_in["account_id"], Person::Alice.account_id());
    assert_eq!(stack.status(&settings).await["link"]["email"], "m***@shop.example");
    let contents = stack.contents().await;
    assert_eq!(contents.links[0].email.as_deref(), Some("martin@shop.example"));
    assert_eq!(contents.links[0].linked_at, before.links[0].linked_at);
    assert_eq!(contents.history(), ["linked"], "a label is no event");
}

async fn a_ticket_is_worth_nothing_in_another_browser(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let ticket = ticket_in(&stack, &comes_back(&stack, &stack.browser(), Person::Alice).await);
    let challenge = Challenge::of(VERIFIER).to_string();
    for verifier in ["another browser's secret", "", &challenge, &VERIFIER[1..]] {
        assert_unknown(&redeems(&stack, &ticket, verifier).await);
    }
    redeemed(&stack, &ticket).await; // nobody else could spend it
}

async fn a_ticket_is_redeemed_once(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let ticket = ticket_in(&stack, &comes_back(&stack, &stack.browser(), Person::Alice).await);
    redeemed(&stack, &ticket).await;
    assert_unknown(&redeems(&stack, &ticket, VERIFIER).await);
    assert_eq!(stack.contents().await.tickets, 0);
}

async fn a_ticket_cut_short_is_none(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let ticket = ticket_in(&stack, &comes_back(&stack, &stack.browser(), Person::Alice).await);
    for cut in [
        "",
        &ticket[..42],
        &ticket[1..],
        &format!("{ticket}A"),
        &ticket.to_lowercase(),
    ] {
        assert_unknown(&redeems(&stack, cut, VERIFIER).await);
    }
    redeemed(&stack, &ticket).await;
}

async fn a_ticket_that_comes_late_is_none(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let ticket = ticket_in(&stack, &comes_back(&stack, &stack.browser(), Person::Alice).await);
    stack.clock().move_by_ms(60_000);
    // Whether DynamoDB has swept it or not.
    assert_eq!(stack.contents().await.tickets, 1);
    assert_unknown(&redeems(&stack, &ticket, VERIFIER).await);
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

async fn a_flow_in_the_other_s_place_is_no_flow(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let browser = settings.browser();
    let linking = settings.presses(CONNECT).await.followed().await;
    let link_flow = the_flow_beside(browser, &stack, &[]);
    let signing_in = browser.visits(&start(&stack)).await;
    let sign_in_flow = the_flow_beside(browser, &stack, &[&link_flow.0]);
    let from_link = stack.magento.signs_in(&linking, Person::Alice).await;
    let from_sign_in = stack.magento.signs_in(&signing_in, Person::Alice).await;

    // Each state finds what was sealed for the other: a sign-in that would link, a link that would sign in.
    for ((name, _), (_, sealed)) in [(&link_flow, &sign_in_flow), (&sign_in_flow, &link_flow)] {
        browser.keeps(stack.origin(), &format!("{name}={sealed}; Path=/; Secure"));
    }
    for back in [from_link, from_sign_in] {
        let refused = back.follows().await;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.page().title.contains("no longer valid"), "{refused:?}");
    }
    assert!(stack.contents().await.is_empty());
}

/// Name and value of the flow that `browser` keeps besides those called `others`.
fn the_flow_beside(browser: &Browser, stack: &Stack, others: &[&str]) -> (String, String) {
    let mut flows = browser.cookies_for(&stack.at("/"));
    flows.retain(|cookie| cookie.name.starts_with("__Host-sso-flow-") && !others.contains(&&*cookie.name));
    assert_eq!(flows.len(), 1, "{flows:?}");
    let flow = flows.remove(0);
    (flow.name, flow.value)
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

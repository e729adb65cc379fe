//! The development accounts site leans on the service as accounts.magento.cloud does: it redeems tickets, asks account-policy, and keeps
//! link-only sessions to linking.

use harness::{
    browser::{Answer, Browser},
    database_proxy::Fate,
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup, Stack},
};

on_every_combination!(
    whoever_linked_signs_in_with_magento_into_a_session_of_its_own,
    whoever_links_after_the_date_goes_on_with_one_press,
    e_mail_opens_no_account_that_is_linked_once_linking_is_required,
    an_identity_that_nobody_linked_is_told_how_to_link,
    a_completion_page_opened_elsewhere_signs_nobody_in,
    what_cannot_be_asked_is_not_allowed,
    the_history_tells_what_happened_and_who_did_it,
);

const SIGN_IN: &str = "Sign in with Magento.com";
const SESSION: &str = "__Host-accounts-session";

/// The session that the browser of `page` keeps.
fn session_of(stack: &Stack, browser: &Browser) -> Option<String> {
    let cookies = browser.cookies_for(&stack.at("/"));
    let session = cookies.into_iter().find(|cookie| cookie.name == SESSION);
    session.map(|cookie| cookie.value)
}

/// Signs `identity` in at Magento.com by way of the sign-in page: where that ends.
async fn signs_in(stack: &Stack, browser: &Browser, identity: Person) -> Answer {
    let ways = browser.visits(&stack.at("/sign-in")).await;
    let page = ways.presses(SIGN_IN).await.followed().await;
    stack.magento.signs_in(&page, identity).await.followed().await
}

/// Whether a session of `browser` is good for more than linking.
async fn sees_history(stack: &Stack, browser: &Browser) -> bool {
    let page = browser.types(&stack.at("/user/history")).await.followed().await;
    page.url().path() == "/user/history"
}

async fn whoever_linked_signs_in_with_magento_into_a_session_of_its_own(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    stack.linked(Person::Bruno, Person::Alice).await;
    // Whatever session the browser came with, somebody else may know it.
    let browser = stack.signed_in(Person::Chloe).await.browser().clone();
    let planted = session_of(&stack, &browser).unwrap();
    let question = browser.types(&stack.at("/sign-in?reauthenticate=1")).await;

    let page = question.presses(SIGN_IN).await.followed().await;
    let settings = stack.magento.signs_in(&page, Person::Alice).await.followed().await;

    assert_eq!(settings.url().as_str(), stack.at("/user"), "{settings:?}");
    assert!(settings.page().text.contains("Bruno Keller"), "{settings:?}");
    assert_eq!(stack.status(&settings).await["account"]["email"], "bruno@example.com");
    assert!(sees_history(&stack, &browser).await);
    assert_ne!(session_of(&stack, &browser).unwrap(), planted);
    let other = stack.browser();
    other.keeps(stack.origin(), &format!("{SESSION}={planted}; Path=/; Secure"));
    let ended = other.types(&stack.at("/user")).await;
    assert_eq!(ended.location().unwrap().path(), "/sign-in", "{ended:?}");
}

async fn whoever_links_after_the_date_goes_on_with_one_press(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let told = "Connecting your account is required now";
    assert!(settings.page().text.contains(told), "{settings:?}");
    assert!(!sees_history(&stack, settings.browser()).await);

    let page = settings.presses(CONNECT).await.followed().await;
    let linked = stack.magento.signs_in(&page, Person::Alice).await.followed().await;
    assert!(linked.page().text.contains("Your account is connected."), "{linked:?}");
    assert!(
        !sees_history(&stack, linked.browser()).await,
        "linking opens nothing by itself"
    );

    // Signed in at Magento.com already: no form on the way.
    let settings = linked.presses(SIGN_IN).await.followed().await;
    assert_eq!(settings.url().as_str(), stack.at("/user"), "{settings:?}");
    assert!(sees_history(&stack, settings.browser()).await);
}

async fn e_mail_opens_no_account_that_is_linked_once_linking_is_required(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let browser = stack.browser();
    let ways = browser.visits(&stack.at("/sign-in")).await;

    let refused = ways.presses(Person::Alice.account_email()).await;

    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(session_of(&stack, &browser), None);
    assert!(
        refused.page().text.contains("e-mail does not open it any more"),
        "{refused:?}"
    );
    // What it says to do works.
    let page = refused.presses(SIGN_IN).await.followed().await;
    let settings = stack.magento.signs_in(&page, Person::Alice).await.followed().await;
    assert_eq!(settings.url().as_str(), stack.at("/user"), "{settings:?}");
}

async fn an_identity_that_nobody_linked_is_told_how_to_link(setup: Setup) {
    let stack = setup.start().await;
    let browser = stack.browser();

    let back = signs_in(&stack, &browser, Person::Alice).await;

    assert_eq!(back.outcome().as_deref(), Some("not_linked"));
    let text = back.page().text;
    assert!(text.contains("connect your accounts in the account settings"), "{text}");
    assert_eq!(session_of(&stack, &browser), None);
    let settings = back.presses(Person::Alice.account_email()).await.followed().await;
    assert!(settings.has_button(CONNECT), "{settings:?}");
}

async fn a_completion_page_opened_elsewhere_signs_nobody_in(setup: Setup) {
    let stack = setup.start().await;
    stack.linked(Person::Alice, Person::Alice).await;
    let browser = stack.browser();
    let ways = browser.visits(&stack.at("/sign-in")).await;
    let page = ways.presses(SIGN_IN).await.followed().await;
    let complete = stack.magento.signs_in(&page, Person::Alice).await.follows().await;
    let url = complete.location().unwrap();
    assert_eq!(url.path(), "/sign-in/complete", "{complete:?}");

    let (stranger, starter) = (stack.browser(), stack.browser());
    starter.visits(&stack.at("/sign-in")).await.presses(SIGN_IN).await;
    for other in [&stranger, &starter] {
        let refused = other.types(url.as_str()).await;
        assert_eq!(refused.outcome().as_deref(), Some("ticket_unknown"), "{refused:?}");
        assert_eq!(session_of(&stack, other), None);
    }
    let settings = complete.followed().await;
    assert_eq!(settings.url().as_str(), stack.at("/user"), "nobody else could spend it");
}

async fn what_cannot_be_asked_is_not_allowed(setup: Setup) {
    let stack = setup.start().await;
    let ways = stack.browser().visits(&stack.at("/sign-in")).await;
    stack
        .database_proxy
        .next("GetItem", [Fate::throttled(), Fate::throttled(), Fate::throttled()]);

    let refused = ways.presses(Person::Alice.account_email()).await.followed().await;

    assert_eq!(
        refused.outcome().as_deref(),
        Some("temporarily_unavailable"),
        "{refused:?}"
    );
    assert!(
        refused.page().text.contains("Try again in a few seconds"),
        "{refused:?}"
    );
    assert_eq!(session_of(&stack, refused.browser()), None);
}

async fn the_history_tells_what_happened_and_who_did_it(setup: Setup) {
    let stack = setup.with("LINKING_REQUIRED_FROM", "never").start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);
    settings.posting("/sso/magento/unlink", &[]).send().await;

    let here = settings.link("Account history").send().await.page().text;
    let elsewhere = stack.signed_in(Person::Alice).await;
    let there = elsewhere.link("Account history").send().await.page().text;

    for (text, who) in [(here, "in this session"), (there, "in another session of yours")] {
        let (latest, first) = text.split_once("Connected to Magento.com").unwrap();
        assert!(latest.contains("Disconnected from Magento.com"), "{text}");
        assert!(latest.contains(who) && first.contains(who), "{text}");
        assert!(
            !text.contains("shop.example"),
            "no address of anybody's identity: {text}"
        );
    }
    let bruno = stack.signed_in(Person::Bruno).await;
    let text = bruno.link("Account history").send().await.page().text;
    assert!(text.contains("Nothing has happened yet"), "{text}");
}

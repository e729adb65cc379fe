//! Method 1: sign in at Magento.com on the way.

use harness::{
    browser::Answer,
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup},
};
use serde_json::json;

on_every_combination!(
    signing_in_on_the_way_links,
    linking_the_same_identity_again_keeps_the_link_as_it_was,
    an_identity_belongs_to_one_account_only,
    a_linked_account_takes_no_second_identity,
);

async fn signing_in_on_the_way_links(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    assert_eq!(stack.status(&settings).await["status"], "not_linked");

    let started = settings.presses(CONNECT).await;
    assert_eq!(started.status, 303, "{started:?}");
    let cookies = started.set_cookies();
    let [cookie] = cookies.as_slice() else {
        panic!("one flow, one cookie: {cookies:?}")
    };
    assert!(
        cookie.starts_with("__Host-sso-flow-") && cookie.len() <= 1024,
        "{cookie}"
    );
    assert!(
        cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"),
        "{cookie}"
    );
    assert!(
        stack.contents().await.is_empty(),
        "nothing is written before the provider's answer"
    );

    let sign_in = started.followed().await;
    assert_eq!(sign_in.url().host_str(), Some("magento.localhost"));
    let back = stack.magento.signs_in(&sign_in, Person::Alice).await;
    let linked = back.follows().await;
    assert_eq!(linked.status, 303, "{linked:?}");
    assert_eq!(
        linked.header("location"),
        Some(&*stack.at("/user?sso=linked&provider=magento"))
    );
    assert!(is_cleared(&linked, "__Host-sso-flow-"), "{linked:?}");

    let settings = linked.followed().await;
    let status = stack.status(&settings).await;
    assert_eq!(status["status"], "linked");
    assert_eq!(status["link"]["email"], "a***@example.com");
    assert_eq!(status["provider"], json!({"id": "magento", "name": "Magento.com"}));
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Alice)),
        "{contents:?}"
    );
    assert_eq!(contents.links[0].email.as_deref(), Some("alice@example.com"));
    assert_eq!((contents.history(), contents.claims), (vec!["linked"], 1));
    assert_eq!(stack.provider_calls().await.token, 1);
}

/// Whether `answer` takes away the cookies whose names start with `prefix`, which the browser then has no more.
fn is_cleared(answer: &Answer, prefix: &str) -> bool {
    let gone = |cookie: &&str| cookie.starts_with(prefix) && cookie.contains("=; ") && cookie.contains("Max-Age=0");
    let left = answer.browser().cookies_for(answer.url().as_str());
    answer.set_cookies().iter().any(gone) && !left.iter().any(|cookie| cookie.name.starts_with(prefix))
}

async fn linking_the_same_identity_again_keeps_the_link_as_it_was(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    let before = stack.contents().await;

    stack.clock().move_by_ms(5);
    let again = settings.presses(CONNECT).await.followed().await;
    assert_eq!(again.outcome().as_deref(), Some("linked"), "{again:?}");

    let after = stack.contents().await;
    assert_eq!(after.links, before.links);
    assert_eq!(after.history(), ["linked", "linked"]);
}

async fn an_identity_belongs_to_one_account_only(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    stack.linked(Person::Alice, Person::Alice).await;

    let bruno = stack.signed_in(Person::Bruno).await;
    let page = bruno.presses(CONNECT).await.followed().await;
    let landed = stack.magento.signs_in(&page, Person::Alice).await.followed().await;

    assert_eq!(landed.outcome().as_deref(), Some("identity_in_use"), "{landed:?}");
    assert!(
        !landed.url().as_str().contains("acct"),
        "whose it is is nobody's business: {}",
        landed.url()
    );
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Alice)),
        "{contents:?}"
    );
    assert_eq!(contents.history(), ["linked", "identity_in_use"]);
    assert_eq!(stack.status(&landed).await["status"], "not_linked");
}

async fn a_linked_account_takes_no_second_identity(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;

    let landed = stack.brings(&settings, Person::Bruno).await;

    assert_eq!(
        landed.outcome().as_deref(),
        Some("account_already_linked"),
        "{landed:?}"
    );
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Alice)),
        "{contents:?}"
    );
}

//! Method 2: signed in at Magento.com already, in another tab.

use harness::{
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup},
};

on_every_combination!(
    one_click_links_whoever_is_signed_in_at_magento_already,
    the_session_at_magento_outlives_the_one_at_accounts,
);

async fn one_click_links_whoever_is_signed_in_at_magento_already(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    // Another tab: somebody signs in at Magento.com and does not come back.
    let other_tab = settings.presses(CONNECT).await.followed().await;
    stack.magento.signs_in(&other_tab, Person::Alice).await;

    let mut step = settings.presses(CONNECT).await;
    while step.location().is_some() {
        step = step.follows().await;
        assert!(
            step.location().is_some() || step.url().path() == "/user",
            "a page on the way: {step:?}"
        );
    }

    assert_eq!(step.outcome().as_deref(), Some("linked"), "{step:?}");
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Alice)),
        "{contents:?}"
    );
}

async fn the_session_at_magento_outlives_the_one_at_accounts(setup: Setup) {
    let stack = setup.start().await;
    let alice = stack.browser();
    let settings = stack.signs_in(&alice, Person::Alice).await;
    let page = settings.presses(CONNECT).await.followed().await;
    stack.magento.signs_in(&page, Person::Alice).await.followed().await;

    // Somebody else signs in at accounts.magento.cloud on the same machine; Alice is still signed in at Magento.com.
    settings.presses("Sign out").await;
    let settings = stack.signs_in(&alice, Person::Bruno).await;
    let landed = settings.presses(CONNECT).await.followed().await;

    assert_eq!(
        landed.outcome().as_deref(),
        Some("confirm"),
        "another address, so nothing happens unasked: {landed:?}"
    );
    assert_eq!(stack.contents().await.links.len(), 1);
}

//! Several flows in one browser.

use harness::{
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup},
};

on_every_combination!(
    two_tabs_finish_in_the_other_order,
    two_tabs_with_two_identities_link_the_first,
    a_fifth_tab_ends_the_oldest,
    a_double_click_starts_two_flows_and_either_links,
);

async fn two_tabs_finish_in_the_other_order(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let (first, second) = (settings.presses(CONNECT).await, settings.presses(CONNECT).await);
    let (first, second) = (first.followed().await, second.followed().await);

    let second = stack.magento.signs_in(&second, Person::Alice).await.followed().await;
    assert_eq!(second.outcome().as_deref(), Some("linked"), "{second:?}");
    let first = stack.magento.signs_in(&first, Person::Alice).await.followed().await;
    assert_eq!(first.outcome().as_deref(), Some("linked"), "{first:?}");

    let contents = stack.contents().await;
    assert_eq!(
        (contents.links.len(), contents.history(), contents.claims),
        (1, vec!["linked", "linked"], 2)
    );
}

async fn two_tabs_with_two_identities_link_the_first(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let (first, second) = (settings.presses(CONNECT).await, settings.presses(CONNECT).await);
    let (first, second) = (first.followed().await, second.followed().await);

    let first = stack.magento.signs_in(&first, Person::Bruno).await.followed().await;
    assert_eq!(first.outcome().as_deref(), Some("linked"), "{first:?}");
    let second = stack.magento.signs_in(&second, Person::Chloe).await.followed().await;
    assert_eq!(
        second.outcome().as_deref(),
        Some("account_already_linked"),
        "{second:?}"
    );

    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Alice, Person::Bruno)),
        "{contents:?}"
    );
}

async fn a_fifth_tab_ends_the_oldest(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let oldest = settings.presses(CONNECT).await.followed().await;
    for _ in 0..4 {
        stack.clock().move_by_ms(1000);
        settings.presses(CONNECT).await;
    }
    let cookies = settings.browser().cookies_for(&stack.at("/"));
    assert_eq!(
        cookies
            .iter()
            .filter(|cookie| cookie.name.starts_with("__Host-sso-flow-"))
            .count(),
        4
    );

    let answer = stack.magento.signs_in(&oldest, Person::Alice).await.follows().await;

    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(
        (stack.contents().await.claims, stack.provider_calls().await.token),
        (0, 0)
    );
}

async fn a_double_click_starts_two_flows_and_either_links(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let (_, second) = tokio::join!(settings.presses(CONNECT), settings.presses(CONNECT));

    let page = second.followed().await;
    let landed = stack.magento.signs_in(&page, Person::Alice).await.followed().await;

    assert_eq!(landed.outcome().as_deref(), Some("linked"), "{landed:?}");
    assert_eq!(stack.contents().await.links.len(), 1);
}

//! The whole journey without a script: the section's links lead to pages of the functions' own, with the same forms.

use harness::{
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup},
};

on_every_combination!(
    the_status_page_starts_a_flow_and_tells_its_end,
    the_confirm_page_shows_and_decides
);

async fn the_status_page_starts_a_flow_and_tells_its_end(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;

    let status = settings.link("Show the status").send().await;
    assert_eq!(status.status, 200, "{status:?}");
    assert_eq!(status.header("referrer-policy"), Some("same-origin"));
    assert!(status.page().text.contains("Not connected"), "{status:?}");
    let page = status.presses(CONNECT).await.followed().await;
    let landed = stack.magento.signs_in(&page, Person::Alice).await.followed().await;

    assert_eq!(landed.outcome().as_deref(), Some("linked"), "{landed:?}");
    let status = landed.link("Show the status").send().await;
    assert!(status.page().text.contains("a***@example.com"), "{status:?}");
}

async fn the_confirm_page_shows_and_decides(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;

    let confirm = asked.link("Confirm the connection").send().await;
    assert_eq!(confirm.header("referrer-policy"), Some("same-origin"));
    let text = confirm.page().text;
    assert!(
        text.contains("bruno@example.com") && text.contains("bruno.keller@shop.example"),
        "{text}"
    );
    let [form] = confirm
        .page()
        .forms
        .try_into()
        .unwrap_or_else(|forms| panic!("one form: {forms:?}"));
    let label = &form
        .buttons
        .iter()
        .find(|button| button.field.as_ref().is_some_and(|field| field.1 == "link"))
        .unwrap()
        .label;
    let confirmed = confirm.presses(label).await;

    assert_eq!(confirmed.outcome().as_deref(), Some("linked"), "{confirmed:?}");
    assert_eq!(stack.contents().await.links.len(), 1);
}

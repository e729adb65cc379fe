//! "I have no Magento.com account yet".

use harness::{magento::Person, on_every_combination, stack::Setup};

const NO_ACCOUNT_YET: &str = "I have no Magento.com account yet";

on_every_combination!(
    creating_an_account_with_the_same_address_links_it,
    creating_an_account_with_another_address_asks_first,
);

async fn creating_an_account_with_the_same_address_links_it(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Bruno).await;

    let page = settings.presses(NO_ACCOUNT_YET).await.followed().await;
    assert!(
        page.page().text.contains("Create a Magento.com account"),
        "straight to registration: {page:?}"
    );
    let landed = stack
        .magento
        .creates_account(&page, "bruno@example.com")
        .await
        .followed()
        .await;

    assert_eq!(landed.outcome().as_deref(), Some("linked"), "{landed:?}");
    let contents = stack.contents().await;
    assert_eq!(contents.links.len(), 1);
    assert_eq!(contents.links[0].account, Person::Bruno.account_id());
    assert_eq!(contents.links[0].email.as_deref(), Some("bruno@example.com"));
}

async fn creating_an_account_with_another_address_asks_first(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;

    let page = settings.presses(NO_ACCOUNT_YET).await.followed().await;
    let landed = stack
        .magento
        .creates_account(&page, "somebody.new@example.com")
        .await
        .followed()
        .await;

    assert_eq!(landed.outcome().as_deref(), Some("confirm"), "{landed:?}");
    assert_eq!(stack.contents().await.links, []);
}

//! "Use another Magento.com account": the provider shows its account chooser.

use harness::{
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup},
};

on_every_combination!(whoever_is_signed_in_at_magento_can_still_choose);

async fn whoever_is_signed_in_at_magento_can_still_choose(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let other_tab = settings.presses(CONNECT).await.followed().await;
    stack.magento.signs_in(&other_tab, Person::Bruno).await;

    let chooser = settings
        .presses("Use another Magento.com account")
        .await
        .followed()
        .await;
    assert!(
        chooser.page().text.contains("Choose a Magento.com account"),
        "{chooser:?}"
    );
    let landed = stack
        .magento
        .continues_as(&chooser, Person::Bruno)
        .await
        .followed()
        .await;

    assert_eq!(landed.outcome().as_deref(), Some("confirm"), "{landed:?}");
}

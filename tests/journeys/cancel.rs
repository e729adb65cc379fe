//! Somebody changes their mind at Magento.com.

use harness::{
    magento::Person,
    on_every_combination,
    stack::{CONNECT, Setup},
};

on_every_combination!(
    cancelling_leaves_everything_as_it_was,
    whoever_cancelled_can_begin_again
);

async fn cancelling_leaves_everything_as_it_was(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;

    let page = settings.presses(CONNECT).await.followed().await;
    let back = stack.magento.cancels(&page).await;
    let landed = back.clone().followed().await;

    assert_eq!(landed.outcome().as_deref(), Some("cancelled"), "{landed:?}");
    assert_eq!(landed.url().path(), "/user");
    let contents = stack.contents().await;
    assert_eq!((contents.links, contents.events), (vec![], vec![]));
    assert_eq!(stack.provider_calls().await.token, 0);
    assert_eq!(stack.status(&landed).await["status"], "not_linked");

    let again = back.follows().await;
    assert_eq!(again.status, 400, "a flow that was cancelled is over: {again:?}");
}

async fn whoever_cancelled_can_begin_again(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings.presses(CONNECT).await.followed().await;
    let landed = stack.magento.cancels(&page).await.followed().await;

    let page = landed.presses(CONNECT).await.followed().await;
    let landed = stack.magento.signs_in(&page, Person::Alice).await.followed().await;

    assert_eq!(landed.outcome().as_deref(), Some("linked"), "{landed:?}");
}

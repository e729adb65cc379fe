//! A linked account disconnects, and what that means for everything begun before.

use account_linking::identity::AccountId;
use harness::{
    iam,
    magento::Person,
    on_every_combination,
    stack::{CHOOSE, Setup},
};
use http::Method;

on_every_combination!(
    disconnecting_frees_the_identity_at_once,
    the_page_without_javascript_names_both_accounts_and_disconnects,
    a_flow_begun_before_disconnecting_comes_to_nothing,
    a_confirmation_from_before_disconnecting_comes_to_nothing,
    support_disconnects_and_stays_in_the_history,
    a_conflict_says_what_to_do_and_disconnecting_there_is_a_way_out,
);

const UNLINK: &str = "/sso/magento/unlink";

async fn disconnecting_frees_the_identity_at_once(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);
    stack.database_proxy.calls();

    let unlinked = settings.posting(UNLINK, &[]).send().await;

    assert_eq!(stack.database_proxy.operations(), ["GetItem", "TransactWriteItems"]);
    let landed = unlinked.followed().await;
    assert_eq!(landed.outcome().as_deref(), Some("unlinked"), "{landed:?}");
    assert_eq!(stack.status(&landed).await["status"], "not_linked");
    stack.linked(Person::Chloe, Person::Alice).await;
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Chloe, Person::Alice)),
        "{contents:?}"
    );
    assert_eq!(contents.history(), ["linked", "unlinked", "linked"]);
}

async fn the_page_without_javascript_names_both_accounts_and_disconnects(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;

    let status = settings.link("Show the status").send().await;
    let text = status.page().text;
    let warning =
        "Your Magento.com account (a***@example.com) will no longer open your cloud account (alice@example.com).";
    assert!(text.contains(warning), "{text}");
    let landed = status.presses("Disconnect").await.followed().await;

    assert_eq!(landed.outcome().as_deref(), Some("unlinked"), "{landed:?}");
    assert!(stack.contents().await.links.is_empty());
}

async fn a_flow_begun_before_disconnecting_comes_to_nothing(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let settings = stack.signed_in(Person::Alice).await;
    let page = settings.presses(CHOOSE).await.followed().await;
    let answered = stack.magento.signs_in(&page, Person::Alice).await;
    stack.clock().move_by_ms(1000);

    settings.posting(UNLINK, &[]).send().await;
    let landed = answered.followed().await;

    assert_eq!(landed.status, 400, "{landed:?}");
    assert!(stack.contents().await.links.is_empty());
}

async fn a_confirmation_from_before_disconnecting_comes_to_nothing(setup: Setup) {
    let stack = setup.start().await;
    let asked = stack.asked_to_confirm(Person::Bruno, Person::Bruno).await;
    let shown = asked
        .fetching(Method::GET, "/sso/magento/confirm", "application/json")
        .send()
        .await
        .json();
    stack.clock().move_by_ms(1000);

    asked.posting(UNLINK, &[]).send().await;
    let confirmation = shown["confirmation"].as_str().unwrap();
    let fields = [("decision", "link"), ("confirmation", confirmation)];
    let decided = asked.posting("/sso/magento/confirm", &fields).send().await;

    assert_eq!(decided.outcome().as_deref(), Some("nothing_to_confirm"), "{decided:?}");
    assert!(stack.contents().await.links.is_empty());
}

async fn support_disconnects_and_stays_in_the_history(setup: Setup) {
    let stack = setup.start().await;
    let settings = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);
    let account = AccountId::parse(Person::Alice.account_id()).unwrap();
    let path = format!("/sso/magento/accounts/{}/link", account.to_path_segment());
    stack.database_proxy.calls();

    let answer = iam::calls(&stack, &Method::DELETE, &path, None).await;

    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(stack.database_proxy.operations(), ["GetItem", "TransactWriteItems"]);
    assert_eq!(stack.status(&settings).await["status"], "not_linked");
    let items = stack.database.items().await;
    let event = items.iter().find(|item| item["kind"]["S"] == "unlinked").unwrap();
    assert_eq!(event["by"]["S"], iam::ACCESS_KEY_ID);
    assert_eq!(event.get("session"), None);
}

async fn a_conflict_says_what_to_do_and_disconnecting_there_is_a_way_out(setup: Setup) {
    let stack = setup.with("CONFIRM_LINK", "never").start().await;
    let there = stack.linked(Person::Alice, Person::Alice).await;
    stack.clock().move_by_ms(1000);
    let here = stack.signed_in(Person::Chloe).await;

    let refused = stack.brings(&here, Person::Alice).await;
    assert_eq!(refused.outcome().as_deref(), Some("identity_in_use"), "{refused:?}");
    assert!(!format!("{refused:?}").contains(Person::Alice.account_id()));
    // What support finds the request by travels along, and the page for browsers without scripts shows it.
    let reference = refused.parameter("request_id").unwrap();
    let text = refused.link("Show the status").send().await.page().text;
    for said in [
        "sign in to it and disconnect it first",
        &format!("Reference for support: {reference}"),
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    there.posting(UNLINK, &[]).send().await;
    let linked = stack.brings(&here, Person::Alice).await;

    assert_eq!(linked.outcome().as_deref(), Some("linked"), "{linked:?}");
    let contents = stack.contents().await;
    assert!(
        matches!(contents.links.as_slice(), [link] if link.joins(Person::Chloe, Person::Alice)),
        "{contents:?}"
    );
}

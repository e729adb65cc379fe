//! The table was restored to an earlier instant: what comes back that nobody wants, and what ends it (docs/operate.md).

use account_linking::identity::AccountId;
use harness::{
    browser::Answer,
    engines::Engine,
    iam,
    magento::{Magento, Person},
    stack::{CHOOSE, Setup, Stack},
};
use http::Method;

/// Where a sign-in with Alice's identity ends, in a browser that has no session.
async fn signs_in_by_magento(stack: &Stack) -> Answer {
    let ways = stack.browser().visits(&stack.at("/sign-in")).await;
    let page = ways.presses("Sign in with Magento.com").await.followed().await;
    stack.magento.signs_in(&page, Person::Alice).await.followed().await
}

#[tokio::test]
async fn a_link_that_was_ended_since_comes_back_and_is_ended_again_for_good() {
    for engine in [Engine::Embedded, Engine::DynamoDbLocal] {
        let stack = Setup::new(engine, Magento::Development).start().await;
        let settings = stack.linked(Person::Alice, Person::Alice).await;
        let at_the_instant = stack.database.items().await;
        stack.clock().move_by_ms(1000);
        settings.posting("/sso/magento/unlink", &[]).send().await;
        assert_eq!(stack.status(&settings).await["status"], "not_linked");
        stack.clock().move_by_ms(1000);
        let page = settings.presses(CHOOSE).await.followed().await;
        let begun_before = stack.magento.signs_in(&page, Person::Alice).await;

        stack.database.clear().await;
        for item in at_the_instant {
            stack.database.put(item).await;
        }
        assert_eq!(stack.status(&settings).await["status"], "linked");
        let landed = signs_in_by_magento(&stack).await;
        assert_eq!(landed.url().as_str(), stack.at("/user"), "{landed:?}");

        stack.clock().move_by_ms(1000);
        let account = AccountId::parse(Person::Alice.account_id()).unwrap().to_path_segment();
        let path = format!("/sso/magento/accounts/{account}/link");
        let ended = iam::calls(&stack, &Method::DELETE, &path, None).await;
        assert_eq!(ended.status, 204, "{ended:?}");
        assert_eq!(stack.status(&settings).await["status"], "not_linked");
        let landed = signs_in_by_magento(&stack).await;
        assert_eq!(landed.outcome().as_deref(), Some("not_linked"), "{landed:?}");
        // Nor does a flow from before bring it back.
        let landed = begun_before.followed().await;
        assert_eq!(landed.status, 400, "{landed:?}");
        assert!(stack.contents().await.links.is_empty());
    }
}

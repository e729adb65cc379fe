//! Unlinking.

use account_linking::{
    link::{Actor, IdentityFingerprint},
    table::{TableError, Unlinked},
};
use harness::database_proxy::Fate;
use serde_json::json;

use crate::world::{
    World, account, at, attempt, deadline, event_id, identity, magento, on_both_engines, said, session,
};

on_both_engines![
    unlinking_leaves_a_tombstone_and_an_event_and_nothing_else,
    an_unlinked_identity_is_free_at_once,
    unlinking_what_is_not_linked_makes_its_flows_worthless_all_the_same,
    unlinking_again_moves_the_tombstone,
    unlinking_never_moves_the_tombstone_back,
    an_operator_is_kept_in_the_history,
    an_owner_that_is_gone_does_not_stop_unlinking,
    an_unlinking_overtaken_by_a_switch_ends_the_new_link,
    an_unlinking_overtaken_by_a_first_link_ends_it,
    an_unlinking_overtaken_by_the_same_identity_linked_anew_ends_that_link,
    a_link_made_anew_is_another_even_when_the_tombstone_stood_still,
    st_08_a_link_made_anew_is_another_even_when_its_date_is_the_same,
    an_unlinking_overtaken_twice_writes_nothing,
];

async fn unlinking_leaves_a_tombstone_and_an_event_and_nothing_else(world: World) {
    let linked = world.link("alice", "maria", at(0)).await;
    let (actor, event) = (Actor::Session(session("alice")), event_id());

    let unlinked = world
        .table
        .unlink(&account("alice"), &magento(), &actor, event, at(10), deadline())
        .await;

    assert_eq!(unlinked.unwrap(), Unlinked::Ended);
    let linking = format!("EVENT#{}", linked.flow_id);
    let rest: Vec<_> = world
        .database
        .items()
        .await
        .into_iter()
        .filter(|item| item["sk"]["S"] != linking)
        .collect();
    assert_eq!(
        rest,
        [
            json!({
                "pk": {"S": "ACCOUNT#alice"},
                "sk": {"S": format!("EVENT#{event}")},
                "kind": {"S": "unlinked"},
                "at": {"N": at(10).unix_ms().to_string()},
                "provider": {"S": "magento"},
                "identity": {"S": IdentityFingerprint::of(&identity("maria")).to_string()},
                "session": {"S": session("alice").to_string()},
            }),
            json!({
                "pk": {"S": "ACCOUNT#alice"},
                "sk": {"S": "LINK#magento"},
                "flows_valid_after": {"N": at(10).unix_ms().to_string()},
            }),
        ]
    );
}

async fn an_unlinked_identity_is_free_at_once(world: World) {
    world.link("alice", "maria", at(0)).await;
    world.unlink("alice", at(10)).await.unwrap();

    world.link("bob", "maria", at(5)).await; // begun before it was free

    assert_eq!(world.linked_subject("bob").await.as_deref(), Some("maria"));
    assert_eq!(world.linked_subject("alice").await, None);
}

async fn unlinking_what_is_not_linked_makes_its_flows_worthless_all_the_same(world: World) {
    let begun = attempt("alice", "maria", at(0));

    assert_eq!(said(&world.unlink("alice", at(5)).await), "Ok(NothingLinked)");

    assert_eq!(said(&world.commit(&begun, at(10)).await), "Err(FlowOutdated)");
    assert!(world.history("alice").await.is_empty());
}

async fn unlinking_again_moves_the_tombstone(world: World) {
    world.link("alice", "maria", at(0)).await;
    assert_eq!(said(&world.unlink("alice", at(10)).await), "Ok(Ended)");

    assert_eq!(said(&world.unlink("alice", at(20)).await), "Ok(NothingLinked)");

    assert_eq!(world.read("alice").await.flows_valid_after, Some(at(20)));
    assert_eq!(world.history("alice").await, ["linked", "unlinked"]);
}

async fn unlinking_never_moves_the_tombstone_back(world: World) {
    world.unlink("alice", at(10)).await.unwrap();

    assert_eq!(said(&world.unlink("alice", at(9)).await), "Ok(NothingLinked)");
    assert_eq!(world.read("alice").await.flows_valid_after, Some(at(10)));

    world.link("alice", "maria", at(11)).await;
    assert_eq!(said(&world.unlink("alice", at(9)).await), "Ok(Ended)");
    assert_eq!(world.read("alice").await.flows_valid_after, Some(at(10)));
}

async fn an_operator_is_kept_in_the_history(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (actor, event) = (Actor::Iam("arn:aws:iam::123456789012:user/olga".to_owned()), event_id());

    world
        .table
        .unlink(&account("alice"), &magento(), &actor, event, at(10), deadline())
        .await
        .unwrap();

    let event = world.item("ACCOUNT#alice", &format!("EVENT#{event}")).await.unwrap();
    assert_eq!(event["by"]["S"], "arn:aws:iam::123456789012:user/olga");
    assert_eq!(event.get("session"), None);
}

async fn an_owner_that_is_gone_does_not_stop_unlinking(world: World) {
    world.link("alice", "maria", at(0)).await;
    let owner = json!({"pk": {"S": "IDENTITY#https://magento.example#maria"}, "sk": {"S": "OWNER"}});
    world.database.call("DeleteItem", json!({"Key": owner})).await;

    assert_eq!(said(&world.unlink("alice", at(10)).await), "Ok(Ended)");
}

async fn an_unlinking_overtaken_by_a_switch_ends_the_new_link(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;
    let (fate, held) = Fate::hold();
    proxy.next("TransactWriteItems", [fate]);

    let switch = attempt("alice", "mario", at(10));
    let (unlinked, switched) = tokio::join!(
        behind.unlink("alice", at(20)),
        held.meanwhile(world.switch(&switch, at(15)))
    );

    switched.unwrap();
    assert_eq!(unlinked.unwrap(), Unlinked::Ended);
    assert_eq!(
        proxy.operations(),
        ["GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems"]
    );
    assert_eq!(world.linked_subject("alice").await, None);
    assert_eq!(
        world.item("IDENTITY#https://magento.example#mario", "OWNER").await,
        None
    );
    assert_eq!(world.history("alice").await, ["linked", "switched", "unlinked"]);
}

async fn an_unlinking_overtaken_by_a_first_link_ends_it(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    let (fate, held) = Fate::hold();
    proxy.next("UpdateItem", [fate]);

    let (unlinked, _) = tokio::join!(
        behind.unlink("alice", at(20)),
        held.meanwhile(world.link("alice", "maria", at(0)))
    );

    assert_eq!(unlinked.unwrap(), Unlinked::Ended);
    assert_eq!(
        proxy.operations(),
        ["GetItem", "UpdateItem", "GetItem", "TransactWriteItems"]
    );
    assert_eq!(world.linked_subject("alice").await, None);
}

async fn an_unlinking_overtaken_by_the_same_identity_linked_anew_ends_that_link(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;
    let (fate, held) = Fate::hold();
    proxy.next("TransactWriteItems", [fate]);

    let meanwhile = async {
        world.unlink("alice", at(10)).await.unwrap();
        world.link("alice", "maria", at(11)).await;
    };
    let (unlinked, ()) = tokio::join!(behind.unlink("alice", at(20)), held.meanwhile(meanwhile));

    assert_eq!(unlinked.unwrap(), Unlinked::Ended);
    assert_eq!(proxy.operations().len(), 4);
    assert_eq!(world.read("alice").await.flows_valid_after, Some(at(20)));
    assert_eq!(
        world.history("alice").await,
        ["linked", "unlinked", "linked", "unlinked"]
    );
}

async fn a_link_made_anew_is_another_even_when_the_tombstone_stood_still(world: World) {
    // The tombstone is from a machine whose clock is ahead, so that the unlinking in between does not move it.
    world.unlink("alice", at(100)).await.unwrap();
    world.link("alice", "maria", at(101)).await;
    let (behind, proxy) = world.behind_proxy().await;
    let (fate, held) = Fate::hold();
    proxy.next("TransactWriteItems", [fate]);

    let meanwhile = async {
        world.unlink("alice", at(90)).await.unwrap();
        world.link("alice", "maria", at(110)).await;
    };
    let (unlinked, ()) = tokio::join!(behind.unlink("alice", at(95)), held.meanwhile(meanwhile));

    assert_eq!(unlinked.unwrap(), Unlinked::Ended);
    assert_eq!(proxy.operations().len(), 4);
}

async fn st_08_a_link_made_anew_is_another_even_when_its_date_is_the_same(world: World) {
    // Without a tombstone, and with one.
    world.unlink("bob", at(1)).await.unwrap();
    for (account, subject) in [("alice", "maria"), ("bob", "mario")] {
        world.link(account, subject, at(2)).await;
        let (behind, proxy) = world.behind_proxy().await;
        let (fate, held) = Fate::hold();
        proxy.next("TransactWriteItems", [fate]);

        let meanwhile = async {
            world.unlink(account, at(20)).await.unwrap();
            // Committed by a machine whose clock is behind.
            world.commit(&attempt(account, subject, at(21)), at(7)).await.unwrap();
        };
        let (unlinked, ()) = tokio::join!(behind.unlink(account, at(19)), held.meanwhile(meanwhile));

        assert_eq!(unlinked.unwrap(), Unlinked::Ended);
        assert_eq!(
            world.read(account).await.flows_valid_after,
            Some(at(20)),
            "it went back"
        );
    }
}

async fn an_unlinking_overtaken_twice_writes_nothing(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;
    let ((first, while_first), (second, while_second)) = (Fate::hold(), Fate::hold());
    proxy.next("TransactWriteItems", [first, second]);

    let meanwhile = async {
        let switch = attempt("alice", "mario", at(10));
        while_first.meanwhile(world.switch(&switch, at(11))).await.unwrap();
        let switch = attempt("alice", "maria", at(20));
        while_second.meanwhile(world.switch(&switch, at(21))).await.unwrap();
    };
    let (unlinked, ()) = tokio::join!(behind.unlink("alice", at(30)), meanwhile);

    assert!(matches!(unlinked, Err(TableError::Conflict { .. })), "{unlinked:?}");
    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("maria"));
    assert_eq!(world.history("alice").await, ["linked", "switched", "switched"]);
}

//! Switching to another identity.

use account_linking::table::{CommitError, TableError};
use harness::database_proxy::Fate;
use serde_json::json;

use crate::world::{World, at, attempt, identity, on_both_engines, said};

on_both_engines![
    a_switch_replaces_the_link_and_frees_the_old_identity,
    a_switch_makes_flows_from_before_worthless,
    a_switch_with_nothing_linked_is_a_plain_commit,
    a_switch_to_the_same_identity_is_a_plain_commit,
    a_switch_to_an_identity_in_use_leaves_the_old_link,
    a_switch_after_an_unlink_is_refused,
    a_switch_after_an_unlink_and_a_new_link_is_refused,
    a_switch_sent_twice_switches_once,
    a_switch_never_moves_the_tombstone_back,
    a_switch_overtaken_by_a_first_link_is_tried_once_more,
    a_switch_overtaken_by_an_unlink_writes_nothing,
    a_switch_overtaken_by_the_same_identity_linked_anew_writes_nothing,
    a_switch_overtaken_twice_gives_up,
    a_switch_never_takes_an_identity_from_another_account,
];

async fn a_switch_replaces_the_link_and_frees_the_old_identity(world: World) {
    world.link("alice", "maria", at(0)).await;
    let mut attempt_ = attempt("alice", "mario", at(10));
    attempt_.email = None;

    assert_eq!(said(&world.switch(&attempt_, at(15)).await), "Ok(Switched)");

    let link = world.item("ACCOUNT#alice", "LINK#magento").await.unwrap();
    assert_eq!(
        link,
        json!({
            "pk": {"S": "ACCOUNT#alice"},
            "sk": {"S": "LINK#magento"},
            "issuer": {"S": "https://magento.example"},
            "subject": {"S": "mario"},
            "linked_at": {"N": at(15).unix_ms().to_string()},
            "flows_valid_after": {"N": at(15).unix_ms().to_string()},
        })
    );
    assert_eq!(
        world.item("IDENTITY#https://magento.example#maria", "OWNER").await,
        None
    );
    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("mario"));
    assert_eq!(world.history("alice").await, ["linked", "switched"]);
    world.link("bob", "maria", at(16)).await;
}

async fn a_switch_makes_flows_from_before_worthless(world: World) {
    world.link("alice", "maria", at(0)).await;
    let earlier = attempt("alice", "mario", at(14));
    world.switch(&attempt("alice", "mario", at(10)), at(15)).await.unwrap();

    assert_eq!(said(&world.commit(&earlier, at(16)).await), "Err(FlowOutdated)");
    assert_eq!(said(&world.switch(&earlier, at(16)).await), "Err(FlowOutdated)");
    assert_eq!(
        said(&world.switch(&attempt("alice", "maria", at(16)), at(17)).await),
        "Ok(Switched)"
    );
}

async fn a_switch_with_nothing_linked_is_a_plain_commit(world: World) {
    assert_eq!(
        said(&world.switch(&attempt("alice", "maria", at(10)), at(15)).await),
        "Ok(Linked)"
    );

    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("maria"));
    assert_eq!(world.read("alice").await.flows_valid_after, None);
    assert_eq!(world.history("alice").await, ["linked"]);
}

async fn a_switch_to_the_same_identity_is_a_plain_commit(world: World) {
    world.link("alice", "maria", at(0)).await;

    assert_eq!(
        said(&world.switch(&attempt("alice", "maria", at(10)), at(15)).await),
        "Ok(Linked)"
    );

    let record = world.read("alice").await;
    assert_eq!(record.flows_valid_after, None);
    assert_eq!(record.link.unwrap().linked_at, at(5));
    assert_eq!(world.history("alice").await, ["linked", "linked"]);
}

async fn a_switch_to_an_identity_in_use_leaves_the_old_link(world: World) {
    world.link("alice", "maria", at(0)).await;
    world.link("bob", "mario", at(0)).await;
    let before = world.database.items().await;

    assert_eq!(
        said(&world.switch(&attempt("alice", "mario", at(10)), at(15)).await),
        "Err(IdentityInUse)"
    );

    assert_eq!(world.database.items().await, before);
}

async fn a_switch_after_an_unlink_is_refused(world: World) {
    world.link("alice", "maria", at(0)).await;
    world.unlink("alice", at(12)).await.unwrap();

    assert_eq!(
        said(&world.switch(&attempt("alice", "mario", at(10)), at(15)).await),
        "Err(FlowOutdated)"
    );

    assert_eq!(world.linked_subject("alice").await, None);
}

async fn a_switch_after_an_unlink_and_a_new_link_is_refused(world: World) {
    world.link("alice", "maria", at(0)).await;
    world.unlink("alice", at(12)).await.unwrap();
    world.link("alice", "maria", at(13)).await;

    assert_eq!(
        said(&world.switch(&attempt("alice", "mario", at(10)), at(20)).await),
        "Err(FlowOutdated)"
    );

    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("maria"));
}

async fn a_switch_sent_twice_switches_once(world: World) {
    world.link("alice", "maria", at(0)).await;
    let attempt = attempt("alice", "mario", at(10));
    world.switch(&attempt, at(15)).await.unwrap();
    let before = world.database.items().await;

    assert_eq!(said(&world.switch(&attempt, at(16)).await), "Ok(Switched)");

    assert_eq!(world.database.items().await, before);
}

async fn a_switch_never_moves_the_tombstone_back(world: World) {
    world.unlink("alice", at(5)).await.unwrap();
    world.link("alice", "maria", at(6)).await;

    // This machine's clock is behind the one that saw the unlinking.
    world.switch(&attempt("alice", "mario", at(10)), at(4)).await.unwrap();

    assert_eq!(world.read("alice").await.flows_valid_after, Some(at(5)));
}

async fn a_switch_overtaken_by_a_first_link_is_tried_once_more(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    let (fate, held) = Fate::hold();
    proxy.next("TransactWriteItems", [fate]);

    let attempt = attempt("alice", "mario", at(10));
    let (outcome, _) = tokio::join!(
        behind.switch(&attempt, at(15)),
        held.meanwhile(world.link("alice", "maria", at(9)))
    );

    assert_eq!(said(&outcome), "Ok(Switched)");
    let calls = proxy.calls();
    let operations: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(
        operations,
        ["GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems"]
    );
    // They are two transactions, and the database takes a token for one only.
    assert_ne!(
        calls[1].request["ClientRequestToken"],
        calls[3].request["ClientRequestToken"]
    );
    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("mario"));
    assert_eq!(
        world.item("IDENTITY#https://magento.example#maria", "OWNER").await,
        None
    );
}

async fn a_switch_overtaken_by_an_unlink_writes_nothing(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;
    let (fate, held) = Fate::hold();
    proxy.next("TransactWriteItems", [fate]);

    let attempt = attempt("alice", "mario", at(10));
    let (outcome, unlinked) = tokio::join!(
        behind.switch(&attempt, at(15)),
        held.meanwhile(world.unlink("alice", at(14)))
    );

    unlinked.unwrap();
    assert_eq!(said(&outcome), "Err(FlowOutdated)");
    assert_eq!(world.linked_subject("alice").await, None);
    assert_eq!(world.history("alice").await, ["linked", "unlinked"]);
}

async fn a_switch_overtaken_by_the_same_identity_linked_anew_writes_nothing(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;
    let (fate, held) = Fate::hold();
    proxy.next("TransactWriteItems", [fate]);

    let attempt = attempt("alice", "mario", at(10));
    let meanwhile = async {
        world.unlink("alice", at(11)).await.unwrap();
        world.link("alice", "maria", at(12)).await;
    };
    let (outcome, ()) = tokio::join!(behind.switch(&attempt, at(20)), held.meanwhile(meanwhile));

    assert_eq!(said(&outcome), "Err(FlowOutdated)");
    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("maria"));
}

async fn a_switch_overtaken_twice_gives_up(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    let ((first, while_first), (second, while_second)) = (Fate::hold(), Fate::hold());
    proxy.next("TransactWriteItems", [first, second]);
    let attempt = attempt("alice", "mario", at(100));

    let meanwhile = async {
        while_first.meanwhile(world.link("alice", "maria", at(0))).await;
        // The link that the second try has read ends and begins anew, both before the flow's start.
        let again = async {
            world.unlink("alice", at(10)).await.unwrap();
            world.link("alice", "maria", at(20)).await;
        };
        while_second.meanwhile(again).await;
    };
    let (outcome, ()) = tokio::join!(behind.switch(&attempt, at(105)), meanwhile);

    assert!(
        matches!(outcome, Err(CommitError::Table(TableError::Conflict { .. }))),
        "{outcome:?}"
    );
    assert_eq!(proxy.operations().len(), 4);
    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("maria"));
    assert_eq!(world.history("alice").await, ["linked", "unlinked", "linked"]);
}

async fn a_switch_never_takes_an_identity_from_another_account(world: World) {
    // A table that somebody mended by hand: alice's link names an identity that is bob's.
    world.link("alice", "maria", at(0)).await;
    world
        .database
        .put(json!({
            "pk": {"S": "IDENTITY#https://magento.example#maria"}, "sk": {"S": "OWNER"}, "account_id": {"S": "bob"},
        }))
        .await;
    let before = world.database.items().await;

    let outcome = world.switch(&attempt("alice", "mario", at(10)), at(15)).await;
    assert!(
        matches!(
            outcome,
            Err(CommitError::Table(TableError::Corrupt { item: "an owner", .. }))
        ),
        "{outcome:?}"
    );

    let outcome = world.unlink("alice", at(15)).await;
    assert!(
        matches!(outcome, Err(TableError::Corrupt { item: "an owner", .. })),
        "{outcome:?}"
    );

    assert_eq!(world.database.items().await, before);
    assert_eq!(world.read("alice").await.link.unwrap().identity, identity("maria"));
}

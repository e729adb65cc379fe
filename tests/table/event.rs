//! The history.

use account_linking::link::IdentityFingerprint;
use serde_json::json;

use crate::world::{World, at, attempt, deadline, identity, on_both_engines, said, session};

on_both_engines![
    a_refusal_is_recorded_once_and_leaves_the_flow_as_it_is,
    declining_ends_a_flow,
    declining_what_is_linked_changes_nothing,
    the_history_names_no_person,
];

async fn a_refusal_is_recorded_once_and_leaves_the_flow_as_it_is(world: World) {
    world.link("alice", "maria", at(0)).await;
    let refused = attempt("bob", "maria", at(10));

    for second in [15, 16] {
        assert_eq!(said(&world.commit(&refused, at(second)).await), "Err(IdentityInUse)");
        world
            .table
            .record_refusal(&refused, at(second), deadline())
            .await
            .unwrap();
    }

    let events: Vec<_> = world
        .database
        .items()
        .await
        .into_iter()
        .filter(|item| item["pk"]["S"] == "ACCOUNT#bob")
        .collect();
    assert_eq!(
        events,
        [json!({
            "pk": {"S": "ACCOUNT#bob"},
            "sk": {"S": format!("EVENT#{}.identity_in_use", refused.flow_id)},
            "kind": {"S": "identity_in_use"},
            "at": {"N": at(15).unix_ms().to_string()},
            "provider": {"S": "magento"},
            "identity": {"S": IdentityFingerprint::of(&identity("maria")).to_string()},
            "session": {"S": session("bob").to_string()},
        })]
    );
}

async fn declining_ends_a_flow(world: World) {
    let declined = attempt("alice", "maria", at(0));

    for second in [5, 6] {
        world.table.cancel(&declined, at(second), deadline()).await.unwrap();
    }

    assert_eq!(world.history("alice").await, ["cancelled"]);
    assert_eq!(said(&world.commit(&declined, at(7)).await), "Err(FlowSpent)");
    assert_eq!(said(&world.switch(&declined, at(7)).await), "Err(FlowSpent)");
}

async fn declining_what_is_linked_changes_nothing(world: World) {
    let linked = world.link("alice", "maria", at(0)).await;
    let before = world.database.items().await;

    world.table.cancel(&linked, at(10), deadline()).await.unwrap();

    assert_eq!(world.database.items().await, before);
}

async fn the_history_names_no_person(world: World) {
    world.link("alice", "maria-sub", at(0)).await;
    world
        .switch(&attempt("alice", "mario-sub", at(10)), at(15))
        .await
        .unwrap();
    let refused = attempt("bob", "mario-sub", at(20));
    world.table.record_refusal(&refused, at(25), deadline()).await.unwrap();
    world
        .table
        .cancel(&attempt("bob", "luigi-sub", at(20)), at(25), deadline())
        .await
        .unwrap();
    world.unlink("alice", at(30)).await.unwrap();

    let events: Vec<_> = world
        .database
        .items()
        .await
        .into_iter()
        .filter(|item| item["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("EVENT#")))
        .map(|event| event.to_string())
        .collect();
    assert_eq!(events.len(), 5);
    for event in events {
        for personal in ["-sub", "person@example.com", "session-1"] {
            assert!(!event.contains(personal), "{event}");
        }
    }
}

//! The history.

use std::collections::BTreeSet;

use account_linking::{
    link::{Actor, Exemption, IdentityFingerprint},
    table::{EventKind, HistoryEntry},
};
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::world::{
    World, account, at, attempt, deadline, event_id, identity, magento, on_both_engines, said, session,
};

on_both_engines![
    a_refusal_is_recorded_once_and_leaves_the_flow_as_it_is,
    declining_ends_a_flow,
    declining_what_is_linked_changes_nothing,
    the_history_names_no_person,
    the_history_is_told_whole_and_the_latest_first,
    every_event_is_as_its_schema_says,
];

async fn the_history_is_told_whole_and_the_latest_first(world: World) {
    world.link("alice", "maria", at(0)).await;
    world.link("bob", "marco", at(1)).await;
    // More than are read at once, under ids in another order than their times.
    for number in 0..150 {
        let event = json!({
            "pk": {"S": "ACCOUNT#alice"},
            "sk": {"S": format!("EVENT#{:03}", 7 * number % 150)},
            "kind": {"S": "exempted"},
            "at": {"N": at(100 + number).unix_ms().to_string()},
            "until": {"N": at(9000).unix_ms().to_string()},
            "provider": {"S": "magento"},
            "by": {"S": "support"},
        });
        world.database.put(event).await;
    }

    let history = world.table.read_history(&account("alice"), deadline()).await.unwrap();

    assert_eq!(history.len(), 151);
    assert!(history.is_sorted_by_key(|entry| std::cmp::Reverse(entry.at)));
    let exempted = HistoryEntry {
        kind: EventKind::Exempted,
        at: at(249),
        provider: "magento".to_owned(),
        actor: Actor::Iam("support".to_owned()),
        until: Some(at(9000)),
    };
    assert_eq!(history[0], exempted);
    let first = &history[150];
    assert_eq!(
        (first.kind, &first.actor),
        (EventKind::Linked, &Actor::Session(session("alice")))
    );
    assert_eq!(
        world.table.read_history(&account("carol"), deadline()).await.unwrap(),
        []
    );
}

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

async fn every_event_is_as_its_schema_says(world: World) {
    let (alice, magento, olga) = (
        account("alice"),
        magento(),
        "arn:aws:iam::123456789012:user/olga".to_owned(),
    );
    world.link("alice", "maria", at(0)).await;
    world.switch(&attempt("alice", "mario", at(10)), at(11)).await.unwrap();
    let refused = attempt("bob", "mario", at(10));
    world.table.record_refusal(&refused, at(12), deadline()).await.unwrap();
    world.table.cancel(&refused, at(13), deadline()).await.unwrap();
    world.unlink("alice", at(20)).await.unwrap();
    let exemption = Exemption {
        until: at(100),
        reason: "x".to_owned(),
        by: olga.clone(),
    };
    let exempted = world
        .table
        .exempt(&alice, &magento, &exemption, event_id(), at(30), deadline());
    exempted.await.unwrap();
    let actor = Actor::Iam(olga);
    let ended = world
        .table
        .end_exemption(&alice, &magento, &actor, event_id(), at(31), deadline());
    ended.await.unwrap();

    let (schema, items) = (Schema::read(), world.database.items().await);
    let is_event = |item: &&Value| item["sk"]["S"].as_str().unwrap().starts_with("EVENT#");
    let mut kinds = BTreeSet::new();
    for event in items.iter().filter(is_event) {
        schema.check(event);
        kinds.insert(event["kind"]["S"].as_str().unwrap());
    }
    let documented = schema.document["properties"]["kind"]["properties"]["S"]["enum"].as_array();
    let documented: BTreeSet<_> = documented.unwrap().iter().map(|kind| kind.as_str().unwrap()).collect();
    assert_eq!(kinds, documented);
}

#[test]
fn the_documented_example_is_as_the_schema_says() {
    let page = include_str!("../../docs/events.md");
    let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    let example: Value = serde_json::from_str(example.unwrap()).unwrap();
    Schema::read().check(&example["detail"]["dynamodb"]["NewImage"]);
}

/// What `docs/event.schema.json` says of events.
struct Schema {
    document: Value,
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn read() -> Self {
        let document: Value = serde_json::from_str(include_str!("../../docs/event.schema.json")).unwrap();
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.add_resource("events:/schema.json", document.clone()).unwrap();
        let index = compiler.compile("events:/schema.json", &mut schemas).unwrap();
        Self {
            document,
            schemas,
            index,
        }
    }

    fn check(&self, event: &Value) {
        let checked = self.schemas.validate(event, self.index);
        checked.unwrap_or_else(|error| panic!("{error:#} in {event}"));
    }
}

//! Exemptions from the requirement.

use account_linking::{
    clock::Timestamp,
    link::{Actor, Exemption},
    table::{ExemptionEnded, TableError},
};
use harness::database_proxy::Fate;
use serde_json::json;

use crate::world::{World, account, at, attempt, deadline, event_id, magento, on_both_engines, said};

on_both_engines![
    an_exemption_is_kept_beside_the_link_with_an_event_that_names_no_reason,
    a_new_exemption_takes_the_place_of_the_old,
    an_exemption_survives_whatever_happens_to_the_link,
    an_exemption_changes_nothing_of_the_link,
    ending_an_exemption_writes_an_event,
    ending_what_is_not_there_writes_nothing,
    granting_and_ending_are_one_call_each,
    an_exemption_whose_answer_was_lost_is_granted_once,
];

const OLGA: &str = "arn:aws:iam::123456789012:user/olga";

fn exemption(until: Timestamp) -> Exemption {
    Exemption {
        until,
        reason: "their contract says so".to_owned(),
        by: OLGA.to_owned(),
    }
}

async fn exempt(world: &World, name: &str, until: Timestamp, now: Timestamp) -> Result<(), TableError> {
    let exemption = exemption(until);
    let (account, magento) = (account(name), magento());
    world
        .table
        .exempt(&account, &magento, &exemption, event_id(), now, deadline())
        .await
}

async fn end(world: &World, name: &str, now: Timestamp) -> Result<ExemptionEnded, TableError> {
    let actor = Actor::Iam(OLGA.to_owned());
    let (account, magento) = (account(name), magento());
    world
        .table
        .end_exemption(&account, &magento, &actor, event_id(), now, deadline())
        .await
}

async fn an_exemption_is_kept_beside_the_link_with_an_event_that_names_no_reason(world: World) {
    let (event, until) = (event_id(), at(3600));

    world
        .table
        .exempt(
            &account("alice"),
            &magento(),
            &exemption(until),
            event,
            at(10),
            deadline(),
        )
        .await
        .unwrap();

    let until = json!({"N": until.unix_ms().to_string()});
    assert_eq!(
        world.database.items().await,
        [
            json!({
                "pk": {"S": "ACCOUNT#alice"},
                "sk": {"S": format!("EVENT#{event}")},
                "kind": {"S": "exempted"},
                "at": {"N": at(10).unix_ms().to_string()},
                "provider": {"S": "magento"},
                "by": {"S": OLGA},
                "until": until,
            }),
            json!({
                "pk": {"S": "ACCOUNT#alice"},
                "sk": {"S": "LINK#magento"},
                "exemption": {"M": {"until": until, "reason": {"S": "their contract says so"}, "by": {"S": OLGA}}},
            }),
        ]
    );
    assert_eq!(world.read("alice").await.exemption, Some(exemption(at(3600))));
}

async fn a_new_exemption_takes_the_place_of_the_old(world: World) {
    exempt(&world, "alice", at(100), at(0)).await.unwrap();
    exempt(&world, "alice", at(50), at(1)).await.unwrap();

    assert_eq!(world.read("alice").await.exemption, Some(exemption(at(50))));
    assert_eq!(world.history("alice").await, ["exempted", "exempted"]);
}

async fn an_exemption_survives_whatever_happens_to_the_link(world: World) {
    exempt(&world, "alice", at(1000), at(0)).await.unwrap();

    world.link("alice", "maria", at(10)).await;
    assert_eq!(world.read("alice").await.exemption, Some(exemption(at(1000))));
    let switch = attempt("alice", "mario", at(20));
    world.switch(&switch, at(25)).await.unwrap();
    assert_eq!(world.read("alice").await.exemption, Some(exemption(at(1000))));
    world.unlink("alice", at(30)).await.unwrap();
    world.unlink("alice", at(40)).await.unwrap();
    assert_eq!(world.read("alice").await.exemption, Some(exemption(at(1000))));
}

async fn an_exemption_changes_nothing_of_the_link(world: World) {
    world.unlink("alice", at(0)).await.unwrap();
    world.link("alice", "maria", at(10)).await;
    let before = world.read("alice").await;

    exempt(&world, "alice", at(1000), at(20)).await.unwrap();
    end(&world, "alice", at(30)).await.unwrap();

    assert_eq!(world.read("alice").await, before);
    assert_eq!(world.linked_subject("alice").await.as_deref(), Some("maria"));
}

async fn ending_an_exemption_writes_an_event(world: World) {
    exempt(&world, "alice", at(100), at(0)).await.unwrap();

    // Also when it has run out.
    assert_eq!(said(&end(&world, "alice", at(200)).await), "Ok(Ended)");

    assert_eq!(world.read("alice").await.exemption, None);
    assert_eq!(world.history("alice").await, ["exempted", "exemption_ended"]);
    let events = world.database.items().await;
    let ended = events
        .iter()
        .find(|item| item["kind"]["S"] == "exemption_ended")
        .unwrap();
    assert_eq!(ended["by"]["S"], OLGA);
    assert_eq!(ended.get("until"), None);
}

async fn ending_what_is_not_there_writes_nothing(world: World) {
    assert_eq!(said(&end(&world, "alice", at(0)).await), "Ok(NothingToEnd)");
    assert!(world.database.items().await.is_empty());

    world.link("alice", "maria", at(10)).await;
    let before = world.database.items().await;
    assert_eq!(said(&end(&world, "alice", at(20)).await), "Ok(NothingToEnd)");
    assert_eq!(world.database.items().await, before);
}

async fn granting_and_ending_are_one_call_each(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    exempt(&behind, "alice", at(100), at(0)).await.unwrap();
    end(&behind, "alice", at(10)).await.unwrap();
    assert_eq!(proxy.operations(), ["TransactWriteItems", "TransactWriteItems"]);
}

async fn an_exemption_whose_answer_was_lost_is_granted_once(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    proxy.next("TransactWriteItems", [Fate::LoseAnswer]);
    exempt(&behind, "alice", at(100), at(0)).await.unwrap();
    proxy.next("TransactWriteItems", [Fate::LoseAnswer]);
    assert_eq!(said(&end(&behind, "alice", at(10)).await), "Ok(Ended)");
    assert_eq!(world.history("alice").await, ["exempted", "exemption_ended"]);
}

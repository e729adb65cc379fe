//! Claiming a flow.

use account_linking::{
    clock::SystemRandomness,
    flow::FLOW_LIFETIME,
    table::{AttemptId, ClaimError},
};
use serde_json::json;

use crate::world::{World, at, deadline, flow_id, on_both_engines, said};

on_both_engines![
    a_flow_is_claimed_once,
    an_attempt_finds_its_own_claim,
    a_claim_outlives_its_flow_and_holds_nothing_but_the_attempt,
];

fn attempt_id() -> AttemptId {
    AttemptId::generate(&SystemRandomness::default()).unwrap()
}

async fn a_flow_is_claimed_once(world: World) {
    let flow = flow_id();
    world.table.claim(flow, attempt_id(), at(0), deadline()).await.unwrap();

    let second = world.table.claim(flow, attempt_id(), at(1), deadline()).await;

    assert!(matches!(second, Err(ClaimError::Spent)), "{second:?}");
    world
        .table
        .claim(flow_id(), attempt_id(), at(1), deadline())
        .await
        .unwrap(); // another flow is another flow
}

async fn an_attempt_finds_its_own_claim(world: World) {
    let (flow, attempt) = (flow_id(), attempt_id());
    for _ in 0..2 {
        assert_eq!(
            said(&world.table.claim(flow, attempt, at(0), deadline()).await),
            "Ok(())"
        );
    }
}

async fn a_claim_outlives_its_flow_and_holds_nothing_but_the_attempt(world: World) {
    let (flow, attempt) = (flow_id(), attempt_id());
    world.table.claim(flow, attempt, at(0), deadline()).await.unwrap();

    // A flow may be claimed in its first second, and lives on from there.
    let swept_from = at(0).plus(FLOW_LIFETIME).unix_seconds() + 3600;
    assert_eq!(
        world.database.items().await,
        [json!({
            "pk": {"S": format!("FLOW#{flow}")},
            "sk": {"S": "CLAIM"},
            "attempt": {"S": attempt.to_string()},
            "expires_at": {"N": swept_from.to_string()},
        })]
    );
}

//! Faults between us and the provider: every endpoint, every fault, the first call or a later one.
//!
//! Whatever happens, nothing is written, no code is brought twice, and the user's second try succeeds.

use harness::{
    hostile_provider::{Endpoint, Endpoints, Fate, Reply},
    hostile_world::HostileWorld,
};
use serde_json::json;

/// Longer than metadata and keys serve without being fetched anew, so that every try fetches them.
const TWO_DAYS: i64 = 2 * 24 * 60 * 60;

fn faults() -> Vec<(&'static str, Fate)> {
    let status = |status| Fate::Answer(Reply::json(status, &json!({"error": "temporarily_unavailable"})));
    vec![
        ("the answer is too late", Fate::Stall),
        ("the request is lost", Fate::LoseRequest),
        ("the answer is lost", Fate::LoseAnswer),
        ("the connection is reset", Fate::Reset),
        ("the answer breaks off", Fate::Truncate),
        ("the answer never ends", Fate::Flood),
        ("too many requests", status(429)),
        ("an internal error", status(500)),
        ("overload", status(503)),
    ]
}

/// One flow, as far as it gets: its outcome.
async fn tries(world: &HostileWorld) -> String {
    let newcomer = world.newcomer();
    let started = world.starts(&newcomer).await;
    let landed = if started.outcome().is_some() {
        started
    } else {
        started.follows().await.follows().await
    };
    world.outcome(&landed).await.answer
}

/// Every fault at the `nth` call of `endpoint`, counted from the start of a flow whose metadata and keys are to be fetched.
async fn every_fault(endpoints: Endpoints, endpoint: Endpoint, nth: usize) {
    let timeout = [("PROVIDER_TIMEOUT_MS", "1200")];
    let world = HostileWorld::start_with(endpoints, &timeout, &[], &[]).await;
    for (name, fate) in faults() {
        world.time_passes(TWO_DAYS);
        let before = world.stack.contents().await;
        world
            .provider
            .next(endpoint, vec![Fate::Pass; nth - 1].into_iter().chain([fate]));

        assert_eq!(tries(&world).await, "provider_unavailable", "{endpoint:?}: {name}");
        let after = world.stack.contents().await;
        assert_eq!(
            (after.links.len(), after.events.len()),
            (before.links.len(), before.events.len()),
            "{endpoint:?}: {name}"
        );

        // A failed fetch may be tried again half a minute later; a code is new in any case.
        world.time_passes(31);
        assert_eq!(
            tries(&world).await,
            "linked",
            "{endpoint:?}: {name}, and then once more"
        );
    }
    let mut codes = world.provider.codes_brought();
    let brought = codes.len();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), brought, "no code twice");
}

#[tokio::test]
async fn whatever_happens_to_the_metadata_at_the_start_the_second_try_links() {
    every_fault(Endpoints::Discovered, Endpoint::Discovery, 1).await;
}

#[tokio::test]
async fn whatever_happens_to_the_metadata_at_the_callback_the_second_try_links() {
    every_fault(Endpoints::Discovered, Endpoint::Discovery, 2).await;
}

#[tokio::test]
async fn whatever_happens_to_the_keys_the_second_try_links() {
    every_fault(Endpoints::Discovered, Endpoint::Jwks, 1).await;
}

#[tokio::test]
async fn whatever_happens_to_a_pushed_request_the_second_try_links() {
    every_fault(
        Endpoints::FixedWithPushedRequests,
        Endpoint::PushedAuthorizationRequest,
        1,
    )
    .await;
}

#[tokio::test]
async fn whatever_happens_to_a_code_the_second_try_links_with_another() {
    every_fault(Endpoints::Fixed, Endpoint::Token, 1).await;
}

#[tokio::test]
async fn a_fault_at_a_later_call_leaves_what_was_linked_before() {
    let world = HostileWorld::start(Endpoints::Fixed).await;
    let fates = [Fate::Pass, Fate::Pass, Fate::LoseAnswer, Fate::Pass, Fate::Reset];
    world.provider.next(Endpoint::Token, fates);
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(tries(&world).await);
    }
    let (linked, lost) = ("linked", "provider_unavailable");
    assert_eq!(outcomes, [linked, linked, lost, linked, lost, linked]);
    assert_eq!(world.stack.contents().await.links.len(), 4);
}

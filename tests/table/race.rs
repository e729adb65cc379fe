//! Many at once.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use account_linking::{clock::SystemRandomness, table::AttemptId};
use serde_json::Value;
use tokio::{sync::Barrier, task::JoinSet};

use crate::world::{World, at, attempt, deadline, flow_id, on_both_engines, said};

const CROWD: usize = 50;

on_both_engines![
    of_many_claims_of_one_flow_one_wins,
    of_many_accounts_one_gets_the_identity,
    of_many_identities_an_account_gets_one,
    one_flow_committed_by_many_is_linked_once,
    of_many_switches_each_frees_what_it_replaces,
    of_two_accounts_at_once_one_gets_the_identity,
    of_two_identities_at_once_an_account_gets_one,
    a_link_and_an_unlinking_at_once_come_one_after_the_other,
    a_switch_and_an_unlinking_at_once_come_one_after_the_other,
];

/// How often two meet.
const ROUNDS: usize = 200;

/// Runs `act` for each of the crowd at once, and counts what they say.
async fn all_at_once<F>(act: impl Fn(usize) -> F) -> BTreeMap<String, usize>
where
    F: Future<Output = String> + Send + 'static,
{
    let start = Arc::new(Barrier::new(CROWD));
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let (start, act) = (start.clone(), act(number));
        crowd.spawn(async move {
            start.wait().await;
            act.await
        });
    }
    let mut counts = BTreeMap::new();
    for said in crowd.join_all().await {
        *counts.entry(said).or_default() += 1;
    }
    counts
}

fn counts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected
        .into_iter()
        .map(|(said, count)| (said.to_owned(), count))
        .collect()
}

async fn of_many_claims_of_one_flow_one_wins(world: World) {
    let flow = flow_id();
    let outcomes = all_at_once(|_| {
        let table = world.table.clone();
        let attempt = AttemptId::generate(&SystemRandomness::default()).unwrap();
        async move { said(&table.claim(flow, attempt, at(0), deadline()).await) }
    })
    .await;

    assert_eq!(outcomes, counts([("Ok(())", 1), ("Err(Spent)", CROWD - 1)]));
}

async fn of_many_accounts_one_gets_the_identity(world: World) {
    let outcomes = all_at_once(|number| {
        let world = world.clone();
        async move {
            said(
                &world
                    .commit(&attempt(&format!("account-{number}"), "maria", at(0)), at(5))
                    .await,
            )
        }
    })
    .await;

    assert_eq!(outcomes, counts([("Ok(Linked)", 1), ("Err(IdentityInUse)", CROWD - 1)]));
    assert_eq!(world.database.items().await.len(), 3); // one link, one owner, one event
}

async fn of_many_identities_an_account_gets_one(world: World) {
    let outcomes = all_at_once(|number| {
        let world = world.clone();
        async move {
            said(
                &world
                    .commit(&attempt("alice", &format!("subject-{number}"), at(0)), at(5))
                    .await,
            )
        }
    })
    .await;

    assert_eq!(
        outcomes,
        counts([("Ok(Linked)", 1), ("Err(AccountAlreadyLinked)", CROWD - 1)])
    );
    assert_eq!(world.database.items().await.len(), 3);
}

async fn one_flow_committed_by_many_is_linked_once(world: World) {
    let attempt = attempt("alice", "maria", at(0));
    let outcomes = all_at_once(|_| {
        let (world, attempt) = (world.clone(), attempt.clone());
        async move { said(&world.commit(&attempt, at(5)).await) }
    })
    .await;

    assert_eq!(outcomes, counts([("Ok(Linked)", CROWD)]));
    assert_eq!(world.database.items().await.len(), 3);
}

async fn of_many_switches_each_frees_what_it_replaces(world: World) {
    world.link("alice", "maria", at(0)).await;
    let outcomes = all_at_once(|number| {
        let world = world.clone();
        async move {
            said(
                &world
                    .switch(&attempt("alice", &format!("subject-{number}"), at(10)), at(15))
                    .await,
            )
        }
    })
    .await;

    // The first to switch makes all the others' flows worthless.
    assert_eq!(
        outcomes,
        counts([("Ok(Switched)", 1), ("Err(FlowOutdated)", CROWD - 1)])
    );
    let owners = world
        .database
        .items()
        .await
        .into_iter()
        .filter(|item| item["sk"]["S"] == "OWNER")
        .count();
    assert_eq!(owners, 1);
    assert!(world.linked_subject("alice").await.unwrap().starts_with("subject-"));
}

/// What two at once say. Every other round the second begins.
async fn race<T: Debug>(
    round: usize,
    first: impl Future<Output = T>,
    second: impl Future<Output = T>,
) -> (String, String) {
    let (first, second) = if round.is_multiple_of(2) {
        tokio::join!(first, second)
    } else {
        let (second, first) = tokio::join!(second, first);
        (first, second)
    };
    (said(&first), said(&second))
}

/// How often the first won of two who may not both; the other is always told `refusal`.
fn wins(outcomes: &[(String, String)], refusal: &str) -> usize {
    let won = |(first, second): &&(String, String)| match (first.as_str(), second.as_str()) {
        ("Ok(Linked)", said) if said == refusal => true,
        (said, "Ok(Linked)") if said == refusal => false,
        other => panic!("{other:?}"),
    };
    outcomes.iter().filter(won).count()
}

/// One link, its owner and its event for each round.
async fn one_of_each_per_round(world: &World) {
    let items = world.database.items().await;
    for kind in ["issuer", "account_id", "kind"] {
        let count = items.iter().filter(|item| item[kind].is_object()).count();
        assert_eq!(count, ROUNDS, "items with {kind}");
    }
    assert_eq!(items.len(), 3 * ROUNDS);
}

async fn of_two_accounts_at_once_one_gets_the_identity(world: World) {
    let mut outcomes = Vec::new();
    for round in 0..ROUNDS {
        let subject = format!("subject-{round}");
        let [first, second] = ["first", "second"].map(|name| attempt(&format!("{name}-{round}"), &subject, at(0)));
        outcomes.push(race(round, world.commit(&first, at(5)), world.commit(&second, at(5))).await);
    }

    let first = wins(&outcomes, "Err(IdentityInUse)");
    assert!((1..ROUNDS).contains(&first), "no race: {first} of {ROUNDS}");
    one_of_each_per_round(&world).await;
}

async fn of_two_identities_at_once_an_account_gets_one(world: World) {
    let mut outcomes = Vec::new();
    for round in 0..ROUNDS {
        let account = format!("account-{round}");
        let [first, second] = ["first", "second"].map(|name| attempt(&account, &format!("{name}-{round}"), at(0)));
        outcomes.push(race(round, world.commit(&first, at(5)), world.commit(&second, at(5))).await);
    }

    let first = wins(&outcomes, "Err(AccountAlreadyLinked)");
    assert!((1..ROUNDS).contains(&first), "no race: {first} of {ROUNDS}");
    one_of_each_per_round(&world).await;
}

/// How many events `account` has in the end, when `items` is all there is. It is not linked, and owns no identity.
fn events_of(account: &str, items: &[Value]) -> usize {
    let is_link = |item: &&Value| item["sk"]["S"] == "LINK#magento" && item["pk"]["S"] == format!("ACCOUNT#{account}");
    let link = items.iter().find(is_link).unwrap();
    assert_eq!(link.get("issuer"), None, "{account}");
    assert!(items.iter().all(|item| item["account_id"]["S"] != account), "{account}");
    let is_event = |item: &&Value| item["kind"].is_object() && item["pk"] == link["pk"];
    items.iter().filter(is_event).count()
}

async fn a_link_and_an_unlinking_at_once_come_one_after_the_other(world: World) {
    let mut outcomes = Vec::new();
    for round in 0..ROUNDS {
        let account = format!("account-{round}");
        let begun = attempt(&account, &format!("subject-{round}"), at(0));
        let (linked, unlinked) = tokio::join!(world.commit(&begun, at(5)), world.unlink(&account, at(5)));
        outcomes.push((account, said(&linked), said(&unlinked)));
    }

    let items = world.database.items().await;
    for (account, linked, unlinked) in outcomes {
        // The flow was begun before: when the unlinking was first it comes to nothing.
        let events = match (linked.as_str(), unlinked.as_str()) {
            ("Ok(Linked)", "Ok(Ended)") => 2,
            ("Err(FlowOutdated)", "Ok(NothingLinked)") => 0,
            other => panic!("{account}: {other:?}"),
        };
        assert_eq!(events_of(&account, &items), events, "{account}");
    }
}

async fn a_switch_and_an_unlinking_at_once_come_one_after_the_other(world: World) {
    let mut outcomes = Vec::new();
    for round in 0..ROUNDS {
        let account = format!("account-{round}");
        world.link(&account, &format!("old-{round}"), at(0)).await;
        let switch = attempt(&account, &format!("new-{round}"), at(10));
        let (switched, unlinked) = tokio::join!(world.switch(&switch, at(15)), world.unlink(&account, at(15)));
        outcomes.push((account, said(&switched), said(&unlinked)));
    }

    let items = world.database.items().await;
    for (account, switched, unlinked) in outcomes {
        let events = match (switched.as_str(), unlinked.as_str()) {
            ("Ok(Switched)", "Ok(Ended)") => 3,
            ("Err(FlowOutdated)", "Ok(Ended)") => 2,
            other => panic!("{account}: {other:?}"),
        };
        assert_eq!(events_of(&account, &items), events, "{account}");
    }
}

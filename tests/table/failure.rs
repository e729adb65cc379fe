//! What each method costs, and what goes wrong between us and the database: played by a proxy before a real one.

use std::{error::Error, time::Duration};

use account_linking::{
    clock::{Deadline, SystemRandomness},
    table::{AttemptId, CallLimits, ClaimError, CommitError, RequestFailure, TableError},
};
use harness::database_proxy::Fate;

use crate::{
    ticket::{VERIFIER, new_ticket},
    world::{World, account, at, attempt, deadline, email, flow_id, identity, magento, on_both_engines, said, token},
};

on_both_engines![
    each_method_makes_the_calls_of_its_budget,
    calls_share_connections,
    a_link_and_an_owner_are_read_strongly_consistent,
    a_conflict_is_sent_again_with_the_same_token,
    a_conflict_that_lasts_is_told_and_nothing_is_written,
    a_single_write_that_meets_a_transaction_is_sent_again,
    a_failed_condition_outranks_a_conflict,
    throttling_is_waited_out,
    throttling_that_lasts_makes_the_table_unavailable,
    a_lost_request_is_sent_again,
    a_write_whose_answer_was_lost_finds_its_own_work,
    an_attempt_that_hangs_is_given_up_for_another,
    a_table_that_never_answers_is_unavailable,
    no_call_is_made_after_the_deadline,
    what_would_be_refused_again_is_not_sent_again,
    an_error_quotes_nothing_the_database_said,
];

fn attempt_id() -> AttemptId {
    AttemptId::generate(&SystemRandomness::default()).unwrap()
}

/// Calls every method once, on a table where alice is linked to maria.
async fn act(world: &World, method: &str) -> String {
    let mario = attempt("alice", "mario", at(10));
    match method {
        "read_account" => said(
            &world
                .table
                .read_account(&account("alice"), &magento(), deadline())
                .await
                .map(drop),
        ),
        "claim" => said(&world.table.claim(flow_id(), attempt_id(), at(10), deadline()).await),
        "commit" => said(&world.commit(&attempt("bob", "mario", at(10)), at(15)).await),
        "record_refusal" => said(&world.table.record_refusal(&mario, at(11), deadline()).await),
        "cancel" => said(&world.table.cancel(&mario, at(12), deadline()).await),
        "switch" => said(&world.switch(&attempt("alice", "luigi", at(10)), at(15)).await),
        "read_owner" => said(&world.table.read_owner(&identity("maria"), deadline()).await.map(drop)),
        "write_ticket" => said(&world.hand_out(&new_ticket("alice", "maria").0, at(10)).await),
        "write_ticket, new label" => {
            let mut new = new_ticket("alice", "maria").0;
            new.changed_email = Some(email("new@example.com"));
            said(&world.hand_out(&new, at(10)).await)
        }
        "redeem_ticket" => said(&world.redeem("no ticket", VERIFIER, at(10)).await),
        "unlink" => said(&world.unlink("alice", at(20)).await),
        "unlink again" => said(&world.unlink("alice", at(30)).await),
        other => panic!("no method {other}"),
    }
}

async fn each_method_makes_the_calls_of_its_budget(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;

    for (method, outcome, calls) in [
        ("read_account", "Ok(())", &["GetItem"][..]),
        ("claim", "Ok(())", &["PutItem"]),
        ("commit", "Ok(Linked)", &["TransactWriteItems"]),
        ("record_refusal", "Ok(())", &["PutItem"]),
        ("cancel", "Ok(())", &["PutItem"]),
        ("read_owner", "Ok(())", &["GetItem"]),
        ("write_ticket", "Ok(())", &["TransactWriteItems"]),
        ("write_ticket, new label", "Ok(())", &["TransactWriteItems"]),
        ("redeem_ticket", "Ok(None)", &["DeleteItem"]),
        ("switch", "Ok(Switched)", &["GetItem", "TransactWriteItems"]),
        ("unlink", "Ok(Ended)", &["GetItem", "TransactWriteItems"]),
        ("unlink again", "Ok(NothingLinked)", &["GetItem", "UpdateItem"]),
    ] {
        assert_eq!(act(&behind, method).await, outcome, "{method}");
        assert_eq!(proxy.operations(), calls, "{method}");
    }
}

async fn calls_share_connections(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    for _ in 0..20 {
        behind.read("alice").await;
    }
    // Not one alone: the next call may be there before the last one's connection is free again.
    assert!(proxy.connections() < 20, "{}", proxy.connections());
}

async fn a_link_and_an_owner_are_read_strongly_consistent(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    behind.read("alice").await;
    behind.table.read_owner(&identity("maria"), deadline()).await.unwrap();
    for call in proxy.calls() {
        assert_eq!(call.request["ConsistentRead"], true);
    }
}

async fn a_conflict_is_sent_again_with_the_same_token(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    proxy.next(
        "TransactWriteItems",
        [Fate::cancelled(&["None", "TransactionConflict", "None"])],
    );
    let token = token();

    let outcome = behind
        .table
        .commit(&attempt("alice", "maria", at(0)), token, at(5), deadline())
        .await;

    assert_eq!(said(&outcome), "Ok(Linked)");
    let tokens: Vec<_> = proxy
        .calls()
        .into_iter()
        .map(|call| call.request["ClientRequestToken"].clone())
        .collect();
    assert_eq!(tokens, [token.to_string(), token.to_string()]);
}

async fn a_conflict_that_lasts_is_told_and_nothing_is_written(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    let conflict = || Fate::cancelled(&["TransactionConflict", "None", "TransactionConflict"]);
    proxy.next("TransactWriteItems", [conflict(), conflict(), conflict()]);

    let outcome = behind.commit(&attempt("alice", "maria", at(0)), at(5)).await;

    assert!(
        matches!(outcome, Err(CommitError::Table(TableError::Conflict { .. }))),
        "{outcome:?}"
    );
    assert_eq!(proxy.operations().len(), 3);
    assert!(world.database.items().await.is_empty());
}

async fn a_single_write_that_meets_a_transaction_is_sent_again(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    let conflict = || Fate::error("TransactionConflictException");

    proxy.next("PutItem", [conflict()]);
    assert_eq!(act(&behind, "cancel").await, "Ok(())");
    proxy.next("UpdateItem", [conflict()]);
    assert_eq!(act(&behind, "unlink").await, "Ok(NothingLinked)");
    assert_eq!(
        proxy.operations(),
        ["PutItem", "PutItem", "GetItem", "UpdateItem", "UpdateItem"]
    );

    proxy.next("PutItem", [conflict(), conflict(), conflict()]);
    let claimed = behind.table.claim(flow_id(), attempt_id(), at(0), deadline()).await;
    assert!(
        matches!(claimed, Err(ClaimError::Table(TableError::Conflict { .. }))),
        "{claimed:?}"
    );
}

async fn a_failed_condition_outranks_a_conflict(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    proxy.next(
        "TransactWriteItems",
        [Fate::cancelled(&[
            "TransactionConflict",
            "ConditionalCheckFailed",
            "None",
        ])],
    );

    let outcome = behind.commit(&attempt("alice", "maria", at(0)), at(5)).await;

    assert_eq!(said(&outcome), "Err(IdentityInUse)");
    assert_eq!(proxy.operations().len(), 1);
}

async fn throttling_is_waited_out(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    proxy.next("PutItem", [Fate::throttled(), Fate::throttled()]);
    assert_eq!(act(&behind, "claim").await, "Ok(())");
    assert_eq!(proxy.operations().len(), 3);

    proxy.next(
        "TransactWriteItems",
        [Fate::cancelled(&["None", "ThrottlingError", "TransactionConflict"])],
    );
    assert_eq!(act(&behind, "commit").await, "Ok(Linked)");
    assert_eq!(proxy.operations().len(), 2);
}

async fn throttling_that_lasts_makes_the_table_unavailable(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    let overloaded = || Fate::cancelled(&["None", "ProvisionedThroughputExceeded", "TransactionConflict"]);
    for answer in [
        Fate::throttled,
        || Fate::error("TransactionInProgressException"),
        overloaded,
    ] {
        proxy.next("TransactWriteItems", [answer(), answer(), answer()]);

        let outcome = behind.commit(&attempt("alice", "maria", at(0)), at(5)).await;

        assert!(
            matches!(outcome, Err(CommitError::Table(TableError::Unavailable { .. }))),
            "{outcome:?}"
        );
        assert_eq!(proxy.operations().len(), 3);
    }
    assert!(world.database.items().await.is_empty());
}

async fn a_lost_request_is_sent_again(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;
    for operation in ["GetItem", "PutItem", "TransactWriteItems"] {
        proxy.next(operation, [Fate::LoseRequest]);
    }

    assert_eq!(act(&behind, "claim").await, "Ok(())");
    assert_eq!(act(&behind, "switch").await, "Ok(Switched)");
    assert_eq!(proxy.operations().len(), 6);
}

async fn a_write_whose_answer_was_lost_finds_its_own_work(world: World) {
    world.link("alice", "maria", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;

    for (method, operation, outcome) in [
        ("claim", "PutItem", "Ok(())"),
        ("commit", "TransactWriteItems", "Ok(Linked)"),
        ("record_refusal", "PutItem", "Ok(())"),
        ("cancel", "PutItem", "Ok(())"),
        ("switch", "TransactWriteItems", "Ok(Switched)"),
        ("unlink", "TransactWriteItems", "Ok(Ended)"),
        ("unlink again", "UpdateItem", "Ok(NothingLinked)"),
    ] {
        proxy.next(operation, [Fate::LoseAnswer]);
        assert_eq!(act(&behind, method).await, outcome, "{method}");
        let writes = proxy
            .operations()
            .into_iter()
            .filter(|called| called == operation)
            .count();
        assert_eq!(writes, 2, "{method}");
    }
    assert_eq!(
        world.history("alice").await,
        ["linked", "identity_in_use", "cancelled", "switched", "unlinked"]
    );
}

async fn an_attempt_that_hangs_is_given_up_for_another(world: World) {
    let (behind, proxy) = world.behind_proxy_within(CallLimits::default()).await;
    proxy.next("PutItem", [Fate::Hang]);

    assert_eq!(act(&behind, "claim").await, "Ok(())");

    assert_eq!(proxy.operations().len(), 2);
}

async fn a_table_that_never_answers_is_unavailable(world: World) {
    let limits = CallLimits {
        attempts: 2,
        attempt_timeout: Duration::from_millis(20),
        initial_backoff: Duration::from_millis(1),
    };
    let (behind, proxy) = world.behind_proxy_within(limits).await;
    proxy.next("GetItem", [Fate::Hang, Fate::Hang]);

    let outcome = behind
        .table
        .read_account(&account("alice"), &magento(), deadline())
        .await;

    assert!(
        matches!(
            outcome,
            Err(TableError::Unavailable {
                cause: RequestFailure::TimedOut,
                ..
            })
        ),
        "{outcome:?}"
    );
    assert_eq!(proxy.operations().len(), 2);

    // What is left of the request's time bounds it too, whatever the attempts might take.
    let patient = CallLimits {
        attempt_timeout: Duration::from_hours(1),
        ..limits
    };
    let (behind, proxy) = world.behind_proxy_within(patient).await;
    proxy.next("GetItem", [Fate::Hang, Fate::Hang]);
    let soon = Deadline::within(Duration::from_millis(20));

    let outcome = behind.table.read_account(&account("alice"), &magento(), soon).await;

    assert!(
        matches!(
            outcome,
            Err(TableError::Unavailable {
                cause: RequestFailure::TimedOut,
                ..
            })
        ),
        "{outcome:?}"
    );
}

async fn no_call_is_made_after_the_deadline(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    let over = Deadline::within(Duration::ZERO);

    let outcome = behind
        .table
        .commit(&attempt("alice", "maria", at(0)), token(), at(5), over)
        .await;

    assert!(
        matches!(
            outcome,
            Err(CommitError::Table(TableError::Unavailable {
                cause: RequestFailure::NoTimeLeft,
                ..
            }))
        ),
        "{outcome:?}"
    );
    assert!(proxy.operations().is_empty());
}

async fn what_would_be_refused_again_is_not_sent_again(world: World) {
    let (behind, proxy) = world.behind_proxy().await;
    for name in [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "ValidationException",
    ] {
        proxy.next("UpdateItem", [Fate::error(name)]);

        let outcome = behind.unlink("alice", at(5)).await;

        assert!(matches!(outcome, Err(TableError::Refused { .. })), "{outcome:?}");
        assert_eq!(proxy.operations(), ["GetItem", "UpdateItem"]);
    }
}

async fn an_error_quotes_nothing_the_database_said(world: World) {
    world.link("alice-hush", "maria-hush", at(0)).await;
    let (behind, proxy) = world.behind_proxy().await;
    let answer = serde_json::json!({"__type": "ValidationException", "message": "person@example.com hush"});
    proxy.next(
        "TransactWriteItems",
        [Fate::Answer(http::StatusCode::BAD_REQUEST, answer)],
    );

    let errors = [
        behind
            .commit(&attempt("bob", "mario", at(10)), at(15))
            .await
            .unwrap_err(), // refused by the proxy
        behind
            .commit(&attempt("bob", "maria-hush", at(10)), at(15))
            .await
            .unwrap_err(), // by a condition, with old images
        behind
            .commit(&attempt("alice-hush", "mario", at(10)), at(15))
            .await
            .unwrap_err(),
    ];

    for error in errors {
        let causes = std::iter::successors(Some(&error as &dyn Error), |error| (*error).source());
        for printed in causes.map(ToString::to_string).chain([said(&error)]) {
            assert!(!printed.contains("hush") && !printed.contains('@'), "{printed}");
        }
    }
}

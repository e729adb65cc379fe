//! Every function × every call to the database × every fault: the right outcome, nothing half written, and the second try succeeds.
//!
//! The calls of a scene are counted, so that a call that is new gets its faults without a line here.

mod scenes;

use std::{collections::BTreeSet, time::Duration};

use account_linking::table::CallLimits;
use harness::{
    contents::Contents,
    database_proxy::{Call, Fate},
    stack::Stack,
};
use http::StatusCode;
use local_stack::ROUTES;
use scenes::{Scene, outcome_of};
use serde_json::json;

/// As often as a function asks at most.
const ATTEMPTS: u32 = 3;

/// No attempt is given up before the request's own deadline: what is slow here is the machine.
const PATIENT: CallLimits = CallLimits {
    attempts: ATTEMPTS,
    attempt_timeout: Duration::from_mins(1),
    initial_backoff: Duration::from_millis(1),
};

/// A fifth of what the functions wait: for faults that only a time-out ends.
const IMPATIENT: CallLimits = CallLimits {
    attempt_timeout: Duration::from_millis(400),
    ..PATIENT
};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The connection breaks before the database sees it.
    RequestLost,
    /// The connection breaks after the database did it.
    AnswerLost,
    /// No answer in time, and the database never sees it.
    Hang,
    /// The database does it, and its answer comes too late.
    Delay,
    /// The database asks for less.
    Throttle,
    /// The database has a failure of its own.
    Failure,
    /// Somebody else is writing the same items.
    Conflict,
    /// The database does not take such a request.
    Refusal,
}

impl Fault {
    const IMMEDIATE: [Self; 6] = [
        Self::RequestLost,
        Self::AnswerLost,
        Self::Throttle,
        Self::Failure,
        Self::Conflict,
        Self::Refusal,
    ];
    const SLOW: [Self; 2] = [Self::Hang, Self::Delay];

    /// What the proxy does to one attempt at `call`.
    fn fate(self, call: &Call) -> Fate {
        match self {
            Self::RequestLost => Fate::LoseRequest,
            Self::AnswerLost => Fate::LoseAnswer,
            Self::Hang => Fate::Hang,
            Self::Delay => Fate::Delay,
            Self::Throttle => Fate::throttled(),
            Self::Failure => Fate::Answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "played"}),
            ),
            Self::Conflict => match call.request["TransactItems"].as_array() {
                Some(writes) => Fate::cancelled(&vec!["TransactionConflict"; writes.len()]),
                None => Fate::error("TransactionConflictException"),
            },
            Self::Refusal => Fate::error("ValidationException"),
        }
    }

    /// Whether DynamoDB can fail `call` so: a read meets no conflict.
    fn can_meet(self, call: &Call) -> bool {
        self != Self::Conflict || call.operation != "GetItem"
    }

    /// Whether the database does what it is asked although the caller hears nothing of it.
    const fn is_done(self) -> bool {
        matches!(self, Self::AnswerLost | Self::Delay)
    }

    /// What the request comes to when the fault meets `attempts` attempts at the scene's call at `place`.
    fn outcome(self, scene: Scene, place: usize, attempts: u32) -> &'static str {
        if scene.is_best_effort(place) {
            scene.outcome()
        } else if self == Self::Refusal {
            "internal_error"
        } else if attempts >= ATTEMPTS || scene.is_sent_once() {
            "temporarily_unavailable"
        } else {
            scene.outcome()
        }
    }
}

/// What must not be half of anything.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    links: Vec<(String, String, Option<String>)>,
    history: Vec<String>,
    tickets: usize,
}

impl Facts {
    /// Reading them fails when a link and its owner disagree.
    async fn of(stack: &Stack) -> Self {
        let contents = Contents::read(&stack.database).await;
        let links = contents.links.iter();
        Self {
            links: links
                .map(|link| (link.account.clone(), link.subject.clone(), link.email.clone()))
                .collect(),
            history: contents.history().into_iter().map(str::to_owned).collect(),
            tickets: contents.tickets,
        }
    }
}

/// The calls of `scene` when all is well, and the facts before and after.
async fn without_a_fault(stack: &Stack, scene: Scene) -> (Vec<Call>, Facts, Facts) {
    scene.given(stack).await;
    let request = scene.prepared(stack).await;
    let before = Facts::of(stack).await;
    stack.database_proxy.calls();
    let answer = request.send().await;
    let calls = stack.database_proxy.calls();
    assert_eq!(outcome_of(&answer), scene.outcome(), "{answer:?}");
    (calls, before, Facts::of(stack).await)
}

async fn every_call_fails_in_every_way(scene: Scene) {
    for (limits, faults) in [(PATIENT, &Fault::IMMEDIATE[..]), (IMPATIENT, &Fault::SLOW)] {
        let stack = scene.setup().with_call_limits(limits).start().await;
        let (calls, before, after) = without_a_fault(&stack, scene).await;
        assert!(!calls.is_empty(), "no call to fail");
        for (place, call) in calls.iter().enumerate() {
            let earlier = calls[..place]
                .iter()
                .filter(|earlier| earlier.operation == call.operation);
            let earlier = earlier.count();
            for fault in faults.iter().filter(|fault| fault.can_meet(call)) {
                for attempts in [1, ATTEMPTS] {
                    let case = format!("{fault:?} × {attempts} at {} of {scene:?}", call.operation);
                    scene.given(&stack).await;
                    let request = scene.prepared(&stack).await;
                    let passed = (0..earlier).map(|_| Fate::Pass);
                    let failed = (0..attempts).map(|_| fault.fate(call));
                    stack.database_proxy.next(&call.operation, passed.chain(failed));

                    let answer = request.clone().send().await;

                    stack.database_proxy.forget();
                    let outcome = outcome_of(&answer);
                    assert_eq!(outcome, fault.outcome(scene, place, attempts), "{case}: {answer:?}");
                    let facts = Facts::of(&stack).await;
                    let is_done = outcome == scene.outcome() && !scene.is_best_effort(place);
                    if is_done || fault.is_done() && place + 1 == calls.len() {
                        assert_eq!(facts, after, "{case}");
                    } else if !scene.is_best_effort(place) {
                        assert_eq!(facts, before, "{case}");
                    }

                    let answer = scene.tries_again(&stack, request, &answer, fault.is_done()).await;
                    assert_eq!(
                        outcome_of(&answer),
                        scene.outcome(),
                        "the second try, {case}: {answer:?}"
                    );
                    assert_eq!(Facts::of(&stack).await.links, after.links, "the second try, {case}");
                }
            }
        }
    }
}

macro_rules! each_scene {
    ($($name:ident: $scene:ident,)+) => {
        const SCENES: &[Scene] = &[$(Scene::$scene),+];

        $(
            #[tokio::test]
            async fn $name() {
                every_call_fails_in_every_way(Scene::$scene).await;
            }
        )+
    };
}

each_scene! {
    status: Status,
    a_callback_that_links: CallbackLinks,
    a_callback_that_asks: CallbackAsks,
    a_callback_with_an_identity_in_use: CallbackIdentityInUse,
    a_callback_that_signs_in: CallbackSignsIn,
    a_callback_that_signs_in_with_a_new_label: CallbackSignsInWithNewLabel,
    a_callback_that_nobody_linked: CallbackNotLinked,
    confirm_that_shows_a_switch: ConfirmShows,
    confirm_that_links: ConfirmLinks,
    confirm_that_switches: ConfirmSwitches,
    confirm_that_declines: ConfirmDeclines,
    unlink: Unlink,
    unlink_of_an_account_that_is_not_linked: UnlinkNothing,
    redeem_ticket: RedeemTicket,
    account_policy: AccountPolicy,
    account_policy_that_exempts: Exempt,
    account_policy_that_ends_an_exemption: EndExemption,
    account_policy_that_unlinks: UnlinkAccount,
}

#[test]
fn every_function_that_calls_the_database_has_a_scene() {
    let shown: BTreeSet<&str> = SCENES.iter().map(|scene| scene.function()).collect();
    let functions = ROUTES.iter().map(|route| route.function);
    // tests/calls shows that these two call no database.
    let expected = functions.filter(|function| !["start-link", "sign-in"].contains(function));
    assert_eq!(shown, expected.collect());
}

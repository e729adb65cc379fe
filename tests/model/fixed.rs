//! Sequences worth playing every time: those that failed once.

use harness::{
    engines::Engine::{self, DynamoDbLocal, Embedded},
    magento::Person::{self, Alice, Bruno, Chloe},
};

use crate::{
    model::Op,
    run::{Round, Run},
};

fn start(flow: usize, account: Person, identity: Person, replace: bool) -> Op {
    Op::Start {
        flow,
        account,
        identity,
        replace,
    }
}

async fn after(engine: Engine, name: &str, rounds: &[&[Op]]) -> Run {
    let mut run = Run::begin(engine, true, name).await;
    let rounds: Vec<_> = rounds.iter().map(|ops| Round::at_once(ops)).collect();
    run.play(&rounds).await;
    run
}

/// Which was first is told by milliseconds, and of the same one the flow is worthless: it comes true or not, and the model follows.
async fn a_flow_begun_while_its_account_switches_comes_true_or_not(engine: Engine) {
    let mut rounds: Vec<Vec<Op>> = vec![
        vec![start(0, Bruno, Bruno, false)],
        vec![Op::Callback { flow: 0 }],
        vec![Op::Confirm { flow: 0 }],
    ];
    for turn in 0..6 {
        let [switching, meanwhile] = [1 + 2 * turn, 2 + 2 * turn];
        let new = if turn % 2 == 0 { Chloe } else { Alice };
        rounds.push(vec![start(switching, Bruno, new, true)]);
        rounds.push(vec![Op::Callback { flow: switching }]);
        rounds.push(vec![
            Op::Confirm { flow: switching },
            start(meanwhile, Bruno, Bruno, true),
        ]);
        rounds.push(vec![Op::Callback { flow: meanwhile }]);
        rounds.push(vec![Op::Confirm { flow: meanwhile }]);
    }
    let rounds: Vec<_> = rounds.iter().map(Vec::as_slice).collect();
    after(engine, "switching and starting at once", &rounds).await;
}

/// The answer is of then, the link of now.
async fn confirming_again_after_disconnecting_links_nothing(engine: Engine) {
    let run = after(
        engine,
        "confirming, disconnecting, confirming",
        &[
            &[start(0, Chloe, Bruno, true)],
            &[Op::Callback { flow: 0 }],
            &[Op::Confirm { flow: 0 }],
            &[Op::Unlink { account: Chloe }],
            &[Op::Confirm { flow: 0 }, Op::Confirm { flow: 0 }],
        ],
    )
    .await;
    assert_eq!(run.linked(Chloe).await, None);
}

macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_the_embedded_engine() {
                super::$name(super::Embedded).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_dynamodb_local() {
                super::$name(super::DynamoDbLocal).await;
            }
        }
    )+};
}

on_both_engines!(
    a_flow_begun_while_its_account_switches_comes_true_or_not,
    confirming_again_after_disconnecting_links_nothing,
);

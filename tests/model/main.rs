//! Random sequences of what people and servers do, by several accounts and identities, against a [`model`] that anybody can check by reading it.
//!
//! Each is played on both databases. `MODEL_SEED=17` plays one seed of every style instead of the usual ones, `MODEL_SEED=100..200` others.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod crash;
mod fixed;
mod model;
mod random;
mod run;
mod transitions;

use std::{env, ops::Range};

use harness::engines::Engine;

use crate::{random::Style, run::Run};

/// The seeds of one style, or those that `MODEL_SEED` names.
fn seeds(usual: Range<u64>) -> Range<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "which seeds a test run plays is the run's configuration"
    )]
    let Ok(given) = env::var("MODEL_SEED") else {
        return usual;
    };
    let number = |text: &str| text.parse().expect("MODEL_SEED is a number, or two as in 0..100");
    match given.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&given)..number(&given) + 1,
    }
}

async fn play(engine: Engine, style: Style, seeds: Range<u64>) {
    for seed in self::seeds(seeds) {
        let rounds = random::rounds(style, seed);
        let name = format!("{style:?} on {engine:?}, MODEL_SEED={seed}");
        Run::begin(engine, random::asks(seed), &name).await.play(&rounds).await;
    }
}

mod embedded {
    use super::{Engine::Embedded, Style, play};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_operation_after_another_does_what_the_model_does() {
        play(Embedded, Style::OneByOne, 0..20).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn operations_at_once_do_what_the_model_does_in_some_order() {
        play(Embedded, Style::AtOnce, 0..20).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_database_fails_is_done_or_not_and_a_second_try_tells() {
        play(Embedded, Style::Faulty, 0..20).await;
    }
}

mod dynamodb_local {
    use super::{Engine::DynamoDbLocal, Style, play};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_operation_after_another_does_what_the_model_does() {
        play(DynamoDbLocal, Style::OneByOne, 0..10).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn operations_at_once_do_what_the_model_does_in_some_order() {
        play(DynamoDbLocal, Style::AtOnce, 0..10).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_database_fails_is_done_or_not_and_a_second_try_tells() {
        play(DynamoDbLocal, Style::Faulty, 0..10).await;
    }
}

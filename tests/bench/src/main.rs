//! Measures the functions as Lambda would run them (README.md beside this).
//!
//! The Runtime API, what the functions call, and the clock beside them are one thread, on one core with the function that is measured.

mod bounds;
mod callgrind;
mod figures;
mod guard;
mod in_process;
mod micro;
mod one_core;
mod peers;
mod plot;
mod process;
mod report;
mod runtime_api;
mod sizes;
mod subjects;
mod upstream;
mod world;

use std::{error::Error, process::ExitCode};

use figures::Results;
use tokio::task::LocalSet;
use upstream::Upstream;
use world::World;

/// How many processes of each, and how often each is called once it is warm.
const PROCESSES: u32 = 15;
const CALLS: u32 = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = LocalSet::new()
        .run_until(async {
            match arguments[..] {
                ["compare"] => Box::pin(compare(false)).await,
                ["compare", "--peers"] => Box::pin(compare(true)).await,
                ["guard"] => Box::pin(guard::guard(false)).await,
                ["record"] => Box::pin(guard::guard(true)).await,
                ["micro"] => micro::print().map(|()| true),
                ["micro-part", part, how] => Box::pin(micro::run(part, how)).await.map(|()| true),
                [callgrind::HASH] => callgrind::print_hash().map(|()| true),
                ["start-link-p99"] => Box::pin(start_link_p99()).await,
                _ => Err("usage: bench compare [--peers] | guard | record | micro".into()),
            }
        })
        .await;
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report::complain(&*error);
            ExitCode::FAILURE
        }
    }
}

/// The part of [`compare`] that has a process of its own.
async fn start_link_p99() -> Result<bool, Box<dyn Error>> {
    let world = World::new(Upstream::start().await?)?;
    in_process::say_start_link_p99(&world).await?;
    Ok(true)
}

/// Measures everybody in turn, prints and keeps the figures; whether every bound holds.
async fn compare(with_peers: bool) -> Result<bool, Box<dyn Error>> {
    one_core::keep_to_one_core()?;
    let world = World::new(Upstream::start().await?)?;
    let mut subjects = subjects::functions(&world);
    if with_peers {
        subjects.extend(subjects::peers(&world));
    }
    let mut results = Results::new();
    for round in 0..PROCESSES {
        report::progress(round, PROCESSES);
        for subject in &subjects {
            let sample = process::measure(&world, subject, CALLS).await;
            let sample = sample.map_err(|error| format!("{}: {error}", subject.name))?;
            results.add(subject.name, sample);
        }
    }
    let start_link_p99 = in_process::start_link_p99()?;
    report::publish(&subjects, &results, start_link_p99, with_peers)
}

//! Starts the local stack and runs it until Ctrl-C or SIGTERM.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use account_linking::{config::Environment, telemetry};
use local_stack::{Stack, StartError};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(mistakes) => {
            for mistake in mistakes {
                // Without a standard error there is nobody to tell.
                let _ = writeln!(io::stderr(), "{mistake}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Vec<String>> {
    let cannot = |error: &dyn Error| vec![telemetry::cause_of(error)];
    // Before the line that says that the stack runs: whoever reads it may stop it at once.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| cannot(&error))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| cannot(&error))?;

    let stack = Stack::start(Environment::of_process())
        .await
        .map_err(|error| match error {
            StartError::Configuration(mistakes) => mistakes.0,
            other => cannot(&other),
        })?;
    // Who started the stack may have stopped reading; that is no reason to end it.
    let _ = writeln!(io::stdout(), "listening on {}", stack.origin());

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stack.shutdown().await;
    Ok(())
}

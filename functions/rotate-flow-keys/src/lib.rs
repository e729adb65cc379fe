//! Replaces the keys that seal flows, step by step (contract section 4).
//!
//! A schedule runs it every five minutes. Each run reads the secret's current version and takes the one step that is due, if any: a
//! rotation first appends the new key, which by then every function has fetched when, 15 minutes later, it moves to the front and
//! seals; the old one is dropped 30 minutes after that, when nothing that it sealed is alive.
//!
//! There is no state but the secret. How old a step is, is the age of the version that it wrote; that a key was appended and does not
//! seal yet, is in that version's id. The id of a version follows from the one before, and Secrets Manager gives an id one value
//! for ever: of two runs at once, or a run whose answer was lost and the next, only one takes a step, and no step is taken twice.
//! A version that somebody wrote by hand has an id of another form; its first key seals, and others are dropped in time.

mod rotation;

use std::sync::Arc;

use account_linking::{
    aws::AwsEnvironment,
    clock::{Clock, Deadline, NoRandomness, Randomness, Timestamp},
    config::{ConfigError, Environment, Reader, read_origin},
    http::request::REQUEST_BUDGET,
    outbound::Locality,
    secrets::{SecretError, SecretStore},
    telemetry::{self, Invocation, Level, Run},
};
use serde::Deserialize;

use crate::rotation::UnusableKeys;
pub use crate::rotation::{APPENDED_FOR, NewVersion, PROMOTED_FOR, ROTATED_AFTER, Step, next};

/// What the function holds on to between runs.
pub struct App {
    secret: String,
    store: SecretStore,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

/// What a run is asked to do. The schedule's own events ask for nothing.
#[derive(Debug, Default, Deserialize)]
pub struct Order {
    /// Begin a rotation now, however young the key is, unless one is under way.
    #[serde(default)]
    pub begin: bool,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The secret could not be read.
    #[error("reading the secret")]
    Read(#[source] SecretError),
    /// The secret holds something else than keys.
    #[error("reading the keys in the secret")]
    Keys(#[from] UnusableKeys),
    /// No randomness for a key.
    #[error("drawing a key")]
    Randomness(#[from] NoRandomness),
    /// The new version could not be written.
    #[error("writing the secret")]
    Write(#[source] SecretError),
    /// Somebody made an older version the current one again, from which a rotation had already gone on.
    #[error("the secret was taken back to an older version; write its keys again, as a new one")]
    TakenBack,
}

impl App {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// Every mistake of the configuration, by variable.
    pub fn connect(
        environment: &Environment,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let origin = read_origin(&mut reader);
        let secret = reader.required("FLOW_KEYS_ARN").map(str::to_owned);
        let aws = AwsEnvironment::read(&mut reader);
        let locality = origin.map_or(Locality::Deployed, |(_, locality)| locality);
        let client = reader.http_client(locality);
        let app = (|| {
            Some(Self {
                secret: secret?,
                store: SecretStore::new(aws?, client),
                clock,
                random,
            })
        })();
        reader.finish(app)
    }
}

/// Takes the step that is due, and logs it.
pub async fn run(app: &App, order: Order, id: &str, invocation: &Invocation) -> Result<(), RotationError> {
    let started = app.clock.now();
    let result = take_step(app, &order, started).await;
    let now = app.clock.now();
    Run {
        timestamp: now,
        level: if result.is_ok() { Level::Info } else { Level::Error },
        function: "rotate-flow-keys",
        outcome: match &result {
            Ok(Some(step)) => step.as_str(),
            Ok(None) => "nothing_due",
            Err(_) => "rotation_failed",
        },
        request_id: id,
        trace_id: invocation.trace_id.as_ref(),
        duration_ms: now.unix_ms().abs_diff(started.unix_ms()),
        cause: result.as_ref().err().map(|error| telemetry::cause_of(error)),
    }
    .write();
    result.map(drop)
}

/// The step that was taken, if one was due.
async fn take_step(app: &App, order: &Order, now: Timestamp) -> Result<Option<Step>, RotationError> {
    let deadline = Deadline::within(REQUEST_BUDGET);
    let read = || app.store.current_version(&app.secret, now, deadline);
    let current = read().await.map_err(RotationError::Read)?;
    let Some(new) = next(current.as_ref(), order.begin, now, &*app.random)? else {
        return Ok(None);
    };
    let put = app.store.put_version(&app.secret, &new.id, &new.text, now, deadline);
    match put.await {
        Ok(()) => Ok(Some(new.step)),
        // Another run was faster; unless the version it wrote is no longer the current one.
        Err(SecretError::AlreadyExists(_)) => {
            let latest = read().await.map_err(RotationError::Read)?;
            let goes_on = latest.map(|version| version.id) != current.map(|version| version.id);
            if goes_on {
                Ok(None)
            } else {
                Err(RotationError::TakenBack)
            }
        }
        Err(error) => Err(RotationError::Write(error)),
    }
}

#[cfg(test)]
mod tests;

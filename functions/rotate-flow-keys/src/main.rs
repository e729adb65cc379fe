//! Started by Lambda once per environment; everything worth reading is in the library.

use std::{process::ExitCode, sync::Arc};

use account_linking::{
    clock::{Clock, SystemClock, SystemRandomness},
    config::Environment,
    lambda, telemetry,
};
use rotate_flow_keys::{App, run};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandomness::default()));
    let app = match App::connect(&Environment::of_process(), clock, random) {
        Ok(app) => app,
        Err(error) => return telemetry::refused_to_start("rotate-flow-keys", &error, SystemClock.now()),
    };
    lambda::serve_schedule(async move |order, id, invocation| run(&app, order, &id, &invocation).await).await
}

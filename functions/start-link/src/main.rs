//! Started by Lambda once per environment; everything worth reading is in the library.

use std::{process::ExitCode, sync::Arc};

use account_linking::{
    clock::{Clock, SystemClock, SystemRandomness},
    config::Environment,
    lambda, telemetry,
};
use start_link::{App, respond};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandomness::default()));
    let app = match App::connect(&Environment::of_process(), clock, random).await {
        Ok(app) => app,
        Err(error) => return telemetry::refused_to_start("start-link", &error, SystemClock.now()),
    };
    lambda::serve(async move |request| respond(&app, &request).await).await
}

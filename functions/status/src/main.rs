//! Started by Lambda once per environment; everything worth reading is in the library.

use std::{process::ExitCode, sync::Arc};

use account_linking::{
    clock::{Clock, SystemClock},
    config::Environment,
    lambda, telemetry,
};
use status::{App, respond};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    let app = match App::connect(&Environment::of_process(), Arc::new(SystemClock)).await {
        Ok(app) => app,
        Err(error) => return telemetry::refused_to_start("status", &error, SystemClock.now()),
    };
    lambda::serve(async move |request| respond(&app, &request).await).await
}

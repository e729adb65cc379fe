//! Started by Lambda once per environment; everything worth reading is in the library.

use std::{process::ExitCode, sync::Arc};

use account_linking::{
    clock::{Clock, SystemClock},
    config::Environment,
    lambda, telemetry,
};
use redeem_ticket::{App, respond};

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    let clock = Arc::new(SystemClock);
    let app = match App::connect(&Environment::of_process(), clock) {
        Ok(app) => app,
        Err(error) => return telemetry::refused_to_start("redeem-ticket", &error, SystemClock.now()),
    };
    lambda::serve(async move |request| respond(&app, &request).await).await
}

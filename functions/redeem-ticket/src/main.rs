//! Started by Lambda once per environment; everything worth reading is in the library.

use std::{convert::Infallible, process::ExitCode, sync::Arc};

use account_linking::{
    clock::{Clock, SystemClock},
    config::Environment,
    lambda, telemetry,
};
use redeem_ticket::{App, respond};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let clock = Arc::new(SystemClock);
    let app = match App::connect(&Environment::of_process(), clock) {
        Ok(app) => app,
        Err(error) => return telemetry::refused_to_start("redeem-ticket", &error, SystemClock.now()),
    };
    let answer = async |event| Ok::<_, Infallible>(respond(&app, &lambda::request(event)).await);
    lambda::serve(lambda_http::service_fn(answer)).await
}

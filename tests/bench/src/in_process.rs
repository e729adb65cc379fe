//! start-link's whole answer within the process: from the parsed request to the response, the session and all other checks included.
//!
//! It happens in a process of its own, whose log goes nowhere: writing it is part of an answer, and nobody wants to read it.

use std::{
    env,
    io::{self, Write},
    process::{Command, Stdio},
    sync::Arc,
};

use account_linking::{
    clock::{SystemClock, SystemRandomness},
    config::Environment,
};
use serde_json::Value;

use crate::{
    process::now,
    world::{FlowFormat, Work, World},
};

const CALLS: usize = 5000;

/// Before anything counts: caches, and the allocator's pages.
const WARM_UP: usize = 200;

/// The 99th percentile, in ms.
pub(crate) fn start_link_p99() -> Result<f64, Box<dyn std::error::Error>> {
    let child = Command::new(env::current_exe()?)
        .arg("start-link-p99")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let said = String::from_utf8(child.wait_with_output()?.stderr)?;
    said.trim().parse().map_err(|_| said.into())
}

/// Says the 99th percentile on standard error.
pub(crate) async fn say_start_link_p99(world: &World) -> Result<(), Box<dyn std::error::Error>> {
    let environment = environment(world);
    let clock = Arc::new(SystemClock);
    let app = start_link::App::connect(&environment, clock, Arc::new(SystemRandomness::default())).await?;
    let event: Value = serde_json::from_str(&world.event(Work::StartLink, FlowFormat::Ours)?)?;

    let mut times = Vec::with_capacity(CALLS);
    for call in 0..WARM_UP + CALLS {
        let request = request(&event)?;
        let started = now();
        let response = start_link::respond(&app, &request).await;
        let taken = now() - started;
        if response.status() != 303 {
            return Err(format!("start-link answers {}", response.status()).into());
        }
        if call >= WARM_UP {
            times.push(taken);
        }
    }
    times.sort_unstable();
    writeln!(io::stderr(), "{}", times[CALLS * 99 / 100].as_secs_f64() * 1e3)?;
    Ok(())
}

/// The variables of start-link, with its keys given.
pub(crate) fn environment(world: &World) -> Environment {
    let variables = world
        .variables()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    let mut environment: Environment = variables.collect();
    environment.set("FLOW_KEYS", crate::world::FLOW_KEYS);
    environment
}

/// The request that `event` tells of.
pub(crate) fn request(event: &Value) -> Result<account_linking::http::request::Request, Box<dyn std::error::Error>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut request = http::Request::post(text(&event["rawPath"]));
    for (name, value) in event["headers"].as_object().into_iter().flatten() {
        request = request.header(name, text(value));
    }
    for cookie in event["cookies"].as_array().into_iter().flatten() {
        request = request.header("cookie", text(cookie));
    }
    let body = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text(&event["body"]))?;
    Ok(account_linking::http::request::Request::new(
        request.body(body)?,
        "bench".to_owned(),
    ))
}

//! The parts that every call is made of, one by one: nanoseconds on this machine, instructions on any.
//!
//! Each part runs in a process of its own, twice as often in a second one: the difference, divided, is what one run takes, without
//! what starting takes.

use std::{
    env,
    error::Error,
    fs,
    hint::black_box,
    io::{self, Write},
    process::{Command, Stdio},
    sync::Arc,
};

use account_linking::{
    clock::{Clock, Deadline, SystemClock, SystemRandomness, Timestamp},
    config::{Environment, Reader, Site},
    flow::{Flow, Purpose, ReturnTarget, SessionBinding},
    http::{cookies::Cookies, request::REQUEST_BUDGET},
    identity::{AccountId, Issuer, ProviderId, SessionId},
    jose::{Algorithm, KeySet, SigningKey},
    provider::id_token::{Expectations, verify},
    seal::{FlowKeys, Kind},
    session::Sessions,
};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use serde_json::json;

use crate::{
    figures::Spread,
    in_process::{self, environment},
    process::now,
    upstream::Upstream,
    world::{ACCOUNT, CLIENT_ID, EMAIL, FLOW_KEYS, FlowFormat, SESSION, SUBJECT, Work, World},
};

/// The parts, by the names that the command line takes.
pub(crate) const PARTS: [&str; 6] = [
    "seal-flow",
    "open-flow",
    "parse-cookies",
    "verify-session",
    "verify-id-token",
    "start-link",
];

const RUNS: u32 = 200;
const ROUNDS: usize = 30;

/// Prints every part's time and instructions.
pub(crate) fn print() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    writeln!(out, "{:<20}{:>12}{:>16}", "part", "µs, median", "instructions")?;
    for part in PARTS {
        let time: f64 = said(&[part, "time"], &[])?.parse()?;
        let instructions = instructions(part)?;
        writeln!(out, "{part:<20}{time:>12.1}{instructions:>16.0}")?;
    }
    Ok(())
}

/// The instructions of one run of `part`.
pub(crate) fn instructions(part: &str) -> Result<f64, Box<dyn Error>> {
    let count = |runs: u32| -> Result<f64, Box<dyn Error>> {
        let profile = env::temp_dir().join(format!("account-linking-bench-{}.callgrind", std::process::id()));
        let valgrind = [
            "/usr/bin/valgrind".to_owned(),
            "--tool=callgrind".to_owned(),
            "--quiet".to_owned(),
            format!("--callgrind-out-file={}", profile.display()),
        ];
        said(&[part, &runs.to_string()], &valgrind)?;
        let counted = fs::read_to_string(&profile)?;
        fs::remove_file(&profile)?;
        let total = counted.lines().find_map(|line| line.strip_prefix("totals: "));
        Ok(total.ok_or("callgrind counts")?.trim().parse()?)
    };
    Ok((count(2 * RUNS)? - count(RUNS)?) / f64::from(RUNS))
}

/// What a process of `micro-part` below `wrapper` says on standard error. Its standard output is the functions' log.
fn said(arguments: &[&str], wrapper: &[String]) -> Result<String, Box<dyn Error>> {
    let this = env::current_exe()?;
    let mut command = match wrapper {
        [] => Command::new(this),
        [program, options @ ..] => {
            let mut command = Command::new(program);
            command.args(options).arg(this);
            command
        }
    };
    let child = command
        .arg("micro-part")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8(output.stderr)?;
    if output.status.success() {
        Ok(said.trim().to_owned())
    } else {
        Err(said.into())
    }
}

/// Runs `part` as often as `how` says, or says how long it takes.
pub(crate) async fn run(part: &str, how: &str) -> Result<(), Box<dyn Error>> {
    let bench = Bench::new(World::new(Upstream::start().await?)?).await?;
    if how != "time" {
        for _ in 0..how.parse::<u32>()? {
            bench.run(part).await?;
        }
        return Ok(());
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = now();
        for _ in 0..RUNS {
            bench.run(part).await?;
        }
        times.push((now() - started).as_secs_f64() * 1e6 / f64::from(RUNS));
    }
    writeln!(io::stderr(), "{}", Spread::of(times).median)?;
    Ok(())
}

/// What the parts work on.
struct Bench {
    start_link: start_link::App,
    event: serde_json::Value,
    sessions: Sessions,
    headers: HeaderMap,
    flow_keys: FlowKeys,
    flow: Flow,
    sealed: String,
    issuer: Issuer,
    id_token: String,
    id_token_keys: KeySet,
    random: SystemRandomness,
    now: Timestamp,
}

impl Bench {
    async fn new(world: World) -> Result<Self, Box<dyn Error>> {
        let (random, now) = (SystemRandomness::default(), SystemClock.now());
        let environment: Environment = environment(&world);
        let mut reader = Reader::new(&environment);
        let site = Site::read(&mut reader);
        let sessions = Sessions::read(&mut reader, site.as_ref()).ok_or("sessions are configured")?;
        let event: serde_json::Value = serde_json::from_str(&world.event(Work::StartLink, FlowFormat::Ours)?)?;
        let cookies = event["cookies"].as_array().ok_or("an event has cookies")?;
        let cookies: Vec<&str> = cookies.iter().filter_map(|cookie| cookie.as_str()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(
            COOKIE,
            HeaderValue::from_str(&format!("theme=dark; {}", cookies.join("; ")))?,
        );

        let purpose = Purpose::Link {
            session: SessionBinding::of(&AccountId::parse(ACCOUNT)?, &SessionId::parse(SESSION)?),
            replace: false,
            return_to: ReturnTarget::Settings,
        };
        let flow = Flow::start(ProviderId::parse("magento")?, purpose, now, &random)?;
        let flow_keys = FlowKeys::parse(FLOW_KEYS, "https://accounts.localhost")?;
        let sealed = flow_keys.seal(Kind::Flow, "flow", &flow, &random)?;

        let key = SigningKey::generate_p256("provider")?;
        let issuer = "https://id.magento.example";
        let id_token = key.sign_jwt(&json!({
            "iss": issuer, "aud": CLIENT_ID, "sub": SUBJECT, "nonce": flow.nonce.reveal(), "email": EMAIL,
            "email_verified": true, "iat": now.unix_seconds(), "exp": now.unix_seconds() + 300,
        }))?;
        Ok(Self {
            start_link: start_link::App::connect(&environment, Arc::new(SystemClock), Arc::new(random.clone())).await?,
            event,
            sessions,
            headers,
            flow_keys,
            flow,
            sealed,
            issuer: Issuer::parse(issuer)?,
            id_token,
            id_token_keys: KeySet::parse(json!({"keys": [key.public_jwk()]}).to_string().as_bytes())?,
            random,
            now,
        })
    }

    async fn run(&self, part: &str) -> Result<(), Box<dyn Error>> {
        match part {
            "seal-flow" => {
                black_box(self.flow_keys.seal(Kind::Flow, "flow", &self.flow, &self.random)?);
            }
            "open-flow" => {
                black_box(self.flow_keys.open::<Flow>(Kind::Flow, "flow", &self.sealed)?);
            }
            "parse-cookies" => {
                black_box(Cookies::parse(&self.headers, self.sessions.cookie_name())?);
            }
            "verify-session" => {
                let cookies = Cookies::parse(&self.headers, self.sessions.cookie_name())?;
                let deadline = Deadline::within(REQUEST_BUDGET);
                let session = self
                    .sessions
                    .verify(&cookies, &self.headers, self.now, deadline)
                    .await?;
                black_box(session);
            }
            "verify-id-token" => {
                let expectations = Expectations {
                    issuer: &self.issuer,
                    client_id: CLIENT_ID,
                    algorithms: &[Algorithm::Es256],
                    nonce: &self.flow.nonce,
                };
                black_box(verify(&self.id_token, &self.id_token_keys, &expectations, self.now)?);
            }
            "start-link" => {
                let request = in_process::request(&self.event)?;
                black_box(start_link::respond(&self.start_link, &request).await);
            }
            other => return Err(format!("no part {other}").into()),
        }
        Ok(())
    }
}

//! The parts that every call is made of, one by one: time on this machine, instructions on any.
//!
//! Instructions are those of two processes below callgrind, of which the second runs the part twice as often: the difference, divided, is what one
//! run takes, without what starting takes.

use std::{
    env,
    error::Error,
    hint::black_box,
    io::{self, Write},
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use account_linking::{
    clock::{Clock, Deadline, SystemClock, SystemRandomness, Timestamp},
    config::{Environment, Reader},
    flow::{Flow, Purpose, ReturnTarget, SessionBinding},
    http::{cookies::Cookies, request::REQUEST_BUDGET},
    identity::{AccountId, Issuer, ProviderId, SessionId},
    jose::{Algorithm, KeySet, SigningKey},
    provider::id_token::{Expectations, verify},
    seal::{FlowKeys, Kind},
    session::Sessions,
    table::{Item, account_record},
};
use aws_sdk_dynamodb::types::AttributeValue;
use http::{HeaderMap, HeaderValue, header::COOKIE};
use serde_json::json;
use tokio::task::LocalSet;

use crate::{
    callgrind,
    in_process::{self, environment},
    upstream::Upstream,
    world::{ACCOUNT, CLIENT_ID, EMAIL, FLOW_KEYS, FlowFormat, SESSION, SUBJECT, Work, World},
};

/// The parts, by the names that the command line takes.
const PARTS: [&str; 7] = [
    "seal-flow",
    "open-flow",
    "parse-cookies",
    "verify-session",
    "verify-id-token",
    "read-link-item",
    START_LINK,
];

/// The part that writes to the log, which is standard output: its time is [`in_process`]'s.
const START_LINK: &str = "start-link";

const RUNS: u32 = 200;

/// Prints every part's time and instructions.
pub(crate) fn print() -> Result<(), Box<dyn Error>> {
    // A part is benchmarked in a runtime of its own, and here is one already.
    let times = thread::spawn(|| divan::Divan::default().run_benches());
    times.join().map_err(|_| "a benchmark panicked")?;

    let mut out = io::stdout();
    callgrind::check_seeds()?;
    writeln!(out, "{:<20}{:>16}", "part", "instructions")?;
    for part in PARTS {
        writeln!(out, "{part:<20}{:>16.0}", instructions(part)?)?;
    }
    writeln!(out, "start-link, p99: {:.3} ms", in_process::start_link_p99()?)?;
    Ok(())
}

/// The time of one run of `part`.
#[divan::bench(args = PARTS.into_iter().filter(|part| *part != START_LINK), sample_count = 100, sample_size = 100)]
#[expect(
    clippy::expect_used,
    reason = "divan's benchmarks return nothing, and one that fails has no time"
)]
fn time(bencher: divan::Bencher, part: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = LocalSet::new();
    let bench = local.block_on(&runtime, async {
        Bench::new(World::new(Upstream::start().await?)?).await
    });
    let bench = bench.expect("what the parts work on");
    bencher.bench_local(|| runtime.block_on(bench.run(part)).expect("a part that works"));
}

/// The instructions of one run of `part`.
pub(crate) fn instructions(part: &str) -> Result<f64, Box<dyn Error>> {
    Ok((counted(part, 2 * RUNS)? - counted(part, RUNS)?) / f64::from(RUNS))
}

/// The instructions of a process that runs `part` as often as `runs` says. What it writes is the functions' log.
fn counted(part: &str, runs: u32) -> Result<f64, Box<dyn Error>> {
    let profile = callgrind::profile();
    let [program, arguments @ ..] = callgrind::wrapper(&profile);
    let output = Command::new(program)
        .args(arguments)
        .arg(env::current_exe()?)
        .args(["micro-part", part, &runs.to_string()])
        .stdout(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr)?.into());
    }
    callgrind::total(&profile)
}

/// Runs `part` as often as `runs` says.
pub(crate) async fn run(part: &str, runs: &str) -> Result<(), Box<dyn Error>> {
    let bench = Bench::new(World::new(Upstream::start().await?)?).await?;
    for _ in 0..runs.parse::<u32>()? {
        bench.run(part).await?;
    }
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
    link_item: Item,
    random: SystemRandomness,
    now: Timestamp,
}

impl Bench {
    async fn new(world: World) -> Result<Self, Box<dyn Error>> {
        let (random, now) = (SystemRandomness::default(), SystemClock.now());
        let environment: Environment = environment(&world);
        let mut reader = Reader::new(&environment);
        let sessions = Sessions::read(&mut reader).ok_or("sessions are configured")?;
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
            link_item: link_item(),
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
            "read-link-item" => {
                black_box(account_record(&self.link_item)?);
            }
            START_LINK => {
                let request = in_process::request(&self.event)?;
                black_box(start_link::respond(&self.start_link, &request).await);
            }
            other => return Err(format!("no part {other}").into()),
        }
        Ok(())
    }
}

/// The item of an account that is linked.
fn link_item() -> Item {
    let texts = [
        ("pk", format!("ACCOUNT#{ACCOUNT}")),
        ("sk", "LINK#magento".to_owned()),
        ("issuer", "https://id.magento.example".to_owned()),
        ("subject", SUBJECT.to_owned()),
        ("email", EMAIL.to_owned()),
    ];
    let texts = texts.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
    let linked_at = AttributeValue::N("1583143872000".to_owned());
    texts.into_iter().chain([("linked_at".to_owned(), linked_at)]).collect()
}

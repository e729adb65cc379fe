//! Journeys at full speed against the local stack: how many per core, how long the slowest take, whether memory stays flat.
//!
//! The stack is a process of its own, with the embedded engine on a file of its own that holds many links already. Each browser
//! is one person, who links, looks, and unlinks, over and over; every answer is checked. docs/scale.md says what follows.

use std::{
    error::Error,
    fmt, fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use account_linking::{
    clock::{Clock, SystemClock},
    jose::SigningKey,
};
use dynoxide::{AttributeValue, Database, ImportOptions, Item};
use harness::{
    browser::{Answer, Browser},
    magento::{Magento, until_it_leaves},
    sessions::SESSION_COOKIE,
};
use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

const TABLE: &str = "account-links";
const ISSUER: &str = "https://sessions.example";
const AUDIENCE: &str = "account-linking";

/// How many links are in the table before anybody comes, and how many browsers there are at once, row after row.
///
/// The last table is there for its memory, which is flat once transactions are forgotten as others come.
const TABLES: [(usize, &[usize]); 3] = [(1_000, &[1, 8, 64]), (1_000_000, &[1, 8, 64]), (1_000, &[8; 20])];

/// How long the embedded engine remembers a transaction, in seconds.
const REMEMBERED: usize = 600;

/// How much more memory there may be at the end than in the first row after that.
const FLAT: f64 = 1.05;

/// How many links are written at once.
const BATCH: usize = 20_000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let seconds = std::env::args().nth(1).map_or(Ok(60), |seconds| seconds.parse())?;
    let time = Duration::from_secs(u64::try_from(seconds)?);
    let key = SigningKey::generate_p256("sessions")?;
    let mut out = io::stdout();
    writeln!(
        out,
        "{:>9}{:>10}{:>10}{:>12}{:>16}{:>10}{:>10}{:>10}{:>10}{:>11}",
        "links",
        "browsers",
        "journeys",
        "per second",
        "per CPU second",
        "p50, ms",
        "p99, ms",
        "max, ms",
        "RSS, MB",
        "after, MB"
    )?;
    let folder = std::env::temp_dir().join(format!("account-linking-load-{}", std::process::id()));
    for (links, rows) in TABLES {
        fs::create_dir_all(&folder)?;
        let stack = Stack::holding(links, &folder, &key)?;
        let mut held = Vec::new();
        for (row, browsers) in rows.iter().enumerate() {
            let people = people(&stack, &key, row, *browsers).await?;
            let load = Load::new(&stack, people, time).await?;
            writeln!(out, "{links:>9}{browsers:>10}{load}")?;
            held.push(load.memory[1]);
        }
        let flat = REMEMBERED.checked_div(seconds).and_then(|row| held.get(row));
        if let (Some(flat), Some(last)) = (flat, held.last())
            && *last > flat * FLAT
        {
            return Err(format!("memory grew from {flat:.1} MB to {last:.1} MB when it should have been flat").into());
        }
        drop(stack);
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// The local stack as a process. It ends with this value.
struct Stack {
    process: Child,
    origin: String,
}

impl Stack {
    /// A stack with its table in `folder`, where `links` links are already.
    fn holding(links: usize, folder: &Path, key: &SigningKey) -> Result<Self, Failure> {
        // Started once to make the table, then again on what was put into it.
        drop(Self::start(folder, key)?);
        fill(folder, links)?;
        Self::start(folder, key)
    }

    fn start(folder: &Path, key: &SigningKey) -> Result<Self, Failure> {
        let mut process = Command::new(beside_this("local-stack")?)
            .env("PORT", "0")
            .env("DATA_DIR", folder)
            .env("TABLE_NAME", TABLE)
            .env("SESSION_ISSUER", ISSUER)
            .env("SESSION_AUDIENCE", AUDIENCE)
            .env("SESSION_JWKS", json!({"keys": [key.public_jwk()]}).to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("a piped standard output")?).lines();
        let origin = loop {
            let line = lines.next().ok_or("the stack ended")??;
            if let Some(origin) = line.strip_prefix("listening on ") {
                break origin.to_owned();
            }
        };
        // Its log has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, origin })
    }

    /// The CPU it has used, in seconds.
    fn cpu(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks: u32 = fields[11].parse::<u32>()? + fields[12].parse::<u32>()?;
        Ok(f64::from(ticks) / 100.0) // USER_HZ
    }

    /// The memory it holds, in MB.
    fn memory(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u32 = line
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .ok_or("VmRSS")?
            .parse()?;
        Ok(f64::from(kib) * 1024.0 / 1e6)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// The binary that was built with this one.
fn beside_this(name: &str) -> Result<PathBuf, Failure> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// Puts `links` links of people who never come into the table, and leaves it without its stream.
fn fill(folder: &Path, links: usize) -> Result<(), Failure> {
    let database = Database::new(&folder.join("dynamodb.sqlite").to_string_lossy())?;
    database.enable_bulk_loading()?;
    for first in (0..links).step_by(BATCH) {
        let items = (first..links.min(first + BATCH)).flat_map(|number| {
            let account = format!("resident-{number}");
            let (issuer, subject) = ("http://magento.localhost", format!("resident-{number}"));
            let email = format!("resident-{number}@example.com");
            let link = [
                ("pk", format!("ACCOUNT#{account}")),
                ("sk", "LINK#magento".to_owned()),
                ("issuer", issuer.to_owned()),
                ("subject", subject.clone()),
                ("email", email.clone()),
            ];
            let owner = [
                ("pk", format!("IDENTITY#{issuer}#{subject}")),
                ("sk", "OWNER".to_owned()),
                ("account_id", account),
                ("email", email),
            ];
            let mut link = item(link);
            link.insert("linked_at".to_owned(), AttributeValue::N("1583143872000".to_owned()));
            [link, item(owner)]
        });
        database.import_items(TABLE, items.collect(), ImportOptions::default())?;
    }
    database.disable_bulk_loading()?;
    // To number a record of the table's stream the engine reads all that are there, so that each write would take longer than the one before.
    let without_stream = json!({"TableName": TABLE, "StreamSpecification": {"StreamEnabled": false}});
    database.update_table(serde_json::from_value(without_stream)?)?;
    Ok(())
}

fn item<const N: usize>(attributes: [(&str, String); N]) -> Item {
    let attribute = |(name, value): (&str, String)| (name.to_owned(), AttributeValue::S(value));
    attributes.into_iter().map(attribute).collect()
}

/// The people of a row, with a session here and an account at Magento.com, where they are signed in.
async fn people(stack: &Stack, key: &SigningKey, row: usize, count: usize) -> Result<Vec<Browser>, Failure> {
    let mut people = Vec::new();
    for number in 0..count {
        let (browser, now) = (Browser::default(), SystemClock.now().unix_seconds());
        let name = format!("visitor-{row}-{number}");
        let email = format!("{name}@example.com");
        let session = key.sign_jwt(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": name, "sid": "session", "email": email,
            "auth_time": now, "iat": now, "exp": now + 3600,
        }))?;
        let cookie = format!("{SESSION_COOKIE}={session}; Path=/; Secure; HttpOnly; SameSite=Lax");
        if !browser.keeps(&stack.origin, &cookie) {
            return Err("the browser refuses the session".into());
        }
        let page = post(&stack.origin, &browser, "create").await.follows().await;
        let back = Magento::Development
            .creates_account(&until_it_leaves(page).await, &email)
            .await;
        finish(&back.follows().await).await?;
        people.push(browser);
    }
    Ok(people)
}

/// What the stack did for many browsers at once.
struct Load {
    time: Duration,
    /// Every journey's time, in order.
    took: Vec<Duration>,
    /// The CPU that it used, in seconds.
    cpu: f64,
    /// The memory that it held before and afterwards, in MB.
    memory: [f64; 2],
}

impl Load {
    /// All the journeys that `people` make in `time`. The first that fails ends it.
    async fn new(stack: &Stack, people: Vec<Browser>, time: Duration) -> Result<Self, Failure> {
        let (cpu, memory) = (stack.cpu()?, stack.memory()?);
        let started = now();
        let mut journeys = JoinSet::new();
        for browser in people {
            let origin = stack.origin.clone();
            journeys.spawn(async move {
                let mut took = Vec::new();
                while now() - started < time {
                    let begun = now();
                    let page = post(&origin, &browser, "sign-in").await.follows().await;
                    let back = until_it_leaves(page).await;
                    finish(&back.follows().await).await?;
                    took.push(now() - begun);
                }
                Ok::<_, Failure>(took)
            });
        }
        let mut all = Vec::new();
        while let Some(took) = journeys.join_next().await {
            all.extend(took??);
        }
        all.sort_unstable();
        Ok(Self {
            time,
            took: all,
            cpu: stack.cpu()? - cpu,
            memory: [memory, stack.memory()?],
        })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, line: &mut fmt::Formatter<'_>) -> fmt::Result {
        let journeys = u32::try_from(self.took.len()).map_or(f64::INFINITY, f64::from);
        let [before, after] = self.memory;
        write!(
            line,
            "{journeys:>10}{:>12.1}{:>16.1}",
            journeys / self.time.as_secs_f64(),
            journeys / self.cpu
        )?;
        for percent in [50, 99, 100] {
            let took = self
                .took
                .get(self.took.len().saturating_sub(1) * percent / 100)
                .copied();
            write!(line, "{:>10.1}", took.unwrap_or_default().as_secs_f64() * 1e3)?;
        }
        write!(line, "{before:>10.1}{after:>11.1}")
    }
}

async fn post(origin: &str, browser: &Browser, intent: &str) -> Answer {
    let (page, action) = (format!("{origin}/user"), format!("{origin}/sso/magento/start-link"));
    browser.posting_from(&page, &action, &[("intent", intent)]).send().await
}

/// From the callback's answer on: it must be linked, say so, and let itself be unlinked.
async fn finish(landed: &Answer) -> Result<(), Failure> {
    if landed.location_parameter("sso").as_deref() != Some("linked") {
        return Err(format!("the callback answered {landed:?}").into());
    }
    let status = landed
        .fetching(Method::GET, "/sso/magento/status", "application/json")
        .send()
        .await;
    if status.status != 200 || status.json()["status"] != "linked" {
        return Err(format!("status answered {status:?}").into());
    }
    let unlinked = landed.posting("/sso/magento/unlink", &[]).send().await;
    if unlinked.location_parameter("sso").as_deref() != Some("unlinked") {
        return Err(format!("unlink answered {unlinked:?}").into());
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a load test measures time")]
fn now() -> Instant {
    Instant::now()
}

//! What `make test` holds the functions to: figures that are the same however busy the machine is.
//!
//! Instructions are counted by callgrind, on the compiled functions over the same servers as everything else here, and compared as ratios to the
//! empty function's of the same run. What std seeds its hash maps with and TLS draws its keys from is the same in every process that is
//! counted (`fixed_seeds.c`), so a count moves by some two per mille; the headroom is 15 %. What is recorded is in `recorded.json`; whoever means
//! to change it runs `make record`.

use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    io::{self, Write},
    process::Command,
};

use serde_json::{Map, Value, json};

use crate::{
    callgrind,
    process::{Running, Subject, ask, check_calls},
    sizes::Size,
    subjects::{all_functions, bootstrap, folder, functions, workspace},
    upstream::Upstream,
    world::{Work, World},
};

/// How far a figure may be above what is recorded.
const HEADROOM: f64 = 1.15;

/// The largest archive, in bytes.
const LARGEST_ZIP: usize = 2_600_000;

/// How many warm calls are counted, to divide by.
const CALLS: u32 = 20;

/// How often a count that failed is tried. Below callgrind everything takes fifty times as long, and the functions' own time-outs do not: on a
/// machine that does much else, a call may be given up or sent again. What fails every time has another reason.
const TRIES: u32 = 30;

/// What no function links, for a second of them would be a second TLS or HTTP stack. `deny.toml` says why.
const SECOND_STACKS: [&str; 8] = [
    "aws-config",
    "aws-lc-rs",
    "aws-lc-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
    "reqwest",
    "ureq",
];

/// What a function links in one version, if at all.
const ONE_OF_EACH: [&str; 7] = ["http", "http-body", "hyper", "hyper-rustls", "ring", "rustls", "tokio"];

/// What a function without `TABLE_NAME` does not link.
const DATABASE: &str = "aws-sdk-dynamodb";
const WITHOUT_DATABASE: [&str; 2] = ["sign-in", "start-link"];

/// Compares with what is recorded, or records; whether all is well.
pub(crate) async fn guard(records: bool) -> Result<bool, Box<dyn Error>> {
    let mut out = io::stdout();
    let (mut figures, mut slips) = (Map::new(), Vec::new());

    for function in all_functions()? {
        let crates = crates(&function)?;
        slips.extend(second_stacks(&function, &crates));
        figures.insert(format!("{function}: crates"), crates.len().into());
        let size = Size::of(&bootstrap(&function))?;
        figures.insert(format!("{function}: binary, bytes"), size.binary.into());
        if size.zip > LARGEST_ZIP {
            slips.push(format!(
                "{function} is {} bytes as a zip, {LARGEST_ZIP} at most",
                size.zip
            ));
        }
    }

    callgrind::check_seeds()?;
    let world = World::new(Upstream::start().await?)?;
    let mut empty = None;
    for subject in functions(&world) {
        let counted = count(&world, &subject).await;
        let (cold, warm) = counted.map_err(|error| format!("{}: {error}", subject.name))?;
        writeln!(out, "{}: {cold:.0} instructions cold, {warm:.0} warm", subject.name)?;
        let (empty_cold, empty_warm) = *empty.get_or_insert((cold, warm));
        if subject.is_checked {
            figures.insert(
                format!("{}: instructions cold / empty", subject.name),
                rounded(cold / empty_cold),
            );
            figures.insert(
                format!("{}: instructions warm / empty", subject.name),
                rounded(warm / empty_warm),
            );
        }
    }

    let file = folder().join("recorded.json");
    if records {
        fs::write(file, serde_json::to_string_pretty(&Value::Object(figures))? + "\n")?;
    } else {
        let recorded: Map<String, Value> = serde_json::from_slice(&fs::read(file)?)?;
        slips.extend(compare(&figures, &recorded));
    }
    for slip in &slips {
        writeln!(out, "SLIPPED {slip}")?;
    }
    Ok(slips.is_empty())
}

/// What is worse than recorded.
fn compare(figures: &Map<String, Value>, recorded: &Map<String, Value>) -> Vec<String> {
    let judge = |(name, figure): (&String, &Value)| {
        let Some(before) = recorded.get(name).and_then(Value::as_f64) else {
            return Some(format!("{name} is {figure} and was never recorded"));
        };
        // A crate more is a decision, not a fluctuation.
        let bound = if name.ends_with("crates") {
            before
        } else {
            before * HEADROOM
        };
        (figure.as_f64()? > bound).then(|| format!("{name} is {figure}, recorded is {before}"))
    };
    figures.iter().filter_map(judge).collect()
}

/// The instructions of `subject` until its first answer, and of each further one.
async fn count(world: &World, subject: &Subject) -> Result<(f64, f64), Box<dyn Error>> {
    let cold = patiently(world, subject, 0).await?;
    let all = patiently(world, subject, CALLS).await?;
    Ok((cold, (all - cold) / f64::from(CALLS)))
}

/// [`instructions`], of the first process that did as it was asked.
async fn patiently(world: &World, subject: &Subject, calls: u32) -> Result<f64, Box<dyn Error>> {
    for _ in 1..TRIES {
        if let Ok(counted) = instructions(world, subject, calls).await {
            return Ok(counted);
        }
    }
    instructions(world, subject, calls).await
}

/// The instructions of a process of `subject` that answers once, and `calls` times more.
async fn instructions(world: &World, subject: &Subject, calls: u32) -> Result<f64, Box<dyn Error>> {
    let profile = callgrind::profile();
    world.upstream.connections(); // those of the process before
    let mut running = Running::start(subject, &callgrind::wrapper(&profile)).await?;
    let give = running.asks().await?;
    let (_, mut give) = ask(world, subject, &mut running, give).await?;
    check_connections(world, subject)?;
    world.upstream.counted(); // those of the first call
    for _ in 0..calls {
        (_, give) = ask(world, subject, &mut running, give).await?;
    }
    check_calls(world, subject, calls)?;
    // Asked to end, callgrind writes what it has counted.
    Command::new("kill").arg(running.child.id().to_string()).status()?;
    running.child.wait()?;
    callgrind::total(&profile)
}

/// Whether `subject` connected to whom it must for its first answer, and to nobody twice.
fn check_connections(world: &World, subject: &Subject) -> Result<(), Box<dyn Error>> {
    let connected = world.upstream.connections();
    let fetches_keys = subject.variables.iter().any(|(name, _)| *name == "FLOW_KEYS_ARN");
    let for_its_work = match subject.work {
        _ if !subject.is_checked => 0,
        Work::StartLink => 0,
        Work::Status => 1,
        Work::Callback => 2, // the database, and the provider: its keys and the code
    };
    let expected = for_its_work + u64::from(fetches_keys);
    if connected == expected {
        Ok(())
    } else {
        Err(format!("the first answer took {connected} connections instead of {expected}").into())
    }
}

/// The crates that `function` links, with their versions.
fn crates(function: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", function, "--edges", "normal"])
        .args([
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--target",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(workspace())
        .output()?;
    if !tree.status.success() {
        return Err(String::from_utf8_lossy(&tree.stderr).into());
    }
    let tree = String::from_utf8(tree.stdout)?;
    // A line is `name v1.2.3`, and perhaps a remark.
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(tree.lines().map(name_and_version).collect())
}

/// What `function` links of `crates` that it must not.
fn second_stacks(function: &str, crates: &BTreeSet<String>) -> Vec<String> {
    let versions = |name: &str| {
        crates
            .iter()
            .filter(|known| known.split(' ').next() == Some(name))
            .count()
    };
    let second = SECOND_STACKS.into_iter().filter(|name| versions(name) > 0);
    let twice = ONE_OF_EACH.into_iter().filter(|name| versions(name) > 1);
    let database = WITHOUT_DATABASE.contains(&function).then_some(DATABASE);
    let database = database.into_iter().filter(|name| versions(name) > 0);
    let slip = |name| format!("{function} links {name}, a second stack or one it does not need");
    second.chain(twice).chain(database).map(slip).collect()
}

fn rounded(ratio: f64) -> Value {
    json!((ratio * 1e3).round() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(crates: u64, ratio: f64) -> Map<String, Value> {
        let figures = json!({"status: crates": crates, "status: instructions warm / empty": ratio});
        figures.as_object().unwrap().clone()
    }

    #[test]
    fn a_figure_within_the_headroom_passes_and_one_beyond_it_slips() {
        let recorded = figures(100, 2.0);
        assert_eq!(compare(&figures(100, 2.29), &recorded), [""; 0]);
        assert_eq!(compare(&figures(90, 1.0), &recorded), [""; 0]);
        assert_eq!(
            compare(&figures(100, 2.31), &recorded),
            ["status: instructions warm / empty is 2.31, recorded is 2"]
        );
    }

    #[test]
    fn a_crate_more_slips_and_so_does_what_was_never_recorded() {
        assert_eq!(
            compare(&figures(101, 2.0), &figures(100, 2.0)),
            ["status: crates is 101, recorded is 100"]
        );
        assert_eq!(compare(&figures(1, 1.0), &Map::new()).len(), 2);
    }

    #[test]
    fn a_second_stack_is_seen() {
        let crates = [
            "hyper v0.14.32",
            "hyper v1.12.0",
            "aws-lc-rs v1.0.0",
            "aws-sdk-dynamodb v1.136.0",
        ];
        let crates = crates.map(str::to_owned).into();
        assert_eq!(second_stacks("status", &crates).len(), 2);
        assert_eq!(second_stacks("start-link", &crates).len(), 3);
    }
}

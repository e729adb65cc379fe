//! One process of a function: started, asked, weighed, ended.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    runtime_api::{RuntimeApi, Said},
    upstream::Counted,
    world::{FlowFormat, Work, World, check},
};

type Error = Box<dyn std::error::Error>;

/// How long a process may take to say anything. Valgrind is slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// The moment, for durations.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What is measured: a program that speaks to the Runtime API, and what it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// What it is asked, and whether the answer has to be the right one.
    pub(crate) work: Work,
    pub(crate) is_checked: bool,
    pub(crate) flow_format: FlowFormat,
}

/// What one process took. Times and CPU in microseconds, memory in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) time_to_next: f64,
    pub(crate) cpu_to_next: f64,
    pub(crate) time_to_answer: f64,
    pub(crate) cpu_to_answer: f64,
    pub(crate) memory: f64,
    pub(crate) warm_time: f64,
    pub(crate) warm_cpu: f64,
}

/// A process and what it speaks to.
pub(crate) struct Running {
    pub(crate) child: Child,
    api: RuntimeApi,
    pub(crate) started: Instant,
}

impl Running {
    /// Starts `subject` below `wrapper`, which may be nothing.
    pub(crate) async fn start(subject: &Subject, wrapper: &[String]) -> Result<Self, Error> {
        let api = RuntimeApi::start().await?;
        let mut command = match wrapper {
            [] => Command::new(&subject.program),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&subject.program);
                command
            }
        };
        command
            .args(&subject.arguments)
            .env_clear()
            .envs(subject.variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", &api.authority)
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let started = now();
        let child = command.spawn()?;
        Ok(Self { child, api, started })
    }

    async fn said(&mut self) -> Result<Said, Error> {
        let said = tokio::time::timeout(PATIENCE, self.api.said()).await;
        match said {
            Ok(Some(Said::Failure(what))) => Err(format!("the function failed: {what}").into()),
            Ok(Some(said)) => Ok(said),
            Ok(None) => Err("the Runtime API has ended".into()),
            Err(_) => Err("the function says nothing".into()),
        }
    }

    /// Waits until it asks for an event.
    pub(crate) async fn asks(&mut self) -> Result<tokio::sync::oneshot::Sender<String>, Error> {
        match self.said().await? {
            Said::Next(give) => Ok(give),
            _ => Err("the function answered what it was not asked".into()),
        }
    }

    /// Waits for its answer; when it came.
    pub(crate) async fn answers(&mut self) -> Result<(String, Instant), Error> {
        match self.said().await? {
            Said::Answer { body, at } => Ok((body, at)),
            _ => Err("the function asked again without an answer".into()),
        }
    }

    /// The CPU that all its threads have used, in nanoseconds, once they rest.
    fn cpu(&self) -> Result<u64, Error> {
        let tasks = PathBuf::from(format!("/proc/{}/task", self.child.id()));
        for _ in 0..1000 {
            if rests(&tasks)? {
                break;
            }
            thread::sleep(Duration::from_micros(50));
        }
        let mut total = 0;
        for task in fs::read_dir(&tasks)? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let ran = text.split(' ').next().ok_or("schedstat has fields")?;
            total += ran.parse::<u64>()?;
        }
        Ok(total)
    }

    /// The most memory it ever held, in KiB.
    fn peak_memory(&self) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        Ok(line
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .ok_or("a process has VmHWM")?
            .parse()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether every thread of `tasks` sleeps, so that its time is booked.
fn rests(tasks: &Path) -> Result<bool, Error> {
    for task in fs::read_dir(tasks)? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        if state != Some('S') {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Starts `subject` and asks it `calls` times more than once.
pub(crate) async fn measure(world: &World, subject: &Subject, calls: u32) -> Result<Sample, Error> {
    let mut running = Running::start(subject, &[]).await?;
    let give = running.asks().await?;
    let time_to_next = micros(now() - running.started);
    let cpu_to_next = running.cpu()?;

    let (answer_time, mut give) = ask(world, subject, &mut running, give).await?;
    let cpu_to_answer = running.cpu()?;

    world.upstream.counted(); // those of the first call
    let mut warm_time = 0.0;
    for _ in 0..calls {
        let (time, next) = ask(world, subject, &mut running, give).await?;
        warm_time += time;
        give = next;
    }
    let cpu = running.cpu()?;
    check_calls(world, subject, calls)?;
    Ok(Sample {
        time_to_next,
        cpu_to_next: nanos(cpu_to_next),
        time_to_answer: time_to_next + answer_time,
        cpu_to_answer: nanos(cpu_to_answer),
        memory: as_f64(running.peak_memory()?),
        warm_time: warm_time / f64::from(calls),
        warm_cpu: nanos(cpu - cpu_to_answer) / f64::from(calls),
    })
}

/// Whether `calls` warm calls of `subject` called whom they may, as often as they may (contract section 7).
pub(crate) fn check_calls(world: &World, subject: &Subject, calls: u32) -> Result<(), Error> {
    let counted = world.upstream.counted();
    let (database, provider) = match subject.work {
        _ if !subject.is_checked => (0, 0),
        Work::StartLink => (0, 0),
        Work::Status => (1, 0),
        Work::Callback => (2, 1),
    };
    let expected = Counted {
        database: database * u64::from(calls),
        provider: provider * u64::from(calls),
        secrets: 0,
    };
    if counted == expected {
        Ok(())
    } else {
        Err(format!("{calls} calls led to {counted:?} instead of {expected:?}").into())
    }
}

/// One call: how long it took, and where the next event goes.
pub(crate) async fn ask(
    world: &World,
    subject: &Subject,
    running: &mut Running,
    give: tokio::sync::oneshot::Sender<String>,
) -> Result<(f64, tokio::sync::oneshot::Sender<String>), Error> {
    let event = world.event(subject.work, subject.flow_format)?;
    let asked = now();
    give.send(event).map_err(|_| "the function has gone away")?;
    let (answer, answered) = running.answers().await?;
    if subject.is_checked {
        check(subject.work, &answer)?;
    }
    let next = running.asks().await?;
    Ok((micros(answered - asked), next))
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn nanos(nanoseconds: u64) -> f64 {
    as_f64(nanoseconds) / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a benchmark's figures are far below 2⁵²")]
fn as_f64(figure: u64) -> f64 {
    figure as f64
}

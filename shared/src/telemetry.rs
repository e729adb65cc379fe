//! What is logged: one line of JSON per request, of allow-listed fields (docs/logging.md).
//!
//! The line is also where the metrics come from: its member `_aws` tells `CloudWatch` which of the others to count (embedded metric
//! format), so nothing is called and nothing else is written.
//!
//! No subscriber for the libraries' own events is ever installed, so nothing but this module writes: no code, state, token,
//! cookie, e-mail address or query string can reach the log by way of somebody's debug output.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use serde::Serialize;

use crate::{clock::Timestamp, config::ConfigError, flow::FlowId};

/// What Lambda says of an invocation beside its event. Outside Lambda there is nothing to say.
#[derive(Debug, Default)]
pub struct Invocation {
    /// The function's name in its stack.
    pub function_name: Option<String>,
    /// The trace it belongs to.
    pub trace_id: Option<TraceId>,
    /// Whether it is the first one of its environment.
    pub cold_start: bool,
}

/// The id of a trace in X-Ray: `1-5759e988-bd862e3fe1be46a994272793`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceId(String);

impl TraceId {
    /// The trace that `header` names, in the form of `X-Amzn-Trace-Id`: `Root=1-…;Parent=…;Sampled=1`.
    #[must_use]
    pub fn of_header(header: &str) -> Option<Self> {
        let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
        let is_hex = |part: &str, len| part.len() == len && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (time, random) = root.strip_prefix("1-")?.split_once('-')?;
        (is_hex(time, 8) && is_hex(random, 24)).then(|| Self(root.to_owned()))
    }
}

/// What became of one request.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// When it was answered.
    #[serde(serialize_with = "display")]
    pub timestamp: Timestamp,
    /// `INFO`; `WARN` when the caller was refused; `ERROR` when we failed.
    pub level: Level,
    /// The function.
    pub function: &'static str,
    /// Its name in its stack, by which Lambda's own metrics know it too; outside Lambda the same as `function`.
    #[serde(rename = "FunctionName")]
    pub function_name: &'a str,
    /// What happened, in a word: `linked`, or an error code.
    pub outcome: &'a str,
    /// The answer's status.
    pub status: u16,
    /// The id that the caller was told.
    pub request_id: &'a str,
    /// The trace, when Lambda names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a TraceId>,
    /// The provider, when the request named one of ours.
    #[serde(rename = "provider.id", skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<&'a str>,
    /// The flow, once one was opened.
    #[serde(
        rename = "flow.id",
        skip_serializing_if = "Option::is_none",
        serialize_with = "display_if_some"
    )]
    pub flow_id: Option<FlowId>,
    /// How long it took.
    pub duration_ms: u64,
    /// How much of it was waiting for the provider, when it waited at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_ms: Option<u64>,
    /// Whether it was the first request of its environment.
    #[serde(skip)]
    pub cold_start: bool,
    /// Why it was refused: what we were doing when it went wrong, and what that was due to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Who should act on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Nobody.
    Info,
    /// Nobody, unless there are many.
    Warn,
    /// Whoever operates the service.
    Error,
}

/// What became of one run of a function that a schedule starts.
#[derive(Debug, Serialize)]
pub struct Run<'a> {
    /// When it ended.
    #[serde(serialize_with = "display")]
    pub timestamp: Timestamp,
    /// `INFO`, or `ERROR` when it failed.
    pub level: Level,
    /// The function.
    pub function: &'static str,
    /// What it did, in a word.
    pub outcome: &'static str,
    /// Lambda's request id.
    pub request_id: &'a str,
    /// The trace, when Lambda names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a TraceId>,
    /// How long it took.
    pub duration_ms: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Run<'_> {
    /// Writes the run to standard output, the log.
    pub fn write(&self) {
        write_line(self);
    }
}

impl Record<'_> {
    /// Writes the record to standard output, the log.
    pub fn write(&self) {
        write_line(&Counted::of(self));
    }
}

/// A record with what is counted of it.
#[derive(Serialize)]
struct Counted<'a> {
    #[serde(flatten)]
    record: &'a Record<'a>,
    requests: u8,
    failures: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    cold_starts: Option<u8>,
    #[serde(rename = "_aws")]
    metrics: EmbeddedMetrics,
}

impl<'a> Counted<'a> {
    fn of(record: &'a Record<'a>) -> Self {
        Self {
            record,
            requests: 1,
            failures: u8::from(record.level == Level::Error),
            cold_starts: record.cold_start.then_some(1),
            metrics: EmbeddedMetrics::of(record),
        }
    }
}

/// The member that makes `CloudWatch` count a line: which members of it are metrics, and which are their dimensions.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EmbeddedMetrics {
    timestamp: i64,
    cloud_watch_metrics: [Directive; 2],
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: &'static [&'static [&'static str]],
    metrics: &'static [Metric],
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

const NAMESPACE: &str = "AccountLinking";

/// The funnel: each outcome of each function.
const BY_OUTCOME: Directive = Directive {
    namespace: NAMESPACE,
    dimensions: &[&["FunctionName"], &["FunctionName", "outcome"]],
    metrics: &[count("requests")],
};

const FAILURES: Metric = count("failures");
const DURATION: Metric = milliseconds("duration_ms");
const PROVIDER: Metric = milliseconds("provider_ms");
const COLD_STARTS: Metric = count("cold_starts");

const fn count(name: &'static str) -> Metric {
    Metric { name, unit: "Count" }
}

const fn milliseconds(name: &'static str) -> Metric {
    Metric {
        name,
        unit: "Milliseconds",
    }
}

impl EmbeddedMetrics {
    fn of(record: &Record<'_>) -> Self {
        // A directive must not name a member that the line lacks.
        let metrics: &[Metric] = match (record.provider_ms, record.cold_start) {
            (None, false) => &[FAILURES, DURATION],
            (None, true) => &[FAILURES, DURATION, COLD_STARTS],
            (Some(_), false) => &[FAILURES, DURATION, PROVIDER],
            (Some(_), true) => &[FAILURES, DURATION, PROVIDER, COLD_STARTS],
        };
        let of_function = Directive {
            namespace: NAMESPACE,
            dimensions: &[&["FunctionName"]],
            metrics,
        };
        Self {
            timestamp: record.timestamp.unix_ms(),
            cloud_watch_metrics: [BY_OUTCOME, of_function],
        }
    }
}

/// `error` and everything it is due to, outermost first.
#[must_use]
pub fn cause_of(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Reports why a process cannot start, each mistake in a line of its own; answers its exit code.
#[must_use]
pub fn refused_to_start(function: &'static str, error: &ConfigError, now: Timestamp) -> ExitCode {
    #[derive(Serialize)]
    struct Mistake<'a> {
        #[serde(serialize_with = "display")]
        timestamp: Timestamp,
        level: Level,
        function: &'static str,
        outcome: &'static str,
        cause: &'a str,
    }
    for cause in &error.0 {
        write_line(&Mistake {
            timestamp: now,
            level: Level::Error,
            function,
            outcome: "configuration_error",
            cause,
        });
    }
    ExitCode::FAILURE
}

/// Writes a line of the log. Nobody may be reading any more: that is no reason to end a request.
fn write_line(record: &impl Serialize) {
    // A record is made of strings and numbers, which always have a JSON form; were there none, there would be nothing to write.
    if let Ok(line) = serde_json::to_string(record) {
        let _ = writeln!(io::stdout(), "{line}");
    }
}

fn display<S: serde::Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

#[expect(clippy::ref_option, reason = "serde hands a field over by reference")]
fn display_if_some<S: serde::Serializer>(value: &Option<impl ToString>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => display(value, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests;

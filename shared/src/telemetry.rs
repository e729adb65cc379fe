//! What is logged: one line of JSON per request, of allow-listed fields (docs/logging.md).
//!
//! No subscriber for the libraries' own events is ever installed, so nothing but this module writes: no code, state, token,
//! cookie, e-mail address or query string can reach the log by way of somebody's debug output.

use std::{error::Error, process::ExitCode};

use serde::Serialize;

use crate::{clock::Timestamp, config::ConfigError, flow::FlowId};

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
    /// What happened, in a word: `linked`, or an error code.
    pub outcome: &'a str,
    /// The answer's status.
    pub status: u16,
    /// The id that the caller was told.
    pub request_id: &'a str,
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

impl Record<'_> {
    /// Writes the record to standard output, the log.
    pub fn write(&self) {
        write_line(self);
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

fn write_line(record: &impl Serialize) {
    // A record is made of strings and numbers, which always have a JSON form; were there none, there would be nothing to write.
    if let Ok(line) = serde_json::to_string(record) {
        #[expect(clippy::print_stdout, reason = "this is the log")]
        {
            println!("{line}");
        }
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
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_of_json_whatever_is_in_it() {
        let record = Record {
            timestamp: Timestamp::from_unix_ms(0),
            level: Level::Warn,
            function: "callback",
            outcome: "flow_unknown",
            status: 400,
            request_id: "id\n\u{1b}[31m",
            provider_id: Some("magento"),
            flow_id: None,
            duration_ms: 7,
            cause: Some("a\r\nb".to_owned()),
        };
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"timestamp":"1970-01-01T00:00:00Z","level":"WARN","function":"callback","outcome":"flow_unknown","status":400,"request_id":"id\n\u001b[31m","provider.id":"magento","duration_ms":7,"cause":"a\r\nb"}"#
        );
    }

    #[test]
    fn a_cause_names_the_whole_chain_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("redeeming the code")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("connecting")]
        struct Inner;
        assert_eq!(cause_of(&Outer(Inner)), "redeeming the code: connecting");
    }
}

//! Samples, and what is said of them: minimum, median, maximum.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::process::Sample;

/// One kind of figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    TimeToNext,
    CpuToNext,
    TimeToAnswer,
    CpuToAnswer,
    Memory,
    WarmTime,
    WarmCpu,
}

impl Figure {
    pub(crate) const ALL: [Self; 7] = [
        Self::TimeToNext,
        Self::CpuToNext,
        Self::TimeToAnswer,
        Self::CpuToAnswer,
        Self::Memory,
        Self::WarmTime,
        Self::WarmCpu,
    ];

    /// What it is called, with its unit.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TimeToNext => "spawn to first next, ms",
            Self::CpuToNext => "CPU to first next, ms",
            Self::TimeToAnswer => "spawn to first answer, ms",
            Self::CpuToAnswer => "CPU to first answer, ms",
            Self::Memory => "peak RSS, MB",
            Self::WarmTime => "warm call, ms",
            Self::WarmCpu => "CPU of a warm call, µs",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::TimeToNext => "spawn_to_next_ms",
            Self::CpuToNext => "spawn_to_next_cpu_ms",
            Self::TimeToAnswer => "spawn_to_answer_ms",
            Self::CpuToAnswer => "spawn_to_answer_cpu_ms",
            Self::Memory => "peak_rss_mb",
            Self::WarmTime => "warm_call_ms",
            Self::WarmCpu => "warm_call_cpu_us",
        }
    }

    fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::TimeToNext => sample.time_to_next / 1e3,
            Self::CpuToNext => sample.cpu_to_next / 1e3,
            Self::TimeToAnswer => sample.time_to_answer / 1e3,
            Self::CpuToAnswer => sample.cpu_to_answer / 1e3,
            Self::Memory => sample.memory * 1024.0 / 1e6,
            Self::WarmTime => sample.warm_time / 1e3,
            Self::WarmCpu => sample.warm_cpu,
        }
    }
}

/// Minimum, median, maximum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one figure.
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = if figures.len().is_multiple_of(2) {
            f64::midpoint(figures[middle - 1], figures[middle])
        } else {
            figures[middle]
        };
        Self {
            min: figures[0],
            median,
            max: figures[figures.len() - 1],
        }
    }
}

/// The figures of everybody, by name.
pub(crate) struct Results(BTreeMap<&'static str, Vec<Sample>>);

impl Results {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn add(&mut self, subject: &'static str, sample: Sample) {
        self.0.entry(subject).or_default().push(sample);
    }

    /// `None` when `subject` was not measured.
    pub(crate) fn spread(&self, subject: &str, figure: Figure) -> Option<Spread> {
        let samples = self.0.get(subject)?;
        Some(Spread::of(samples.iter().map(|sample| figure.of(sample)).collect()))
    }

    pub(crate) fn median(&self, subject: &str, figure: Figure) -> Option<f64> {
        Some(self.spread(subject, figure)?.median)
    }

    /// All figures of `subject` as JSON.
    pub(crate) fn json(&self, subject: &str) -> Value {
        let figures = Figure::ALL.into_iter().filter_map(|figure| {
            let spread = self.spread(subject, figure)?;
            let written = [spread.min, spread.median, spread.max].map(|figure| (figure * 1e3).round() / 1e3);
            Some((figure.key().to_owned(), json!(written)))
        });
        Value::Object(figures.collect())
    }
}

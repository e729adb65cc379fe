//! What was promised, and whether it is kept.

use crate::figures::{Figure, Results};

/// A figure beside its bound.
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) figure: f64,
    pub(crate) bound: Bound,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Verdict {
    pub(crate) fn is_kept(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.figure <= bound,
            Bound::AtLeast(bound) => self.figure >= bound,
        }
    }
}

/// Ratios of medians to the empty function's.
const TO_THE_EMPTY_FUNCTION: [(&str, Figure, f64); 11] = [
    ("start-link", Figure::CpuToAnswer, 1.4),
    ("start-link", Figure::Memory, 1.5),
    ("start-link, keys from Secrets Manager", Figure::CpuToAnswer, 2.3),
    ("status", Figure::CpuToNext, 1.4),
    ("status", Figure::CpuToAnswer, 2.1),
    ("status", Figure::Memory, 2.3),
    ("callback", Figure::CpuToAnswer, 3.2),
    ("callback", Figure::Memory, 2.5),
    ("start-link", Figure::WarmCpu, 5.0),
    ("status", Figure::WarmCpu, 9.0),
    ("callback", Figure::WarmCpu, 18.0),
];

/// Ratios of Node's medians to ours.
const NODE_TO_OURS: [(&str, &str, Figure, f64); 4] = [
    ("Node status", "status", Figure::TimeToAnswer, 30.0),
    ("Node callback", "callback", Figure::TimeToAnswer, 30.0),
    ("Node status", "status", Figure::WarmCpu, 9.0),
    ("Node callback", "callback", Figure::WarmCpu, 10.0),
];

/// The largest archive, in MB.
const LARGEST_ZIP: f64 = 2.6;

/// start-link's 99th percentile within the process, in ms.
const START_LINK_P99: f64 = 1.0;

/// Every bound that `results` allow to be judged.
pub(crate) fn judge(results: &Results, largest_zip: f64, start_link_p99: f64) -> Vec<Verdict> {
    let to_empty = TO_THE_EMPTY_FUNCTION
        .into_iter()
        .filter_map(|(subject, figure, bound)| {
            Some(Verdict {
                what: format!("{subject} / empty: {}", what(figure)),
                figure: results.median(subject, figure)? / results.median("empty", figure)?,
                bound: Bound::AtMost(bound),
            })
        });
    let to_ours = NODE_TO_OURS.into_iter().filter_map(|(peer, ours, figure, bound)| {
        Some(Verdict {
            what: format!("{peer} / {ours}: {}", what(figure)),
            figure: results.median(peer, figure)? / results.median(ours, figure)?,
            bound: Bound::AtLeast(bound),
        })
    });
    let absolute = [
        Verdict {
            what: "largest zip, MB".to_owned(),
            figure: largest_zip,
            bound: Bound::AtMost(LARGEST_ZIP),
        },
        Verdict {
            what: "start-link, whole answer in process, p99, ms".to_owned(),
            figure: start_link_p99,
            bound: Bound::AtMost(START_LINK_P99),
        },
    ];
    to_empty.chain(to_ours).chain(absolute).collect()
}

const fn what(figure: Figure) -> &'static str {
    match figure {
        Figure::TimeToNext => "time, spawn to next",
        Figure::CpuToNext => "CPU, spawn to next",
        Figure::TimeToAnswer => "time, spawn to first answer",
        Figure::CpuToAnswer => "CPU, spawn to first answer",
        Figure::Memory => "peak RSS",
        Figure::WarmTime => "time, warm call",
        Figure::WarmCpu => "CPU, warm call",
    }
}

//! What is printed, and what is kept.

use std::{
    error::Error,
    fs,
    io::{self, Write},
};

use serde_json::{Value, json};

use crate::{
    bounds::{self, Bound, Verdict},
    figures::{Figure, Results},
    plot,
    process::Subject,
    sizes::Size,
    subjects::{all_functions, bootstrap, folder, workspace},
};

/// Says what went wrong.
pub(crate) fn complain(error: &dyn Error) {
    // There is nobody left to tell that standard error is closed.
    let _ = writeln!(io::stderr(), "{error}");
}

/// Says how far it is.
pub(crate) fn progress(round: u32, of: u32) {
    let _ = write!(io::stderr(), "\rround {} of {of} ", round + 1);
    if round + 1 == of {
        let _ = writeln!(io::stderr());
    }
}

/// Prints all figures and bounds, and keeps them: with the peers where README shows them from. Whether every bound holds.
pub(crate) fn publish(
    subjects: &[Subject],
    results: &Results,
    start_link_p99: f64,
    with_peers: bool,
) -> Result<bool, Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for figure in Figure::ALL {
        writeln!(
            out,
            "\n{:<40}{:>10}{:>10}{:>10}{:>10}",
            figure.name(),
            "min",
            "median",
            "max",
            "/ empty"
        )?;
        for subject in subjects {
            let (Some(spread), Some(empty)) = (results.spread(subject.name, figure), results.median("empty", figure))
            else {
                continue;
            };
            writeln!(
                out,
                "{:<40}{:>10.2}{:>10.2}{:>10.2}{:>10.2}",
                subject.name,
                spread.min,
                spread.median,
                spread.max,
                spread.median / empty
            )?;
        }
    }

    writeln!(out, "\n{:<40}{:>10}{:>10}", "size, MB", "binary", "zip")?;
    let mut sizes = serde_json::Map::new();
    let mut largest_zip = 0.0_f64;
    for function in [vec!["empty".to_owned()], all_functions()?].concat() {
        let size = Size::of(&bootstrap(&function))?;
        writeln!(
            out,
            "{function:<40}{:>10.2}{:>10.2}",
            megabytes(size.binary),
            megabytes(size.zip)
        )?;
        largest_zip = largest_zip.max(megabytes(size.zip));
        sizes.insert(function, json!({"binary": size.binary, "zip": size.zip}));
    }

    let verdicts = bounds::judge(results, largest_zip, start_link_p99);
    writeln!(out, "\n{:<60}{:>10}{:>10}", "bounds", "figure", "bound")?;
    for verdict in &verdicts {
        let (sign, bound) = match verdict.bound {
            Bound::AtMost(bound) => ('≤', bound),
            Bound::AtLeast(bound) => ('≥', bound),
        };
        let broken = if verdict.is_kept() { "" } else { "  BROKEN" };
        writeln!(
            out,
            "{:<60}{:>10.2}{:>10}{broken}",
            verdict.what,
            verdict.figure,
            format!("{sign} {bound}")
        )?;
    }

    let document = document(subjects, results, &sizes, &verdicts);
    let kept = if with_peers {
        fs::write(workspace().join("docs/performance.svg"), plot::draw(subjects, results))?;
        folder().join("results.json")
    } else {
        workspace().join("target/bench.json")
    };
    fs::write(kept, serde_json::to_string_pretty(&document)? + "\n")?;
    Ok(verdicts.iter().all(Verdict::is_kept))
}

fn document(
    subjects: &[Subject],
    results: &Results,
    sizes: &serde_json::Map<String, Value>,
    verdicts: &[Verdict],
) -> Value {
    let rounded = |figure: f64| (figure * 1e3).round() / 1e3;
    let figures = subjects
        .iter()
        .map(|subject| (subject.name.to_owned(), results.json(subject.name)));
    let bounds: Vec<Value> = verdicts
        .iter()
        .map(|verdict| {
            let (name, bound) = match verdict.bound {
                Bound::AtMost(bound) => ("at_most", bound),
                Bound::AtLeast(bound) => ("at_least", bound),
            };
            json!({"what": verdict.what, "figure": rounded(verdict.figure), name: bound, "kept": verdict.is_kept()})
        })
        .collect();
    json!({
        "processes": crate::PROCESSES,
        "warm_calls_per_process": crate::CALLS,
        "min_median_max": figures.collect::<serde_json::Map<_, _>>(),
        "bytes": sizes,
        "bounds": bounds,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a file's size is far below 2⁵²")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

//! The plot that README shows: medians, as bars of the same scale within each panel.

use std::fmt::Write;

use crate::{
    figures::{Figure, Results},
    process::Subject,
};

const PANELS: [(Figure, &str); 4] = [
    (Figure::TimeToAnswer, "cold: spawn to first answer, ms"),
    (Figure::CpuToAnswer, "cold: CPU to first answer, ms"),
    (Figure::Memory, "peak memory, MB"),
    (Figure::WarmCpu, "warm: CPU per call, µs"),
];

const ROW: usize = 20;
const LABELS: usize = 240;
const BARS: usize = 400;
const WIDTH: usize = LABELS + BARS + 80;

/// An SVG of the medians of `subjects`.
pub(crate) fn draw(subjects: &[Subject], results: &Results) -> String {
    let panel_height = (subjects.len() + 2) * ROW;
    let mut body = String::new();
    for (index, (figure, title)) in PANELS.into_iter().enumerate() {
        let top = index * panel_height + ROW;
        let medians: Vec<(&str, f64)> = subjects
            .iter()
            .filter_map(|subject| Some((subject.name, results.median(subject.name, figure)?)))
            .collect();
        let longest = medians.iter().map(|(_, median)| *median).fold(0.0, f64::max);
        // Writing to a string cannot fail.
        let _ = writeln!(body, r#"<text x="8" y="{top}" class="title">{title}</text>"#);
        for (row, (name, median)) in medians.into_iter().enumerate() {
            let y = top + (row + 1) * ROW;
            let length = median / longest * 400.0;
            let class = match name.split(' ').next() {
                Some("Node" | "Python") => "peer",
                Some("empty") => "empty",
                _ => "ours",
            };
            let digits = usize::from(median < 100.0);
            let _ = writeln!(
                body,
                r#"<text x="{x}" y="{y}" class="name">{name}</text><rect x="{LABELS}" y="{bar}" width="{length:.1}" height="12" class="{class}"/><text x="{end:.1}" y="{y}">{median:.digits$}</text>"#,
                x = LABELS - 8,
                bar = y - 11,
                end = length + 246.0,
            );
        }
    }
    let height = PANELS.len() * panel_height + ROW / 2;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">
<style>text{{fill:dimgray}}.title{{font-weight:bold}}.name{{text-anchor:end}}.empty{{fill:darkgray}}.ours{{fill:seagreen}}.peer{{fill:coral}}</style>
<rect width="100%" height="100%" fill="white"/>
{body}</svg>
"#
    )
}

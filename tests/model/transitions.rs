//! The table of transitions in `docs/architecture.md`, the model and the code speak of the same.

use std::collections::BTreeSet;

use crate::{
    model::{Model, Row},
    random::{self, Style},
};

const ARCHITECTURE: &str = include_str!("../../docs/architecture.md");

/// The cells of each row of the table of transitions.
fn table() -> Vec<Vec<&'static str>> {
    let (_, section) = ARCHITECTURE
        .split_once("## Transitions\n")
        .expect("a section on transitions");
    let (section, _) = section.split_once("\n## ").expect("another section behind it");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = |row: &'static str| row.trim_end_matches('|').split(" | ").map(str::trim).collect();
    rows.skip(1).map(cells).collect() // the first is the head
}

#[test]
fn every_row_of_the_table_is_one_of_the_models() {
    let documented: Vec<_> = table().iter().map(|row| row[0]).collect();
    assert_eq!(documented, Row::ALL.map(|(_, name)| name));
}

#[test]
fn every_row_says_which_one_function_decides_it() {
    let modules = [
        ("claim", include_str!("../../shared/src/table/claim.rs")),
        ("commit", include_str!("../../shared/src/table/commit.rs")),
        ("event", include_str!("../../shared/src/table/event.rs")),
        ("exemption", include_str!("../../shared/src/table/exemption.rs")),
        ("ticket", include_str!("../../shared/src/table/ticket.rs")),
        ("unlink", include_str!("../../shared/src/table/unlink.rs")),
    ];
    for row in table() {
        let function = row[6].trim_matches('`');
        let (module, name) = function
            .split_once("::")
            .unwrap_or_else(|| panic!("{row:?} names no function"));
        let defines = |source: &str| source.contains(&format!("fn {name}("));
        let places: Vec<_> = modules
            .iter()
            .filter(|(_, source)| defines(source))
            .map(|(module, _)| *module)
            .collect();
        assert_eq!(places, [module], "where {function} is");
    }
}

#[test]
fn the_random_sequences_go_through_every_row() {
    let mut seen = BTreeSet::new();
    for seed in 0..10 {
        let mut model = Model::new(random::asks(seed), 15);
        for round in random::rounds(Style::OneByOne, seed) {
            model.begin(round.wait, &round.ops);
            let step = model.step(round.ops[0]);
            seen.extend(step.rows);
            model = step.next;
        }
    }
    let missing: Vec<_> = Row::ALL.iter().filter(|(row, _)| !seen.contains(row)).collect();
    assert!(missing.is_empty(), "nobody comes by {missing:?}");
}

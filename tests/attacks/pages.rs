//! `docs/threat-model.md` and `docs/conformance.md` name tests that exist.

use std::{collections::BTreeSet, fs, path::Path};

use harness::documents;

/// The names of all tests, and of all rows of tables.
fn tests_and_rows() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["tests", "shared/src", "functions", "infra/local"] {
        collect(&documents::workspace().join(folder), &mut names);
    }
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                collect(&path, names);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let rows = path.ancestors().any(|folder| folder.ends_with("tests/vectors"));
            for line in text.lines().map(str::trim_start) {
                let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
                names.extend(
                    function
                        .and_then(|rest| rest.split(['(', '<']).next())
                        .map(str::to_owned),
                );
                if rows {
                    // The name of a row stands in quotes; what else does is no name that a page would tell.
                    names.extend(line.split('"').map(str::to_owned));
                }
            }
        }
    }
}

/// What stands in backticks in the last cell of a row of a table.
fn named(row: &str) -> Vec<&str> {
    let cell = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_threat_has_a_test_that_carries_its_number_or_a_reason() {
    let page = documents::text("docs/threat-model.md");
    let tests = tests_and_rows();
    let tried = [("BB", 30), ("PT", 37), ("OP", 17), ("RD", 14), ("ST", 21), ("SE", 19)];
    // Their defences are settings and the absence of things, which tests of other names hold.
    let held = [("IN", 19), ("PR", 9), ("AB", 10)];
    for (group, count) in tried.into_iter().chain(held) {
        for number in 1..=count {
            let threat = format!("{group}-{number:02}");
            let row = page.lines().find(|line| line.starts_with(&format!("| {threat} |")));
            let row = row.unwrap_or_else(|| panic!("{threat} is not in the threat model"));
            let (named, reason) = (named(row), row.contains("Not ours:") || row.contains("Nothing to try:"));
            assert!(reason || !named.is_empty(), "{threat} has neither a test nor a reason");
            for name in &named {
                assert!(tests.contains(*name), "{threat}: nobody knows {name}");
            }
            let prefix = format!("{}_{number:02}_", group.to_lowercase());
            let serious = row.contains("| P0 |") || row.contains("| P1 |");
            let carried = named.iter().any(|name| name.contains(&prefix));
            let by_number = tried.contains(&(group, count));
            assert!(
                !(serious && by_number) || reason || carried,
                "{threat}: no test carries its number"
            );
        }
    }
}

#[test]
fn every_module_of_the_conformance_suite_has_a_test_or_does_not_apply() {
    let page = documents::text("docs/conformance.md");
    let tests = tests_and_rows();
    let modules: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `oidcc-") || line.starts_with("| `fapi2-"))
        .collect();
    assert!(modules.len() >= 45, "{} modules", modules.len());
    for row in modules {
        let verdict = row.split('|').nth(2).unwrap_or_default().trim();
        let names = named(row);
        match verdict {
            "pass" | "stricter" => assert!(!names.is_empty(), "no test: {row}"),
            "not applicable" => {}
            other => panic!("{other:?} is no verdict: {row}"),
        }
        for name in names {
            assert!(tests.contains(name), "nobody knows {name}: {row}");
        }
    }
}

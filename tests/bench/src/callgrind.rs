//! Counts the instructions of a process.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process,
};

/// Where the process that is counted leaves its count.
pub(crate) fn profile() -> PathBuf {
    env::temp_dir().join(format!("account-linking-bench-{}.callgrind", process::id()))
}

/// What comes before the program to be counted.
pub(crate) fn wrapper(profile: &Path) -> [String; 4] {
    [
        "/usr/bin/valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        "--quiet".to_owned(),
        format!("--callgrind-out-file={}", profile.display()),
    ]
}

/// The instructions that were counted into `profile`, which is gone afterwards.
pub(crate) fn total(profile: &Path) -> Result<f64, Box<dyn Error>> {
    let counted = fs::read_to_string(profile)?;
    fs::remove_file(profile)?;
    let total = counted.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("callgrind counts")?.trim().parse()?)
}

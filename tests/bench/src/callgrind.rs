//! Counts the instructions of a process.

use std::{
    env,
    error::Error,
    fs,
    hash::{BuildHasher, RandomState},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{self, Command},
};

use crate::subjects::workspace;

/// The argument on which this program prints a hash.
pub(crate) const HASH: &str = "hash";

/// Where the process that is counted leaves its count.
pub(crate) fn profile() -> PathBuf {
    env::temp_dir().join(format!("account-linking-bench-{}.callgrind", process::id()))
}

/// What comes before the program to be counted, which gets the same randomness in every process.
pub(crate) fn wrapper(profile: &Path) -> [String; 6] {
    let [env, preload] = fixed_seeds();
    [
        env,
        preload,
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

/// Fails unless two processes below [`fixed_seeds`] hash alike. Whatever cannot be preloaded is left out with no more than a warning.
pub(crate) fn check_seeds() -> Result<(), Box<dyn Error>> {
    let hash = || {
        let [env, preload] = fixed_seeds();
        let output = Command::new(env)
            .arg(preload)
            .arg(env::current_exe()?)
            .arg(HASH)
            .output()?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(Box::<dyn Error>::from(String::from_utf8(output.stderr)?))
        }
    };
    if hash()? == hash()? {
        Ok(())
    } else {
        Err(
            "two processes hash differently although their seeds should be fixed: is target/fixed-seeds.so there?"
                .into(),
        )
    }
}

/// Prints the hash of nothing in particular by std's seeds.
pub(crate) fn print_hash() -> Result<(), Box<dyn Error>> {
    Ok(writeln!(io::stdout(), "{}", RandomState::new().hash_one(()))?)
}

/// What comes before a program whose randomness is always the same; the Makefile builds it from `fixed_seeds.c`.
fn fixed_seeds() -> [String; 2] {
    let library = workspace().join("target/fixed-seeds.so");
    ["/usr/bin/env".to_owned(), format!("LD_PRELOAD={}", library.display())]
}

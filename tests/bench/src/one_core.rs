//! One core for everything: the harness, what it plays, and whom it measures.
//!
//! A small Lambda function has a part of one core, which it shares with what hands it its events. Left to the scheduler, harness and function are
//! on one core in some runs and on two in others, and waking another core costs more than all that the empty function does.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps the calling thread, and every process that it starts from now on, to the last core that it may use.
pub(crate) fn keep_to_one_core() -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    if let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core)) {
        one.set(last);
    }
    sched_setaffinity(None, &one)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{process::Command, thread};

    use super::*;

    #[test]
    fn a_process_that_is_started_has_the_core_of_its_parent_alone() {
        // A thread of its own, which takes what it was kept to along when it ends.
        let started = thread::spawn(|| {
            keep_to_one_core().unwrap();
            Command::new("nproc").output().unwrap()
        });
        assert_eq!(started.join().unwrap().stdout, b"1\n");
    }
}

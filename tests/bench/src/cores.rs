//! Which core does what: the harness has the first, whom it measures the others.
//!
//! Left to the scheduler, the two share a core or do not, which changes from run to run what it costs to wake the other: between 20 and 90 µs for the empty
//! function, which does little else.

use std::{
    io,
    process::{Child, Command},
    thread,
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores for whom is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    all: CpuSet,
    measured: CpuSet,
}

impl Cores {
    /// Divides the cores that this process may use, and keeps the calling thread on its own. Of a single one both have it.
    pub(crate) fn divide() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let (mut harness, mut measured) = (CpuSet::new(), all);
        if let Some(first) = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)) {
            harness.set(first);
            if all.count() > 1 {
                measured.unset(first);
            }
        }
        sched_setaffinity(None, &harness)?;
        Ok(Self { all, measured })
    }

    /// Starts `command` on the others, or where it has threads to divide, on all. A process stays where the thread was that started it.
    pub(crate) fn spawn(&self, command: &mut Command, has_threads: bool) -> io::Result<Child> {
        let cores = if has_threads { &self.all } else { &self.measured };
        thread::scope(|scope| {
            let spawning = scope.spawn(|| {
                sched_setaffinity(None, cores)?;
                command.spawn()
            });
            let ended = spawning.join();
            ended.unwrap_or_else(|_| Err(io::Error::other("the thread that starts a process panicked")))
        })
    }
}

//! What property tests draw from: the same inputs in every run, each named by a seed.

use std::{
    panic::{self, RefUnwindSafe},
    sync::{Mutex, PoisonError},
};

use fastrand::Rng;

use crate::clock::{NoRandomness, Randomness};

/// How many inputs a property is tried on.
const CASES: u64 = 300;

/// Tries `property` on [`CASES`] inputs and names the seed of one that it does not hold for: `property(&mut Rng::with_seed(17))` is that one again.
pub(crate) fn for_all(property: impl Fn(&mut Rng) + RefUnwindSafe) {
    for seed in 0..CASES {
        let outcome = panic::catch_unwind(|| property(&mut Rng::with_seed(seed)));
        assert!(outcome.is_ok(), "with the seed {seed}");
    }
}

/// 1 to `longest` of `0x21`–`0x7E`, most of them from the few that mean something somewhere, so that texts meet often.
pub(crate) fn visible_ascii(rng: &mut Rng, longest: usize) -> String {
    (0..length(rng, longest))
        .map(|_| match rng.u8(..4) {
            0 => char::from(rng.u8(0x21..=0x7E)),
            _ => char::from(*rng.choice(b"#/:|aAbLEO").unwrap()),
        })
        .collect()
}

/// 1 to `longest` characters of any script, of none, and of those that separate the parts of an address.
pub(crate) fn unicode(rng: &mut Rng, longest: usize) -> String {
    (0..length(rng, longest))
        .map(|_| match rng.u8(..4) {
            0 => rng.char(..),
            1 => rng.char('\u{20}'..'\u{2FF}'),
            2 => *rng
                .choice(&['@', '.', '*', '"', 'é', '\u{301}', '\u{200D}', '\u{202E}', '👩'])
                .unwrap(),
            _ => rng.lowercase(),
        })
        .collect()
}

/// Short ones are likelier, and the longest is not rare.
fn length(rng: &mut Rng, longest: usize) -> usize {
    match rng.u8(..8) {
        0 => longest,
        1 => rng.usize(1..=longest),
        _ => rng.usize(1..=longest.min(6)),
    }
}

/// Randomness that follows from a seed.
pub(crate) struct Seeded(Mutex<Rng>);

impl Seeded {
    pub(crate) fn by(rng: &mut Rng) -> Self {
        Self(Mutex::new(rng.fork()))
    }
}

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
        Ok(())
    }
}

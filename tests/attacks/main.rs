//! Attacks, as journeys: each test is called by the number of its threat in `docs/threat-model.md` and by what the attacker does.
//!
//! Mallory attacks; Alice and Bruno are attacked. What is a single input rather than a journey is a row of `vectors`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod browser_binding;
mod pages;
mod provider;
mod redirects;
mod scene;
mod storage;

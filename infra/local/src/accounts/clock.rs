//! A development tool: the clock of the whole stack, to be moved before, to and beyond the date, or by steps.

use account_linking::{
    clock::{Clock, SystemClock, Timestamp},
    requirement::LinkingRequired,
};

use super::{AccountsSite, Failure, keeping_language, language_of};
use crate::site::{self, Request, Response};

/// Where the page is.
pub(super) const PATH: &str = "/development/clock";

/// The steps that the page offers, in seconds.
pub(super) const STEPS: [i64; 6] = [-86_400, -3600, 60, 600, 3600, 86_400];

/// The distances from the date that the page offers, in seconds.
pub(super) const DISTANCES: [i64; 4] = [-86_400, -60, 0, 86_400];

impl AccountsSite {
    /// What time it is here, and the ways to change that.
    pub(super) fn show_clock(&self, request: &Request) -> Result<Response, Failure> {
        let query = request.query()?;
        Ok(keeping_language(&query, self.clock_page(language_of(request, &query))))
    }

    /// Moves the clock.
    pub(super) fn move_clock(&self, request: &Request) -> Result<Response, Failure> {
        let form = self.own_form(request)?;
        let chosen = |name, offered: &[i64]| {
            let seconds: i64 = form.find(name)?.parse().ok()?;
            offered.contains(&seconds).then_some(seconds * 1000)
        };
        if let Some(step) = chosen("step", &STEPS) {
            self.clock.move_by_ms(step);
        } else if let (Some(distance), LinkingRequired::From(date)) =
            (chosen("from_date", &DISTANCES), self.linking_required)
        {
            self.clock.set(Timestamp::from_unix_ms(date.unix_ms() + distance));
        } else if form.find("machine").is_some() {
            self.clock.set(SystemClock.now());
        } else {
            return Err(Failure::Malformed);
        }
        Ok(site::redirect(PATH))
    }
}

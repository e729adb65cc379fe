//! When the keys of a provider are fetched, and for how long they serve: the rules, without the fetching.

use std::{sync::Arc, time::Duration};

use super::KeySet;
use crate::clock::Timestamp;

/// From this age on a set is replaced at the next occasion, so that a key that was removed is gone soon.
const REFRESHED_AFTER: Duration = Duration::from_mins(10);

/// For how long a set serves when no newer one can be had.
const SERVES_FOR: Duration = Duration::from_hours(1);

/// How far apart refetches are at least, however many flows ask.
const BETWEEN_REFETCHES: Duration = Duration::from_secs(30);

/// How far the clock may go back before what it said earlier counts for nothing. Requests that overlap need a little.
const CLOCK_MAY_GO_BACK: Duration = Duration::from_mins(1);

/// What to do for somebody who needs keys.
#[derive(Debug)]
pub(super) enum Decision {
    /// Use these.
    Use(Arc<KeySet>),
    /// Fetch; the slot for it is taken. Then say how it went.
    Fetch,
    /// There are none, and it is too early to ask again.
    Unavailable,
}

/// The newest good set, and when the issuer was asked last.
#[derive(Debug, Default)]
pub(super) struct KeyCache {
    newest: Option<Fetched>,
    was_fetched_before: bool,
    last_refetch: Option<Timestamp>,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<KeySet>,
    at: Timestamp,
}

impl KeyCache {
    /// For somebody who needs keys, whichever.
    pub(super) fn current(&mut self, now: Timestamp) -> Decision {
        match &self.newest {
            Some(set) if is_within(set.at, REFRESHED_AFTER, now) => Decision::Use(set.keys.clone()),
            _ => self.fetch_or_make_do(now),
        }
    }

    /// For somebody who met a key that `seen` does not have.
    pub(super) fn newer_than(&mut self, seen: &Arc<KeySet>, now: Timestamp) -> Decision {
        match &self.newest {
            // Somebody else has fetched in the meantime.
            Some(set) if !Arc::ptr_eq(&set.keys, seen) && is_within(set.at, REFRESHED_AFTER, now) => {
                Decision::Use(set.keys.clone())
            }
            _ => self.fetch_or_make_do(now),
        }
    }

    /// After a fetch that was decided at `now` brought `keys`. Their age counts from then.
    pub(super) fn store(&mut self, keys: KeySet, now: Timestamp) -> Arc<KeySet> {
        let keys = Arc::new(keys);
        self.newest = Some(Fetched {
            keys: keys.clone(),
            at: now,
        });
        keys
    }

    /// The newest set there is, if it is not too old: what is left when nothing newer can be had.
    pub(super) fn still_serving(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        self.newest
            .as_ref()
            .filter(|set| is_within(set.at, SERVES_FOR, now))
            .map(|set| set.keys.clone())
    }

    fn fetch_or_make_do(&mut self, now: Timestamp) -> Decision {
        if self.take_slot(now) {
            Decision::Fetch
        } else {
            self.still_serving(now).map_or(Decision::Unavailable, Decision::Use)
        }
    }

    /// Takes the slot for a fetch, if it is free. Taken before the fetch, so that a slow or failing one is not repeated by
    /// everybody who waits. The very first fetch is no refetch and takes none: a rotation just after it, or its failure, does
    /// not cost 30 s.
    fn take_slot(&mut self, now: Timestamp) -> bool {
        if !self.was_fetched_before {
            self.was_fetched_before = true;
            return true;
        }
        let is_free = self
            .last_refetch
            .is_none_or(|last| !is_within(last, BETWEEN_REFETCHES, now));
        if is_free {
            self.last_refetch = Some(now);
        }
        is_free
    }
}

/// Whether `now` is less than `duration` after `since`, and not before it.
fn is_within(since: Timestamp, duration: Duration, now: Timestamp) -> bool {
    now < since.plus(duration) && since <= now.plus(CLOCK_MAY_GO_BACK)
}

//! What is fetched from elsewhere and kept across requests: when it is fetched, and for how long it serves.
//!
//! One policy for key sets, provider metadata and secrets (contract sections 4 and 9): refetched once it is old, at most once in
//! 30 s however many ask, never replaced by a failure.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use crate::clock::Timestamp;

/// How far apart refetches are at least, however many flows ask.
const BETWEEN_REFETCHES: Duration = Duration::from_secs(30);

/// How far the clock may go back before what it said earlier counts for nothing. Requests that overlap need a little.
const CLOCK_MAY_GO_BACK: Duration = Duration::from_mins(1);

/// How long a fetched value is good.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// From this age on it is replaced at the next occasion.
    pub refreshed_after: Duration,
    /// For how long it serves when no newer one can be had.
    pub serves_for: Duration,
}

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable<E: std::error::Error + 'static> {
    /// The last fetch failed, and it is too early for another.
    #[error("it is too early to ask again")]
    TooEarly,
    /// The fetch failed.
    #[error("fetching it")]
    Fetch(#[source] E),
}

/// A value that is fetched when it is needed.
///
/// Whoever asks during a fetch waits for it. A fetch that is given up halfway (its request ended) has taken its slot like any other.
#[derive(Debug)]
pub struct Cached<T> {
    lifetimes: Lifetimes,
    state: Mutex<State<T>>,
}

impl<T> Cached<T> {
    /// Nothing yet.
    #[must_use]
    pub fn new(lifetimes: Lifetimes) -> Self {
        Self {
            lifetimes,
            state: Mutex::new(State {
                newest: None,
                was_fetched_before: false,
                last_refetch: None,
            }),
        }
    }

    /// The value, by `fetch` when there is none or it is old. When a refetch fails, the old value serves as long as it may.
    pub async fn current<E: std::error::Error + 'static>(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, Unavailable<E>> {
        let mut state = self.state.lock().await;
        if let Some(value) = state.younger_than(self.lifetimes.refreshed_after, now) {
            return Ok(value);
        }
        let still_serving = state.younger_than(self.lifetimes.serves_for, now);
        if !state.take_slot(now) {
            return still_serving.ok_or(Unavailable::TooEarly);
        }
        match fetch.await {
            Ok(value) => Ok(state.store(value, now)),
            Err(failure) => still_serving.ok_or(Unavailable::Fetch(failure)),
        }
    }

    /// A newer value than `seen`, for somebody whom that one could not serve; `seen` itself when it is too early to ask for a newer one.
    pub async fn newer_than<E: std::error::Error + 'static>(
        &self,
        seen: &Arc<T>,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, Unavailable<E>> {
        let mut state = self.state.lock().await;
        let fresh = state.younger_than(self.lifetimes.refreshed_after, now);
        // Somebody else may have fetched in the meantime.
        if let Some(value) = fresh.filter(|value| !Arc::ptr_eq(value, seen)) {
            return Ok(value);
        }
        if !state.take_slot(now) {
            return state
                .younger_than(self.lifetimes.serves_for, now)
                .ok_or(Unavailable::TooEarly);
        }
        // Should it fail, an older value is no help: `seen` could not serve.
        let value = fetch.await.map_err(Unavailable::Fetch)?;
        Ok(state.store(value, now))
    }
}

#[derive(Debug)]
struct State<T> {
    newest: Option<(Arc<T>, Timestamp)>,
    was_fetched_before: bool,
    last_refetch: Option<Timestamp>,
}

impl<T> State<T> {
    fn younger_than(&self, age: Duration, now: Timestamp) -> Option<Arc<T>> {
        let (value, fetched_at) = self.newest.as_ref()?;
        is_within(*fetched_at, age, now).then(|| value.clone())
    }

    /// Keeps what a fetch begun at `now` brought; its age counts from then.
    fn store(&mut self, value: T, now: Timestamp) -> Arc<T> {
        let value = Arc::new(value);
        self.newest = Some((value.clone(), now));
        value
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

/// Whether `now` is less than `duration` after `since`, and no further before it than a clock may go back.
fn is_within(since: Timestamp, duration: Duration, now: Timestamp) -> bool {
    now < since.plus(duration) && since <= now.plus(CLOCK_MAY_GO_BACK)
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, poll_fn, ready};

    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        refreshed_after: Duration::from_mins(10),
        serves_for: Duration::from_hours(1),
    };

    #[derive(Debug, PartialEq, Eq, thiserror::Error)]
    #[error("down")]
    struct Down;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + seconds)
    }

    fn fetched(value: u8) -> Ready<Result<u8, Down>> {
        ready(Ok(value))
    }

    fn down() -> Ready<Result<u8, Down>> {
        ready(Err(Down))
    }

    fn never() -> impl Future<Output = Result<u8, Down>> {
        poll_fn(|_| panic!("nobody should fetch now"))
    }

    #[tokio::test]
    async fn a_value_serves_until_it_is_old_and_is_then_replaced() {
        let cached = Cached::new(LIFETIMES);
        assert_eq!(*cached.current(at(0), fetched(1)).await.unwrap(), 1);
        assert_eq!(*cached.current(at(599), never()).await.unwrap(), 1);
        assert_eq!(*cached.current(at(600), fetched(2)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_failed_refetch_never_replaces_a_good_value_which_serves_as_long_as_it_may() {
        let cached = Cached::new(LIFETIMES);
        cached.current(at(0), fetched(1)).await.unwrap();
        assert_eq!(*cached.current(at(3599), down()).await.unwrap(), 1);
        assert!(matches!(
            cached.current(at(3629), down()).await,
            Err(Unavailable::Fetch(Down))
        ));
        assert!(matches!(
            cached.current(at(3658), never()).await,
            Err(Unavailable::TooEarly)
        ));
        assert_eq!(*cached.current(at(3659), fetched(2)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn newer_values_are_asked_for_at_most_once_in_thirty_seconds() {
        let cached = Cached::new(LIFETIMES);
        let first = cached.current(at(0), fetched(1)).await.unwrap();
        let second = cached.newer_than(&first, at(1), fetched(2)).await.unwrap();
        assert_eq!(*second, 2);
        assert_eq!(*cached.newer_than(&first, at(2), never()).await.unwrap(), 2);
        assert_eq!(*cached.newer_than(&second, at(30), never()).await.unwrap(), 2);
        assert_eq!(*cached.newer_than(&second, at(31), fetched(3)).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_failed_search_for_a_newer_value_leaves_the_old_one_in_place() {
        let cached = Cached::new(LIFETIMES);
        let first = cached.current(at(0), fetched(1)).await.unwrap();
        assert!(matches!(
            cached.newer_than(&first, at(1), down()).await,
            Err(Unavailable::Fetch(Down))
        ));
        assert_eq!(*cached.current(at(2), never()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_failed_first_fetch_may_be_repeated_at_once_and_then_waits() {
        let cached = Cached::new(LIFETIMES);
        assert!(matches!(
            cached.current(at(0), down()).await,
            Err(Unavailable::Fetch(Down))
        ));
        assert!(matches!(
            cached.current(at(0), down()).await,
            Err(Unavailable::Fetch(Down))
        ));
        assert!(matches!(
            cached.current(at(29), never()).await,
            Err(Unavailable::TooEarly)
        ));
        assert_eq!(*cached.current(at(30), fetched(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_clock_that_went_back_does_not_keep_a_value_for_ever() {
        let cached = Cached::new(LIFETIMES);
        cached.current(at(100_000), fetched(1)).await.unwrap();
        assert_eq!(*cached.current(at(100_000 - 60), never()).await.unwrap(), 1);
        assert_eq!(*cached.current(at(0), fetched(2)).await.unwrap(), 2);
    }
}

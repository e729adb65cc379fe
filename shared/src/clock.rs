//! Time and randomness, as arguments.
//!
//! A rule about time takes `now: Timestamp`; whoever needs random bytes takes `&dyn Randomness`. The only ambient sources of
//! both are the two `System…` types here, chosen once in each function's `main` (and by the local stack and the tests, which
//! choose others). One exception: `outbound` asks `SystemClock` how long a connection was kept, which is a fact about the machine and no rule.

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// The length of an RFC 3339 date.
const DATE_LENGTH: usize = "2020-04-01".len();

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `milliseconds` after the epoch.
    #[must_use]
    pub const fn from_unix_ms(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// The instant `seconds` after the epoch, saturating at the ends of the range.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant and `duration` more, saturating at the end of the range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// This instant less `duration`, saturating at the start of the range.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// Parses an RFC 3339 instant, `2020-04-01T00:00:00Z`, which must be in a year of four digits in UTC, too.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        // `time` takes any character between date and time (RFC 3339 section 5.6 has a `T`).
        if !matches!(text.as_bytes().get(DATE_LENGTH), Some(b'T' | b't')) {
            return None;
        }
        let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let instant = instant.checked_to_offset(UtcOffset::UTC)?;
        if !(0..=9999).contains(&instant.year()) {
            return None;
        }
        i64::try_from(instant.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }
}

/// RFC 3339 in UTC, to the second: `2020-04-01T00:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.unix_seconds())
            .ok()
            .and_then(|instant| instant.to_offset(UtcOffset::UTC).format(&Rfc3339).ok());
        f.write_str(text.as_deref().unwrap_or("(out of range)"))
    }
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that everybody else is handed"
        )]
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The machine's clock, moved: the local stack's and the tests' way to travel in time.
#[derive(Debug, Default)]
pub struct MovableClock {
    offset_ms: AtomicI64,
}

impl MovableClock {
    /// Moves the clock, forward or (negative) back, by `milliseconds` more.
    pub fn move_by_ms(&self, milliseconds: i64) {
        self.offset_ms.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Sets the clock to `instant`, from where it goes on.
    pub fn set(&self, instant: Timestamp) {
        self.offset_ms.store(
            instant.unix_ms().saturating_sub(SystemClock.now().unix_ms()),
            Ordering::SeqCst,
        );
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        Timestamp(
            SystemClock
                .now()
                .0
                .saturating_add(self.offset_ms.load(Ordering::SeqCst)),
        )
    }
}

/// Supplies unpredictable bytes.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give; nothing unpredictable can be made then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The operating system's random number generator failed.
#[derive(Debug, thiserror::Error)]
#[error("reading the operating system's randomness")]
pub struct NoRandomness;

/// `N` fresh random bytes.
pub fn random_bytes<const N: usize>(random: &dyn Randomness) -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

/// The operating system's random number generator.
#[derive(Clone, Debug)]
pub struct SystemRandomness(SystemRandom);

impl Default for SystemRandomness {
    fn default() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the randomness that everybody else is handed"
        )]
        let random = SystemRandom::new();
        Self(random)
    }
}

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.0.fill(bytes).map_err(|_| NoRandomness)
    }
}

/// The moment by which a request must be answered. Monotonic; unlike [`Timestamp`] it means nothing outside this process.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(tokio::time::Instant);

impl Deadline {
    /// The deadline `budget` from now.
    #[must_use]
    pub fn within(budget: Duration) -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is where deadlines come from")]
        let now = tokio::time::Instant::now();
        Self(now + budget)
    }

    /// The deadline of what must leave `reserve` to what comes after it.
    #[must_use]
    pub fn leaving(self, reserve: Duration) -> Self {
        Self::within(self.left().saturating_sub(reserve))
    }

    /// The time that is left; zero once it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "this is where deadlines are read")]
        let now = tokio::time::Instant::now();
        self.0.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc_to_the_second_and_read_back() {
        let cutoff = Timestamp::parse_rfc3339("2020-04-01T02:00:00.999+02:00").unwrap();
        assert_eq!(cutoff.unix_ms(), 1_585_699_200_999);
        assert_eq!(cutoff.to_string(), "2020-04-01T00:00:00Z");
    }

    #[test]
    fn what_is_not_an_instant_is_refused() {
        for text in [
            "",
            "2020-04-01",
            "2020-04-01 00:00",
            "2020-04-01 00:00:00Z",
            "2020-04-01X00:00:00Z",
            "9999-12-31T23:59:59-12:00",
            "0000-01-01T00:00:00+12:00",
            "2020-13-01T00:00:00Z",
            "1585699200",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_instant_that_is_read_can_be_written() {
        let last = "9999-12-31T23:59:59Z";
        assert_eq!(Timestamp::parse_rfc3339(last).unwrap().to_string(), last);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(i64::MAX).plus(Duration::from_secs(1)), Timestamp(i64::MAX));
        assert_eq!(Timestamp(i64::MIN).minus(Duration::MAX), Timestamp(i64::MIN));
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX).unix_ms(), i64::MAX);
        assert_eq!(Timestamp(-1).unix_seconds(), -1);
    }

    #[test]
    fn the_movable_clock_moves() {
        let clock = MovableClock::default();
        clock.set(Timestamp::parse_rfc3339("2020-03-31T00:00:00Z").unwrap());
        clock.move_by_ms(86_400_000);
        assert!(clock.now().to_string().starts_with("2020-04-01T00:00:0"));
    }
}

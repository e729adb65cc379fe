//! The connections that serve again, and until when (docs/decisions/0008-kept-connections.md).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{
    Uri,
    uri::{Authority, Scheme},
};

use super::Connection;
use crate::clock::{Clock, Deadline, SystemClock, Timestamp};

/// How long after its last answer a connection is used again: less than the five seconds after which Apache and Node hang up.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(4);

/// How many connections are kept, of as many origins: those of a provider or two and of AWS.
const MOST_KEPT: usize = 4;

/// The kept connections of an [`HttpClient`](super::HttpClient) and its clones.
#[derive(Clone, Default)]
pub(super) struct KeptConnections(Arc<Mutex<Vec<Kept>>>);

impl KeptConnections {
    /// Keeps `connection`, over which a call to `url` was just answered.
    pub(super) fn keep(&self, url: &Uri, connection: Connection) {
        let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else {
            return;
        };
        let mut all = self.all();
        // Of calls to one origin at the same time, the last leaves its connection.
        all.retain(|kept| !kept.is_to(url));
        if all.len() == MOST_KEPT {
            all.remove(0);
        }
        all.push(Kept {
            connection,
            scheme: scheme.clone(),
            authority: authority.clone(),
            since: SystemClock.now(),
            until: Deadline::within(KEPT_FOR),
        });
    }

    /// A kept connection to the origin of `url`. Those that were kept too long are closed.
    pub(super) fn take(&self, url: &Uri) -> Option<Connection> {
        let now = SystemClock.now();
        let mut all = self.all();
        all.retain(|kept| kept.is_fresh(now));
        let index = all.iter().position(|kept| kept.is_to(url))?;
        Some(all.remove(index).connection)
    }

    /// All of them, the oldest first.
    pub(super) fn all(&self) -> MutexGuard<'_, Vec<Kept>> {
        // Nothing here leaves the list half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that the next call to the same origin may use.
pub(super) struct Kept {
    pub(super) connection: Connection,
    scheme: Scheme,
    authority: Authority,
    pub(super) since: Timestamp,
    /// [`KEPT_FOR`] by the other clock.
    until: Deadline,
}

impl Kept {
    /// Whether it may be used at `now`. The wall clock counts time spent frozen, and the other one cannot be set back.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        (self.since..self.since.plus(KEPT_FOR)).contains(&now) && !self.until.left().is_zero()
    }

    fn is_to(&self, url: &Uri) -> bool {
        url.scheme() == Some(&self.scheme) && url.authority() == Some(&self.authority)
    }
}

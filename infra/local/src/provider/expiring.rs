//! What the provider remembers for a while.

use std::{collections::HashMap, time::Duration};

use account_linking::clock::Timestamp;

/// Values under unguessable names, each until its time.
#[derive(Debug)]
pub(super) struct Expiring<T> {
    lifetime: Duration,
    values: HashMap<String, (Timestamp, T)>,
}

impl<T> Expiring<T> {
    /// Keeps each value for `lifetime`.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            values: HashMap::new(),
        }
    }

    /// Remembers `value` under `name`.
    pub(super) fn insert(&mut self, name: String, value: T, now: Timestamp) {
        self.values.retain(|_, (end, _)| now < *end);
        self.values.insert(name, (now.plus(self.lifetime), value));
    }

    /// The value, when its time has not come.
    pub(super) fn find(&self, name: &str, now: Timestamp) -> Option<&T> {
        self.values
            .get(name)
            .filter(|(end, _)| now < *end)
            .map(|(_, value)| value)
    }

    /// The value, for the first who asks in time.
    pub(super) fn take(&mut self, name: &str, now: Timestamp) -> Option<T> {
        self.values
            .remove(name)
            .filter(|(end, _)| now < *end)
            .map(|(_, value)| value)
    }
}

//! Where the keys of an issuer come from: the configuration, or the issuer's `jwks_uri`.

use std::{sync::Arc, time::Duration};

use http::{Request, StatusCode, Uri};

use super::{KeySet, KeySetError, key_set::LONGEST_KEY_SET};
use crate::{
    cached::{Cached, Lifetimes, Unavailable},
    clock::{Deadline, Timestamp},
    outbound::{Bounds, HttpClient, OutboundError},
};

/// A key that was removed is gone soon, and no set outlives its issuer by more than an hour (contract section 9).
const LIFETIMES: Lifetimes = Lifetimes {
    refreshed_after: Duration::from_mins(10),
    serves_for: Duration::from_hours(1),
};

/// Why there are no keys to verify with.
#[derive(Debug, thiserror::Error)]
pub enum KeysUnavailable {
    /// The issuer could not be asked.
    #[error("fetching a JWK Set")]
    Fetch(#[source] OutboundError),
    /// The issuer answered with another status than `200`.
    #[error("fetching a JWK Set: the answer is {0}")]
    Status(StatusCode),
    /// The issuer answered with something that cannot be used.
    #[error("fetching a JWK Set: the answer cannot be used")]
    Unusable(#[source] KeySetError),
    /// The last fetch failed, and it is too early for another.
    #[error("fetching a JWK Set: failed a moment ago")]
    TooEarly,
}

impl From<Unavailable<Self>> for KeysUnavailable {
    fn from(unavailable: Unavailable<Self>) -> Self {
        match unavailable {
            Unavailable::TooEarly => Self::TooEarly,
            Unavailable::Fetch(failure) => failure,
        }
    }
}

/// An issuer's keys, as they are configured or as they are published.
#[derive(Debug)]
pub enum KeySource {
    /// These, and never others.
    Fixed(Arc<KeySet>),
    /// Those that the issuer publishes at the moment.
    Remote(Box<RemoteKeySet>),
}

impl KeySource {
    /// The keys to verify with. Called once during initialisation, it fetches them ahead.
    pub async fn current(&self, now: Timestamp, deadline: Deadline) -> Result<Arc<KeySet>, KeysUnavailable> {
        match self {
            Self::Fixed(keys) => Ok(keys.clone()),
            Self::Remote(remote) => remote.current(now, deadline).await,
        }
    }

    /// Newer keys than `seen`, for a token whose key is not among those; `seen` itself where there are no newer ones.
    pub async fn newer_than(
        &self,
        seen: &Arc<KeySet>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, KeysUnavailable> {
        match self {
            Self::Fixed(keys) => Ok(keys.clone()),
            Self::Remote(remote) => remote.newer_than(seen, now, deadline).await,
        }
    }
}

/// The keys at a `jwks_uri`, cached across invocations (contract section 9).
#[derive(Debug)]
pub struct RemoteKeySet {
    client: HttpClient,
    jwks_uri: Uri,
    timeout: Duration,
    keys: Cached<KeySet>,
}

impl RemoteKeySet {
    /// The keys at `jwks_uri`, none of which is fetched yet; a fetch takes at most `timeout`.
    #[must_use]
    pub fn new(client: HttpClient, jwks_uri: Uri, timeout: Duration) -> Self {
        Self {
            client,
            jwks_uri,
            timeout,
            keys: Cached::new(LIFETIMES),
        }
    }

    /// The keys to verify with. Called once during initialisation, it fetches them ahead.
    pub async fn current(&self, now: Timestamp, deadline: Deadline) -> Result<Arc<KeySet>, KeysUnavailable> {
        Ok(self.keys.current(now, self.fetch(deadline)).await?)
    }

    /// Newer keys than `seen`, for a token whose key is not among those; `seen` itself when it is too early to ask for newer ones.
    pub async fn newer_than(
        &self,
        seen: &Arc<KeySet>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, KeysUnavailable> {
        Ok(self.keys.newer_than(seen, now, self.fetch(deadline)).await?)
    }

    async fn fetch(&self, deadline: Deadline) -> Result<KeySet, KeysUnavailable> {
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = self.jwks_uri.clone();
        let bounds = Bounds {
            max_bytes: LONGEST_KEY_SET,
            timeout: self.timeout.min(deadline.left()),
        };
        let answer = self
            .client
            .send(request, bounds)
            .await
            .map_err(KeysUnavailable::Fetch)?;
        if answer.status() != StatusCode::OK {
            return Err(KeysUnavailable::Status(answer.status()));
        }
        KeySet::parse(answer.body()).map_err(KeysUnavailable::Unusable)
    }
}

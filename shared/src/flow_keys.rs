//! The keys that seal, wherever they come from: given (local configurations), or a secret that is fetched, kept and rotated.

use std::{sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    aws::AwsEnvironment,
    cached::{Cached, Lifetimes, Unavailable},
    clock::{Deadline, Timestamp},
    config::{FlowKeysSource, Reader, Site},
    http::{problem::ErrorCode, request::REQUEST_BUDGET},
    seal::{FlowKeys, FlowKeysError, Kind, OpenError},
    secrets::{SecretError, SecretStore},
};

/// Refetched after ten minutes (contract section 4). While Secrets Manager does not answer the keys serve on: they would be the same ones.
const LIFETIMES: Lifetimes = Lifetimes {
    refreshed_after: Duration::from_mins(10),
    serves_for: Duration::from_hours(24),
};

/// The keys are out of reach.
#[derive(Debug, thiserror::Error)]
#[error("fetching the flow keys")]
pub struct FlowKeysUnavailable(#[source] Unavailable<FetchError>);

/// Why a fetch brought no keys.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The secret could not be had.
    #[error("reading the secret")]
    Secret(#[from] SecretError),
    /// The secret holds something else.
    #[error("reading the keys in the secret")]
    Keys(#[from] FlowKeysError),
}

/// Why a sealed value did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenSealedError {
    /// It is not ours, or was sealed by a key that nobody has any more.
    #[error("opening it")]
    Open(#[from] OpenError),
    /// The keys are out of reach.
    #[error("getting the flow keys")]
    Keys(#[from] FlowKeysUnavailable),
}

impl OpenSealedError {
    /// What the caller learns: `unusable` for a value that is none, which differs by what was sealed.
    #[must_use]
    pub const fn code_for(&self, unusable: ErrorCode) -> ErrorCode {
        match self {
            Self::Open(_) => unusable,
            Self::Keys(_) => ErrorCode::TemporarilyUnavailable,
        }
    }
}

/// The current keys.
#[derive(Debug)]
pub struct FlowKeyRing(Source);

#[derive(Debug)]
enum Source {
    Given(Arc<FlowKeys>),
    Secret(Box<Secret>),
}

#[derive(Debug)]
struct Secret {
    arn: String,
    origin: String,
    store: SecretStore,
    keys: Cached<FlowKeys>,
}

impl Secret {
    async fn fetch(&self, now: Timestamp, deadline: Deadline) -> Result<FlowKeys, FetchError> {
        let text = self.store.secret(&self.arn, now, deadline).await?;
        Ok(FlowKeys::parse(&text, &self.origin)?)
    }
}

impl FlowKeyRing {
    /// Reads `FLOW_KEYS` or `FLOW_KEYS_ARN`.
    pub fn read(reader: &mut Reader<'_>, site: Option<&Site>) -> Option<Self> {
        match FlowKeysSource::read(reader, site)? {
            FlowKeysSource::Given(keys) => Some(Self(Source::Given(Arc::new(keys)))),
            FlowKeysSource::Secret(arn) => {
                let aws = AwsEnvironment::read(reader)?;
                let site = site?;
                let store = SecretStore::new(aws, reader.http_client(site.locality));
                let (origin, keys) = (site.origin.clone(), Cached::new(LIFETIMES));
                Some(Self(Source::Secret(Box::new(Secret {
                    arn,
                    origin,
                    store,
                    keys,
                }))))
            }
        }
    }

    /// Fetches the keys ahead. What fails now is tried again by the first request.
    pub async fn warm_up(&self, now: Timestamp) {
        let _ = self.current(now, Deadline::within(REQUEST_BUDGET)).await;
    }

    /// The keys to seal with.
    pub async fn current(&self, now: Timestamp, deadline: Deadline) -> Result<Arc<FlowKeys>, FlowKeysUnavailable> {
        match &self.0 {
            Source::Given(keys) => Ok(keys.clone()),
            Source::Secret(secret) => secret
                .keys
                .current(now, secret.fetch(now, deadline))
                .await
                .map_err(FlowKeysUnavailable),
        }
    }

    /// Opens what was sealed for the cookie `name`; asks for newer keys when it names one that is not here.
    pub async fn open<T: DeserializeOwned>(
        &self,
        kind: Kind,
        name: &str,
        sealed: &str,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<T, OpenSealedError> {
        let seen = self.current(now, deadline).await?;
        match (seen.open(kind, name, sealed), &self.0) {
            (Err(OpenError::UnknownKey), Source::Secret(secret)) => {
                let newer = secret.keys.newer_than(&seen, now, secret.fetch(now, deadline)).await;
                Ok(newer.map_err(FlowKeysUnavailable)?.open(kind, name, sealed)?)
            }
            (opened, _) => Ok(opened?),
        }
    }
}

#[cfg(test)]
mod tests;

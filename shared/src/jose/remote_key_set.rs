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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        jose::{
            Algorithm, CompactJws, JwsError, SigningKey,
            test_keys::{ed25519, p256, set_text},
        },
        outbound::{
            Locality,
            scripted_server::{Answer, ScriptedServer},
        },
    };

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn deadline() -> Deadline {
        Deadline::within(Duration::from_secs(5))
    }

    fn remote(server: &ScriptedServer) -> RemoteKeySet {
        let jwks_uri = server.url("/jwks").parse().unwrap();
        RemoteKeySet::new(HttpClient::new(Locality::Local), jwks_uri, Duration::from_secs(3))
    }

    fn publishing(keys: &[&SigningKey]) -> Answer {
        Answer::json(200, &set_text(keys.iter().map(|key| key.public_jwk())))
    }

    fn verify(key: &SigningKey, keys: &KeySet) -> Result<(), JwsError> {
        let token = key.sign_jwt(&serde_json::json!({})).unwrap();
        CompactJws::parse(&token)?.verify(keys, &Algorithm::ALL).map(drop)
    }

    #[tokio::test]
    async fn a_key_that_was_rotated_in_is_found_and_the_one_that_was_removed_is_gone() {
        let (old, new) = (p256(), ed25519());
        let server = ScriptedServer::start([publishing(&[&old]), publishing(&[&new])]).await;
        let remote = remote(&server);

        let keys = remote.current(NOW, deadline()).await.unwrap();
        assert!(verify(&old, &keys).is_ok());
        assert!(matches!(verify(&new, &keys), Err(JwsError::UnknownKey)));

        let newer = remote.newer_than(&keys, NOW, deadline()).await.unwrap();
        assert!(verify(&new, &newer).is_ok());
        assert!(matches!(verify(&old, &newer), Err(JwsError::UnknownKey)));
        assert_eq!(
            server
                .requests()
                .iter()
                .map(|request| &*request.target)
                .collect::<Vec<_>>(),
            ["/jwks", "/jwks"]
        );
    }

    #[tokio::test]
    async fn many_who_ask_at_once_share_one_fetch() {
        let server = ScriptedServer::start(vec![publishing(&[&p256()]); 5]).await;
        let remote = remote(&server);
        let keys = remote.current(NOW, deadline()).await.unwrap();

        let mut asking = tokio::task::JoinSet::new();
        let remote = Arc::new(remote);
        for _ in 0..20 {
            let (remote, keys) = (remote.clone(), keys.clone());
            asking.spawn(async move { remote.newer_than(&keys, NOW, deadline()).await.unwrap() });
        }
        let answers = asking.join_all().await;
        assert!(
            answers
                .iter()
                .all(|newer| Arc::ptr_eq(newer, &answers[0]) && !Arc::ptr_eq(newer, &keys))
        );
        assert_eq!(server.hits(), 2);
    }

    #[tokio::test]
    async fn a_failed_or_empty_fetch_never_replaces_a_good_set() {
        let failures = [
            Answer::json(500, "{}"),
            Answer::json(200, r#"{"keys":[]}"#),
            Answer::json(200, r#"{"keys":[{"kty":"oct","k":"AA"}]}"#),
            Answer::json(200, &set_text(vec![p256().public_jwk(); 65])),
            Answer::new(200, "text/html", "<html>"),
            Answer::json(404, &set_text([p256().public_jwk()])),
            Answer::Bytes(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_vec()),
            Answer::flood("Transfer-Encoding: chunked"),
            Answer::Hangup,
        ];
        let key = p256();
        let count = failures.len();
        let server = ScriptedServer::start([publishing(&[&key])].into_iter().chain(failures)).await;
        let remote = remote(&server);
        let keys = remote.current(NOW, deadline()).await.unwrap();

        let mut now = after(600);
        for fetch in 1..=count {
            assert!(
                Arc::ptr_eq(&remote.current(now, deadline()).await.unwrap(), &keys),
                "{fetch}"
            );
            assert_eq!(server.hits(), 1 + fetch);
            now = now.plus(Duration::from_secs(30));
        }
        assert!(
            remote.current(after(3600), deadline()).await.is_err(),
            "an hour after its fetch it serves no more"
        );
        assert!(matches!(
            remote.current(after(3601), deadline()).await,
            Err(KeysUnavailable::TooEarly)
        ));
        assert_eq!(server.hits(), 2 + count);
    }

    #[tokio::test]
    async fn whoever_looks_for_a_key_learns_that_the_issuer_cannot_be_asked() {
        let server = ScriptedServer::start([publishing(&[&p256()]), Answer::json(503, "{}")]).await;
        let remote = remote(&server);
        let keys = remote.current(NOW, deadline()).await.unwrap();
        let outcome = remote.newer_than(&keys, NOW, deadline()).await;
        assert!(matches!(
            outcome,
            Err(KeysUnavailable::Status(StatusCode::SERVICE_UNAVAILABLE))
        ));
        assert!(Arc::ptr_eq(&remote.current(NOW, deadline()).await.unwrap(), &keys));
    }

    #[tokio::test]
    async fn a_fetch_takes_no_longer_than_the_request_has() {
        let server = ScriptedServer::start([Answer::Silence]).await;
        let remote = remote(&server);
        let before_its_own_timeout = Deadline::within(Duration::from_secs(2));
        let outcome = remote.current(NOW, Deadline::within(Duration::from_millis(50))).await;
        assert!(matches!(
            outcome,
            Err(KeysUnavailable::Fetch(OutboundError::TimedOut(_)))
        ));
        assert!(!before_its_own_timeout.left().is_zero());
    }

    #[tokio::test]
    async fn fixed_keys_are_all_there_is() {
        let keys = Arc::new(KeySet::parse(set_text([p256().public_jwk()]).as_bytes()).unwrap());
        let source = KeySource::Fixed(keys.clone());
        assert!(Arc::ptr_eq(&source.current(NOW, deadline()).await.unwrap(), &keys));
        assert!(Arc::ptr_eq(
            &source.newer_than(&keys, NOW, deadline()).await.unwrap(),
            &keys
        ));
    }
}

//! The session: the proof, issued by accounts.magento.cloud, that a browser is signed in to a cloud account (contract
//! section 3).

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Uri, header::AUTHORIZATION};
use serde_json::Value;

use crate::{
    clock::{Deadline, Timestamp},
    config::Reader,
    flow::SessionBinding,
    http::{
        cookies::{self, Cookies},
        problem::{ErrorCode, Refusal},
        request::REQUEST_BUDGET,
    },
    identity::{AccountId, EmailAddress, SessionId},
    jose::{Algorithm, CompactJws, JwsError, KeySet, KeySource, KeysUnavailable, RemoteKeySet, VerifiedJwt},
};

/// How long a session must last at least for a flow to be started in it: a flow's ten minutes, and one for the clocks.
const FLOW_NEEDS: Duration = Duration::from_mins(11);

/// How far the clocks of the two sites may disagree.
const LEEWAY: Duration = Duration::from_secs(30);

/// How long fetching the keys of the accounts site may take.
const JWKS_TIMEOUT: Duration = Duration::from_secs(2);

/// A session that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The cloud account, the `sub` claim.
    pub account: AccountId,
    /// This session among the account's, the `sid` claim. It ends at sign-out and at a password reset.
    pub id: SessionId,
    /// The account's e-mail address, the `email` claim, when it came and is usable.
    pub email: Option<EmailAddress>,
    /// When its user last proved themselves, the `auth_time` claim.
    pub auth_time: Timestamp,
    /// Until when the proof serves, the `exp` claim.
    pub expires_at: Timestamp,
}

impl Session {
    /// What a flow remembers of the session that started it.
    #[must_use]
    pub fn binding(&self) -> SessionBinding {
        SessionBinding::of(&self.account, &self.id)
    }

    /// Whether its user proved themselves no longer ago than `within`. A proof from the future counts for nothing.
    #[must_use]
    pub fn is_recent(&self, now: Timestamp, within: Duration) -> bool {
        now.minus(within) <= self.auth_time && self.auth_time <= now.plus(LEEWAY)
    }

    /// Whether a flow started `now` would still end within this session.
    #[must_use]
    pub fn outlives_flow(&self, now: Timestamp) -> bool {
        now.plus(FLOW_NEEDS) <= self.expires_at
    }
}

/// Why there is no session. All but [`KeysUnavailable`](Self::KeysUnavailable) are `session_required` to whoever asks.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Neither a cookie nor a bearer token.
    #[error("no session came with the request")]
    Missing,
    /// No token signed by accounts.magento.cloud.
    #[error("verifying a session")]
    Token(#[source] JwsError),
    /// There are no keys to verify it with: the fault of neither the browser nor the token.
    #[error("verifying a session: no keys")]
    KeysUnavailable(#[source] KeysUnavailable),
    /// This claim is missing, malformed, or not what this service expects.
    #[error("verifying a session: its `{0}` is not acceptable")]
    Claim(&'static str),
    /// It is over.
    #[error("verifying a session: expired")]
    Expired,
    /// It has not begun.
    #[error("verifying a session: not valid yet")]
    NotYetValid,
    /// The cookie and the bearer token are of different sessions.
    #[error("verifying a session: the cookie and the bearer token disagree")]
    Contradiction,
}

impl Refusal for SessionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::KeysUnavailable(_) => ErrorCode::TemporarilyUnavailable,
            Self::Missing
            | Self::Token(_)
            | Self::Claim(_)
            | Self::Expired
            | Self::NotYetValid
            | Self::Contradiction => ErrorCode::SessionRequired,
        }
    }
}

/// The sessions of accounts.magento.cloud, as a request carries them.
#[derive(Debug)]
pub struct Sessions {
    verifier: SessionVerifier,
    cookie_name: String,
}

impl Sessions {
    /// Reads `SESSION_ISSUER`, `SESSION_AUDIENCE`, `SESSION_JWKS`, `SESSION_JWKS_URL` and `SESSION_COOKIE`.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let issuer = reader.required("SESSION_ISSUER");
        let audience = reader.required("SESSION_AUDIENCE");
        let sources = Self::read_sources(reader);
        let default = "__Host-accounts-session".to_owned();
        let cookie_name = reader.parsed("SESSION_COOKIE", default, "a cookie's name", |name| {
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            let is_ours = name.starts_with(cookies::OUR_PREFIX);
            (name.bytes().all(is_token) && !is_ours).then(|| name.to_owned())
        });
        Some(Self {
            verifier: SessionVerifier::new(sources?, issuer?, audience?),
            cookie_name: cookie_name?,
        })
    }

    fn read_sources(reader: &mut Reader<'_>) -> Option<Vec<KeySource>> {
        let (given, url) = (reader.optional("SESSION_JWKS"), reader.optional("SESSION_JWKS_URL"));
        let mut sources = Vec::new();
        if given.is_none() && url.is_none() {
            reader.mistake("SESSION_JWKS", "or SESSION_JWKS_URL is missing");
        }
        if let Some(given) = given {
            match KeySet::parse(given.as_bytes()) {
                Ok(keys) => sources.push(KeySource::Fixed(Arc::new(keys))),
                Err(error) => reader.mistake("SESSION_JWKS", format_args!("is unusable: {error}")),
            }
        }
        if let Some(url) = url {
            let locality = reader.locality();
            match url.parse::<Uri>().ok().filter(|uri| locality.allows_uri(uri)) {
                Some(uri) => {
                    let client = reader.http_client(locality);
                    let remote = RemoteKeySet::new(client, uri, JWKS_TIMEOUT);
                    sources.push(KeySource::Remote(Box::new(remote)));
                }
                None => reader.mistake(
                    "SESSION_JWKS_URL",
                    "must be an https URL (http only in a local configuration)",
                ),
            }
        }
        (!sources.is_empty()).then_some(sources)
    }

    /// The name of the cookie that carries the session.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// Fetches the keys ahead. What fails now is tried again by the first request.
    pub async fn warm_up(&self, now: Timestamp) {
        self.verifier.prepare(now, Deadline::within(REQUEST_BUDGET)).await;
    }

    /// Whether every source of keys has one that a session may be signed with. No function asks: it is for whoever checks a configuration
    /// (`infra/doctor`).
    pub async fn have_usable_keys(&self, now: Timestamp, deadline: Deadline) -> Result<bool, KeysUnavailable> {
        self.verifier.has_usable_keys(now, deadline).await
    }

    /// The session that came with a request: in its cookie, as a bearer token (RFC 6750 section 2.1), or the same in both.
    pub async fn verify(
        &self,
        cookies: &Cookies<'_>,
        headers: &HeaderMap,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Session, SessionError> {
        // What is not ASCII is no token of anybody's, and must not count as absent.
        let authorization = headers
            .get(AUTHORIZATION)
            .map(|value| value.to_str().unwrap_or("Bearer "));
        self.verifier
            .authenticate(cookies.session(), authorization, now, deadline)
            .await
    }
}

/// Verifies sessions.
#[derive(Debug)]
pub struct SessionVerifier {
    sources: Vec<KeySource>,
    issuer: String,
    audience: String,
}

impl SessionVerifier {
    /// The algorithms accounts.magento.cloud may sign by.
    const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

    /// Accepts what `issuer` (`SESSION_ISSUER`) signed with a key of one of `sources`, asked in this order, for `audience`
    /// (`SESSION_AUDIENCE`).
    #[must_use]
    pub fn new(sources: Vec<KeySource>, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            sources,
            issuer: issuer.into(),
            audience: audience.into(),
        }
    }

    /// Fetches the keys ahead, during initialisation. A failure is left to the first request.
    pub async fn prepare(&self, now: Timestamp, deadline: Deadline) {
        for source in &self.sources {
            let _ = source.current(now, deadline).await;
        }
    }

    async fn has_usable_keys(&self, now: Timestamp, deadline: Deadline) -> Result<bool, KeysUnavailable> {
        for source in &self.sources {
            let keys = source.current(now, deadline).await?;
            if !Self::ALGORITHMS.iter().any(|algorithm| keys.serves(*algorithm)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The session of a request: of the value of its session `cookie`, or of the bearer token in its `Authorization` header
    /// field. When both are there they must be of the same account and session.
    pub async fn authenticate(
        &self,
        cookie: Option<&str>,
        authorization: Option<&str>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Session, SessionError> {
        match (cookie, authorization.and_then(bearer_token)) {
            (None, None) => Err(SessionError::Missing),
            (Some(token), None) | (None, Some(token)) => self.verify(token, now, deadline).await,
            (Some(cookie), Some(bearer)) => {
                let session = self.verify(cookie, now, deadline).await?;
                let other = self.verify(bearer, now, deadline).await?;
                let is_same = session.account == other.account && session.id == other.id;
                if is_same {
                    Ok(session)
                } else {
                    Err(SessionError::Contradiction)
                }
            }
        }
    }

    async fn verify(&self, token: &str, now: Timestamp, deadline: Deadline) -> Result<Session, SessionError> {
        let jws = CompactJws::parse(token).map_err(SessionError::Token)?;
        let jwt = self.verify_signature(&jws, now, deadline).await?;

        if jwt.text("iss") != Some(self.issuer.as_str()) {
            return Err(SessionError::Claim("iss"));
        }
        if !jwt.claim("aud").is_some_and(|audiences| self.is_among(audiences)) {
            return Err(SessionError::Claim("aud"));
        }
        let expires_at = jwt.date("exp").ok_or(SessionError::Claim("exp"))?;
        if expires_at.plus(LEEWAY) <= now {
            return Err(SessionError::Expired);
        }
        if jwt.claim("nbf").is_some() {
            let not_before = jwt.date("nbf").ok_or(SessionError::Claim("nbf"))?;
            if now.plus(LEEWAY) < not_before {
                return Err(SessionError::NotYetValid);
            }
        }
        let text = |claim| jwt.text(claim).ok_or(SessionError::Claim(claim));
        Ok(Session {
            account: AccountId::parse(text("sub")?).map_err(|_| SessionError::Claim("sub"))?,
            id: SessionId::parse(text("sid")?).map_err(|_| SessionError::Claim("sid"))?,
            email: jwt.text("email").and_then(EmailAddress::parse),
            auth_time: jwt.date("auth_time").ok_or(SessionError::Claim("auth_time"))?,
            expires_at,
        })
    }

    async fn verify_signature(
        &self,
        jws: &CompactJws<'_>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<VerifiedJwt, SessionError> {
        for source in &self.sources {
            let unavailable = SessionError::KeysUnavailable;
            let keys = source.current(now, deadline).await.map_err(unavailable)?;
            let mut outcome = jws.verify(&keys, &Self::ALGORITHMS);
            if matches!(outcome, Err(JwsError::UnknownKey)) {
                let newer = source.newer_than(&keys, now, deadline).await.map_err(unavailable)?;
                outcome = jws.verify(&newer, &Self::ALGORITHMS);
            }
            match outcome {
                Err(JwsError::UnknownKey) => {} // perhaps the next source has it
                outcome => return outcome.map_err(SessionError::Token),
            }
        }
        Err(SessionError::Token(JwsError::UnknownKey))
    }

    /// RFC 7519 section 4.1.3: one audience, or a list of them.
    fn is_among(&self, audiences: &Value) -> bool {
        match audiences {
            Value::String(audience) => *audience == self.audience,
            Value::Array(audiences) => {
                audiences.iter().all(Value::is_string) && audiences.iter().any(|audience| *audience == self.audience)
            }
            _ => false,
        }
    }
}

/// The token in the value of an `Authorization` header field (RFC 6750 section 2.1); `None` for another scheme, which is no
/// session of anybody. Schemes are named in any case (RFC 9110 section 11.1).
fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests;

//! Session JWTs: what the site promises the functions (contract section 3).

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use account_linking::{
    clock::{NoRandomness, Randomness, Timestamp, random_bytes},
    flow::SessionBinding,
    identity::{AccountId, SessionId},
    jose::{Algorithm, CompactJws, KeySet, KeySetError, SigningError, SigningKey},
    link::Actor,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::people::Account;
use crate::site::{Cookie, Request, Response};

/// How long a proof serves from each renewal. The functions want at least eleven minutes of it, the contract's sites give thirty.
const SESSION_LIFETIME: Duration = Duration::from_hours(1);

/// How far a proof may lie ahead. One from a future that the clock was moved back from proves nothing.
const LEEWAY: Duration = Duration::from_secs(30);

/// The claim of a session that is good for nothing but linking. The functions do not know it: what such a session may see is up to this site.
const LINK_ONLY: &str = "link_only";

/// Under which names and in which cookie sessions are issued.
#[derive(Debug)]
pub(crate) struct SessionTerms {
    /// `SESSION_ISSUER`.
    pub(crate) issuer: String,
    /// `SESSION_AUDIENCE`.
    pub(crate) audience: String,
    /// `SESSION_COOKIE`.
    pub(crate) cookie: String,
}

/// Issues sessions, renews them and remembers which have ended.
pub(crate) struct SessionIssuer {
    terms: SessionTerms,
    key: SigningKey,
    /// Its public half, as verifiers take it.
    keys: KeySet,
    ended: Mutex<HashSet<String>>,
    random: Arc<dyn Randomness>,
}

/// Somebody who is signed in.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) account: &'static Account,
    /// Whether it is good for nothing but linking.
    pub(super) link_only: bool,
    /// The `sid`: stays the same over renewals, ends at sign-out.
    sid: String,
    auth_time: Timestamp,
}

impl SignedIn {
    /// The same session, whose user has just proved themselves: the flows in it go on.
    pub(super) fn proven_again(self, now: Timestamp) -> Self {
        Self { auth_time: now, ..self }
    }

    /// Whether `actor` acted in this session.
    pub(super) fn is(&self, actor: &Actor) -> bool {
        let (account, session) = (AccountId::parse(self.account.id), SessionId::parse(&self.sid));
        let (Ok(account), Ok(session)) = (account, session) else {
            return false;
        };
        *actor == Actor::Session(SessionBinding::of(&account, &session))
    }
}

impl SessionIssuer {
    /// Issues sessions under `terms`, signed by `key`.
    pub(crate) fn new(terms: SessionTerms, key: SigningKey, random: Arc<dyn Randomness>) -> Result<Self, KeySetError> {
        let keys = KeySet::parse(jwks_of(&key).to_string().as_bytes())?;
        Ok(Self {
            terms,
            key,
            keys,
            ended: Mutex::default(),
            random,
        })
    }

    /// The JWK Set with which the sessions can be verified.
    pub(crate) fn jwks(&self) -> Value {
        jwks_of(&self.key)
    }

    /// A new session of `account`, good for nothing but linking or for all.
    pub(super) fn begin(
        &self,
        account: &'static Account,
        link_only: bool,
        now: Timestamp,
    ) -> Result<SignedIn, NoRandomness> {
        let sid = URL_SAFE_NO_PAD.encode(random_bytes::<16>(&*self.random)?);
        Ok(SignedIn {
            account,
            link_only,
            sid,
            auth_time: now,
        })
    }

    /// Who is signed in, when the cookie proves it and the session has not ended.
    pub(super) fn verify(&self, request: &Request, now: Timestamp) -> Option<SignedIn> {
        let jws = CompactJws::parse(request.cookie(&self.terms.cookie)?).ok()?;
        let jwt = jws.verify(&self.keys, &[Algorithm::Es256]).ok()?;
        let signed_in = SignedIn {
            account: Account::find(jwt.text("sub")?)?,
            link_only: jwt.claim(LINK_ONLY).is_some(),
            sid: jwt.text("sid")?.to_owned(),
            auth_time: jwt.date("auth_time")?,
        };
        let has_ended = self.ended().contains(&signed_in.sid);
        let is_live = jwt.date("iat")? <= now.plus(LEEWAY) && now < jwt.date("exp")?;
        (is_live && !has_ended).then_some(signed_in)
    }

    /// Sets the cookie with a proof that serves from `now` on.
    pub(super) fn renew(
        &self,
        signed_in: &SignedIn,
        now: Timestamp,
        response: &mut Response,
    ) -> Result<(), SigningError> {
        let mut claims = json!({
            "iss": self.terms.issuer,
            "aud": self.terms.audience,
            "sub": signed_in.account.id,
            "sid": signed_in.sid,
            "email": signed_in.account.email,
            "auth_time": signed_in.auth_time.unix_seconds(),
            "iat": now.unix_seconds(),
            "exp": now.plus(SESSION_LIFETIME).unix_seconds(),
        });
        if signed_in.link_only {
            claims[LINK_ONLY] = json!(true);
        }
        let token = self.key.sign_jwt(&claims)?;
        Cookie {
            name: &self.terms.cookie,
            value: &token,
        }
        .set(response);
        Ok(())
    }

    /// Ends a session. The functions learn of it when the proof expires; until then it is this browser that forgets it.
    pub(super) fn end(&self, signed_in: SignedIn) {
        self.ended().insert(signed_in.sid);
    }

    fn ended(&self) -> MutexGuard<'_, HashSet<String>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the cookie away.
    pub(super) fn forget(&self, response: &mut Response) {
        Cookie::clear(&self.terms.cookie, response);
    }
}

fn jwks_of(key: &SigningKey) -> Value {
    json!({"keys": [key.public_jwk()]})
}

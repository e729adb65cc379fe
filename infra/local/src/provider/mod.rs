//! The development provider: plays Magento.com, honestly.
//!
//! An OpenID provider for one client, with discovery, pushed authorization requests, PKCE and the `iss` of RFC 9207. What an
//! honest provider must refuse it refuses; the tests that need a dishonest one bring their own. Nobody has a password: whoever
//! sits at the browser chooses whom to be.

mod authorization;
mod client;
mod error;
mod expiring;
mod pages;
mod people;
mod sign_in;
#[cfg(test)]
mod tests;
mod texts;
mod token;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use account_linking::{
    clock::{Clock, NoRandomness, Randomness, Timestamp, random_bytes},
    jose::SigningKey,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) use self::client::{Client, ClientSecret};
use self::{
    authorization::{AuthorizationRequest, PUSHED_REQUEST_LIFETIME, Prompt},
    error::ProtocolError,
    expiring::Expiring,
    people::{People, Person},
    sign_in::Failure,
    token::CODE_LIFETIME,
};
use crate::site::{self, Request, Response};

/// How long somebody may look at a sign-in page.
const INTERACTION_LIFETIME: Duration = Duration::from_mins(30);

/// How long a browser stays signed in.
const SESSION_LIFETIME: Duration = Duration::from_hours(12);

/// How often each endpoint was called since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProviderCalls {
    /// Discovery documents asked for.
    pub discovery: u64,
    /// Key sets asked for.
    pub jwks: u64,
    /// Requests at the pushed authorization request endpoint, also refused ones.
    pub pushed_authorization_request: u64,
    /// Requests at the authorization endpoint, also refused ones.
    pub authorization: u64,
    /// Requests at the token endpoint, also refused ones.
    pub token: u64,
    /// Codes for which an ID token was issued.
    pub codes_redeemed: u64,
}

/// A browser that is signed in.
#[derive(Clone, Debug)]
struct Session {
    person: Person,
    /// The `sid` claim; not what the cookie holds.
    sid: String,
    auth_time: Timestamp,
}

#[derive(Debug)]
struct Memory {
    sessions: Expiring<Session>,
    pushed_requests: Expiring<AuthorizationRequest>,
    interactions: Expiring<AuthorizationRequest>,
    codes: Expiring<(AuthorizationRequest, Session)>,
    calls: ProviderCalls,
}

/// The development provider.
pub(crate) struct Provider {
    issuer: String,
    client: Client,
    key: SigningKey,
    people: People,
    memory: Mutex<Memory>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

impl Provider {
    /// The provider at `issuer`, an origin. Who registers is kept in `people_file`, else forgotten at the end.
    pub(crate) fn open(
        issuer: String,
        client: Client,
        key: SigningKey,
        people_file: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> io::Result<Self> {
        let memory = Memory {
            sessions: Expiring::new(SESSION_LIFETIME),
            pushed_requests: Expiring::new(PUSHED_REQUEST_LIFETIME),
            interactions: Expiring::new(INTERACTION_LIFETIME),
            codes: Expiring::new(CODE_LIFETIME),
            calls: ProviderCalls::default(),
        };
        let (people, memory) = (People::load(people_file)?, Mutex::new(memory));
        Ok(Self {
            issuer,
            client,
            key,
            people,
            memory,
            clock,
            random,
        })
    }

    /// Its issuer identifier, which is its origin.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How often each endpoint was called.
    pub(crate) fn calls(&self) -> ProviderCalls {
        self.memory().calls
    }

    /// Answers a request to the provider's host.
    pub(crate) fn respond(&self, request: &Request) -> Response {
        match (&request.method, request.path.as_str()) {
            (&Method::GET, "/.well-known/openid-configuration") => {
                self.memory().calls.discovery += 1;
                site::json(StatusCode::OK, &self.metadata())
            }
            (&Method::GET, "/jwks") => {
                self.memory().calls.jwks += 1;
                site::json(StatusCode::OK, &json!({"keys": [self.key.public_jwk()]}))
            }
            (&Method::POST, "/par") => {
                self.memory().calls.pushed_authorization_request += 1;
                self.push(request).unwrap_or_else(ProtocolError::respond)
            }
            (&Method::GET | &Method::POST, "/authorize") => {
                self.memory().calls.authorization += 1;
                self.authorize(request)
            }
            (&Method::POST, "/token") => {
                self.memory().calls.token += 1;
                self.redeem(request).unwrap_or_else(ProtocolError::respond)
            }
            (&Method::GET, "/") => self.home(request),
            (&Method::GET, "/sign-in") => self.or_failure_page(request, self.show_sign_in(request)),
            (&Method::POST, "/sign-in") => self.or_failure_page(request, self.sign_in(request)),
            (&Method::GET, "/create-account") => self.or_failure_page(request, self.show_create_account(request)),
            (&Method::POST, "/create-account") => self.or_failure_page(request, self.create_account(request)),
            (&Method::POST, "/sign-out") => self.or_failure_page(request, self.sign_out(request)),
            (&Method::POST, "/change-email") => self.or_failure_page(request, self.change_email(request)),
            (&Method::GET, "/site.css") => site::stylesheet(),
            (&Method::GET, "/favicon.ico") => site::no_icon(),
            _ => site::not_found(),
        }
    }

    fn or_failure_page(&self, request: &Request, outcome: Result<Response, Failure>) -> Response {
        outcome.unwrap_or_else(|failure| self.failure_page(&failure, request.accepted_language()))
    }

    /// OpenID Connect Discovery 1.0 section 3, RFC 8414, RFC 9126 section 5, RFC 9207 section 3. It asks every provider for
    /// RS256 too; this one has no RSA key and says so.
    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "pushed_authorization_request_endpoint": at("/par"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"),
            "scopes_supported": ["openid", "email"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": Prompt::SUPPORTED,
            "ui_locales_supported": ["en", "fr"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "claims_supported":
                ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "email", "email_verified"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 random bits in base64url: codes, sessions, and the names of what waits.
fn unguessable(random: &dyn Randomness) -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>(random)?))
}

//! Sessions as a test wants them: signed by a key that the stack trusts, with whatever claims.

use account_linking::{clock::Timestamp, jose::SigningKey};
use serde_json::{Value, json};

use crate::{magento::Person, stack::Setup};

const ISSUER: &str = "https://sessions.example";
const AUDIENCE: &str = "account-linking";

/// The cookie of contract section 3.
pub const SESSION_COOKIE: &str = "__Host-accounts-session";

/// Issues sessions in place of the accounts site.
pub struct SessionIssuer(SigningKey);

impl SessionIssuer {
    /// An issuer with a key of its own.
    pub fn new() -> Self {
        Self(SigningKey::generate_p256("sessions").unwrap_or_else(|error| panic!("{error}")))
    }

    /// `setup` with sessions from here.
    pub fn configured(&self, setup: Setup) -> Setup {
        let variables = self.variables().into_iter();
        variables.fold(setup, |setup, (name, value)| setup.with(&name, &value))
    }

    /// The variables that let the functions take sessions from here.
    pub fn variables(&self) -> [(String, String); 3] {
        let keys = json!({"keys": [self.0.public_jwk()]}).to_string();
        [
            ("SESSION_ISSUER", ISSUER),
            ("SESSION_AUDIENCE", AUDIENCE),
            ("SESSION_JWKS", &*keys),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    /// The claims of a good session of `person` at `now`. A test changes one of them.
    pub fn claims(person: Person, now: Timestamp) -> Value {
        json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": person.account_id(),
            "sid": format!("session of {}", person.account_email()).replace(' ', "-"),
            "email": person.account_email(),
            "auth_time": now.unix_seconds() - 60,
            "iat": now.unix_seconds(),
            "exp": now.unix_seconds() + 3600,
        })
    }

    /// The session with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.0.sign_jwt(claims).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The session with this header and these claims, as they are written.
    pub fn sign_compact(&self, header: &str, claims: &str) -> String {
        self.0
            .sign_compact(header, claims)
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Default for SessionIssuer {
    fn default() -> Self {
        Self::new()
    }
}

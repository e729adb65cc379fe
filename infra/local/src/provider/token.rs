//! The token endpoint (OIDC Core 3.1.3) and the ID tokens it issues.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::{Provider, Session, authorization::AuthorizationRequest, error::ProtocolError, unguessable};
use crate::site::{self, Request, Response};

/// How long a code waits for its client (RFC 6749 section 4.1.2 asks for at most ten minutes).
pub(super) const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// How long an ID token is good for.
const ID_TOKEN_LIFETIME: Duration = Duration::from_mins(5);

impl Provider {
    /// Redeems a code.
    pub(super) fn redeem(&self, request: &Request) -> Result<Response, ProtocolError> {
        let form = request.form()?;
        self.client.authenticate(request, &form)?;
        match form.find("grant_type") {
            Some("authorization_code") => {}
            Some(_) => return Err(ProtocolError::UnsupportedGrantType),
            None => return Err(ProtocolError::InvalidRequest),
        }
        let code = form.find("code").ok_or(ProtocolError::InvalidRequest)?;
        let redirect_uri = form.find("redirect_uri").ok_or(ProtocolError::InvalidRequest)?;
        let code_verifier = form.find("code_verifier").ok_or(ProtocolError::InvalidRequest)?;

        // Whoever presents a code has spent it, also with a wrong verifier.
        let granted = self.memory().codes.take(code, self.clock.now());
        let (asked, session) = granted.ok_or(ProtocolError::InvalidGrant)?;
        let is_same_place = redirect_uri == asked.return_address.redirect_uri;
        if !is_same_place || !is_verified_by(&asked.code_challenge, code_verifier) {
            return Err(ProtocolError::InvalidGrant);
        }
        let id_token = self.id_token(&asked, &session)?;
        self.memory().calls.codes_redeemed += 1;
        Ok(site::json(
            StatusCode::OK,
            &json!({
                // For nothing: this provider has no resource to show.
                "access_token": unguessable(&*self.random)?,
                "token_type": "Bearer",
                "expires_in": ID_TOKEN_LIFETIME.as_secs(),
                "id_token": id_token,
            }),
        ))
    }

    /// OIDC Core 2.
    fn id_token(&self, asked: &AuthorizationRequest, session: &Session) -> Result<String, ProtocolError> {
        let Session { person, sid, auth_time } = session;
        // With the address of now; nobody ever loses their account here.
        let person = &self.people.find(&person.subject).unwrap_or_else(|| person.clone());
        let now = self.clock.now();
        let mut claims = Map::from_iter([
            ("iss".to_owned(), json!(self.issuer)),
            ("sub".to_owned(), json!(person.subject)),
            ("aud".to_owned(), json!(self.client.id)),
            ("iat".to_owned(), json!(now.unix_seconds())),
            ("exp".to_owned(), json!(now.plus(ID_TOKEN_LIFETIME).unix_seconds())),
            ("auth_time".to_owned(), json!(auth_time.unix_seconds())),
            ("sid".to_owned(), json!(sid)),
        ]);
        if let Some(nonce) = &asked.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        if asked.email {
            claims.insert("email".to_owned(), json!(person.email));
            claims.insert("email_verified".to_owned(), json!(person.email_verified));
        }
        self.key
            .sign_jwt(&Value::Object(claims))
            .map_err(|_| ProtocolError::ServerError)
    }
}

/// RFC 7636 section 4.6, `S256`.
fn is_verified_by(code_challenge: &str, code_verifier: &str) -> bool {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, code_verifier.as_bytes())) == code_challenge
}

//! The provider's one registered client, and how it proves itself at the token endpoint (OIDC Core 9).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::header;
use ring::digest::{SHA256, digest};

use super::error::ProtocolError;
use crate::site::{Parameters, Request};

/// A registered client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: ClientSecret,
    pub(crate) redirect_uri: String,
}

/// A client's secret. Does not print, and is compared in constant time.
pub(crate) struct ClientSecret(String);

impl ClientSecret {
    pub(crate) fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Comparing digests takes the same time wherever the texts differ.
    fn matches(&self, presented: &str) -> bool {
        digest(&SHA256, self.0.as_bytes()).as_ref() == digest(&SHA256, presented.as_bytes()).as_ref()
    }
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

impl Client {
    /// Accepts `client_secret_basic` or `client_secret_post`, exactly one of them (RFC 6749 section 2.3).
    pub(super) fn authenticate(&self, request: &Request, form: &Parameters) -> Result<(), ProtocolError> {
        let basic = request.header(&header::AUTHORIZATION);
        let (id, secret) = match (basic, form.find("client_secret")) {
            (Some(_), Some(_)) => return Err(ProtocolError::InvalidRequest),
            (Some(basic), None) => decode_basic(basic).ok_or(ProtocolError::InvalidClient)?,
            (None, Some(secret)) => {
                let id = form.find("client_id").ok_or(ProtocolError::InvalidClient)?;
                (id.to_owned(), secret.to_owned())
            }
            (None, None) => return Err(ProtocolError::InvalidClient),
        };
        if form.find("client_id").is_some_and(|named| named != id) {
            return Err(ProtocolError::InvalidRequest);
        }
        let proven = id == self.id && self.secret.matches(&secret);
        if proven {
            Ok(())
        } else {
            Err(ProtocolError::InvalidClient)
        }
    }
}

/// RFC 6749 section 2.3.1: id and secret are form-encoded before they become user name and password.
fn decode_basic(header: &str) -> Option<(String, String)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = credentials.split_once(':')?;
    Some((form_decode(id)?, form_decode(secret)?))
}

fn form_decode(text: &str) -> Option<String> {
    // As the name of a pair without a value; the encoding leaves no `=` or `&` in it.
    let (decoded, rest) = form_urlencoded::parse(text.as_bytes()).next()?;
    rest.is_empty().then(|| decoded.into_owned())
}

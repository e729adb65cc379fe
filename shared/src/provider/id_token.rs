//! The ID token: what the provider says about the person who signed in (OIDC Core 2), and whether to believe it (3.1.3.7).

use std::time::Duration;

use serde_json::Value;

use crate::{
    clock::{Deadline, Timestamp},
    flow::FlowSecret,
    http::problem::{ErrorCode, Refusal},
    identity::{EmailAddress, Identity, Issuer, Subject, VerifiedIdentity},
    jose::{Algorithm, CompactJws, JwsError, KeySet, KeysUnavailable, RemoteKeySet, VerifiedJwt},
};

/// How far the provider's clock may differ from ours.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// How old a token may be that answers a flow of ten minutes.
const OLDEST: Duration = Duration::from_mins(10);

/// How long a token may be valid for.
const LONGEST_LIFETIME: Duration = Duration::from_hours(24);

/// The longest text that is kept of a claim that only informs, in bytes.
const LONGEST_TEXT: usize = 255;

/// How many methods of authentication are kept at most.
const MOST_METHODS: usize = 16;

/// What an ID token must say to be the answer to one flow.
#[derive(Clone, Copy, Debug)]
pub struct Expectations<'a> {
    /// Who must have issued it.
    pub issuer: &'a Issuer,
    /// For whom: our own `client_id`.
    pub client_id: &'a str,
    /// By which algorithms it may be signed.
    pub algorithms: &'a [Algorithm],
    /// What the flow sent along.
    pub nonce: &'a FlowSecret,
}

/// Why an ID token is not believed: one variant per check. None of them says what the token said.
#[derive(Debug, thiserror::Error)]
pub enum IdTokenError {
    /// There are no keys to verify it with. The only failure that is not the token's.
    #[error("verifying an ID token: no keys")]
    KeysUnavailable(#[source] KeysUnavailable),
    /// It is not signed by the provider (steps 1 and 6 to 8). [`JwsError::UnknownKey`] is worth one more look at the provider's keys.
    #[error("verifying an ID token")]
    Token(#[source] JwsError),
    /// It is a token of another kind.
    #[error("verifying an ID token: `typ` is of something else")]
    Type,
    /// Step 2.
    #[error("verifying an ID token: `iss` is not the provider that was asked")]
    Issuer,
    /// Step 3.
    #[error("verifying an ID token: `aud` is not this client alone")]
    Audience,
    /// Steps 4 and 5.
    #[error("verifying an ID token: `azp` is not this client")]
    AuthorizedParty,
    /// Step 9: missing, or no whole number of seconds.
    #[error("verifying an ID token: no usable `exp`")]
    Expiration,
    /// Step 9.
    #[error("verifying an ID token: expired")]
    Expired,
    /// Step 10: missing, or no whole number of seconds.
    #[error("verifying an ID token: no usable `iat`")]
    IssuedAt,
    /// Step 10.
    #[error("verifying an ID token: issued too long ago to answer this flow")]
    Stale,
    /// Step 10.
    #[error("verifying an ID token: issued in the future")]
    Early,
    /// Valid for more than a day.
    #[error("verifying an ID token: valid for too long")]
    LongLived,
    /// RFC 7519 section 4.1.5.
    #[error("verifying an ID token: `nbf` is in the future or no date")]
    NotBefore,
    /// Step 11.
    #[error("verifying an ID token: `nonce` is not this flow's")]
    Nonce,
    /// OIDC Core 2, as bounded by contract section 9.
    #[error("verifying an ID token: `sub` is not acceptable")]
    Subject,
}

impl Refusal for IdTokenError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::KeysUnavailable(_) => ErrorCode::ProviderUnavailable,
            Self::Token(_)
            | Self::Type
            | Self::Issuer
            | Self::Audience
            | Self::AuthorizedParty
            | Self::Expiration
            | Self::Expired
            | Self::IssuedAt
            | Self::Stale
            | Self::Early
            | Self::LongLived
            | Self::NotBefore
            | Self::Nonce
            | Self::Subject => ErrorCode::IdentityInvalid,
        }
    }
}

/// Verifies `token` with the keys that the provider publishes, which are fetched once more when its key is not among them.
pub async fn verify_with_published_keys(
    token: &str,
    published: &RemoteKeySet,
    expected: &Expectations<'_>,
    now: Timestamp,
    deadline: Deadline,
) -> Result<VerifiedIdentity, IdTokenError> {
    let unavailable = IdTokenError::KeysUnavailable;
    let keys = published.current(now, deadline).await.map_err(unavailable)?;
    match verify(token, &keys, expected, now) {
        Err(IdTokenError::Token(JwsError::UnknownKey)) => {
            let newer = published.newer_than(&keys, now, deadline).await.map_err(unavailable)?;
            verify(token, &newer, expected, now)
        }
        outcome => outcome,
    }
}

/// Verifies `token` with `keys`: the steps of OIDC Core 3.1.3.7 under their numbers, the signature first, so that nothing is
/// looked at that the provider did not say.
pub fn verify(
    token: &str,
    keys: &KeySet,
    expected: &Expectations<'_>,
    now: Timestamp,
) -> Result<VerifiedIdentity, IdTokenError> {
    // 1. We registered for no encryption: a JWE does not parse.
    // 6. The signature is always verified; that the token came over TLS does not stand in for it.
    // 7. By an algorithm we registered for, never by one the token chose.
    // 8. There are no MAC-based algorithms.
    let jwt = CompactJws::parse(token)
        .and_then(|jws| jws.verify(keys, expected.algorithms))
        .map_err(IdTokenError::Token)?;
    check_type(&jwt)?;

    // 2. The issuer is the one that was asked, byte for byte.
    if jwt.text("iss") != Some(expected.issuer.as_str()) {
        return Err(IdTokenError::Issuer);
    }
    // 3. The audience is this client and nobody else: we trust no other audience, so one more makes it worthless.
    if !jwt
        .claim("aud")
        .is_some_and(|audience| is_only(audience, expected.client_id))
    {
        return Err(IdTokenError::Audience);
    }
    // 4, 5. We use no extension that sets another authorized party.
    if jwt.claim("azp").is_some_and(|party| party != expected.client_id) {
        return Err(IdTokenError::AuthorizedParty);
    }
    // 9 and 10.
    check_times(&jwt, now)?;
    // 11. The nonce is that of the flow in this browser. A token of another flow, or of another user, stops here.
    if !jwt.text("nonce").is_some_and(|nonce| expected.nonce.matches(nonce)) {
        return Err(IdTokenError::Nonce);
    }
    // 12, 13. We ask for no `acr` and no `max_age`, so nothing need be there; what is there is passed on.
    // 3.1.3.8. The access token is not used, so there is nothing for `at_hash` to protect.

    let subject = jwt
        .text("sub")
        .and_then(|subject| Subject::parse(subject).ok())
        .ok_or(IdTokenError::Subject)?;
    let email = jwt.text("email").and_then(EmailAddress::parse);
    Ok(VerifiedIdentity {
        identity: Identity {
            issuer: expected.issuer.clone(),
            subject,
        },
        email_verified: email.is_some() && jwt.claim("email_verified") == Some(&Value::Bool(true)),
        email,
        // From here on nothing decides anything: what is not as it should be counts as absent.
        provider_session: jwt.claim("sid").and_then(informative_text),
        auth_time: jwt.date("auth_time"),
        acr: jwt.claim("acr").and_then(informative_text),
        amr: jwt.claim("amr").and_then(methods).unwrap_or_default(),
    })
}

/// Access tokens (`at+jwt`, RFC 9068), logout tokens (`logout+jwt`) and whatever else a provider signs with the same key say in
/// `typ` what they are; an ID token says `JWT` or nothing. It is the name of a media type (RFC 7515 section 4.1.9), in which
/// upper and lower case are one (RFC 2045 section 5.1), and RFC 7519 section 5.1 only recommends capitals.
fn check_type(jwt: &VerifiedJwt) -> Result<(), IdTokenError> {
    let is_id_token = jwt.typ().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if is_id_token { Ok(()) } else { Err(IdTokenError::Type) }
}

/// One audience, or a list of one (RFC 7519 section 4.1.3). Nobody is `""`, so that an empty configuration accepts nothing.
fn is_only(audience: &Value, client_id: &str) -> bool {
    let only = match audience {
        Value::Array(audiences) if audiences.len() == 1 => &audiences[0],
        other => other,
    };
    !client_id.is_empty() && only == client_id
}

fn check_times(jwt: &VerifiedJwt, now: Timestamp) -> Result<(), IdTokenError> {
    // 9. It has not expired.
    let expires_at = jwt.date("exp").ok_or(IdTokenError::Expiration)?;
    if expires_at <= now.minus(CLOCK_SKEW) {
        return Err(IdTokenError::Expired);
    }
    // 10. It was issued in the course of this flow.
    let issued_at = jwt.date("iat").ok_or(IdTokenError::IssuedAt)?;
    if issued_at < now.minus(OLDEST) {
        return Err(IdTokenError::Stale);
    }
    if issued_at > now.plus(CLOCK_SKEW) {
        return Err(IdTokenError::Early);
    }
    if expires_at > issued_at.plus(LONGEST_LIFETIME) {
        return Err(IdTokenError::LongLived);
    }
    // RFC 7519 section 4.1.5, which OIDC Core leaves to be.
    match (jwt.claim("nbf"), jwt.date("nbf")) {
        (None, _) => Ok(()),
        (Some(_), Some(not_before)) if not_before <= now.plus(CLOCK_SKEW) => Ok(()),
        (Some(_), _) => Err(IdTokenError::NotBefore),
    }
}

fn informative_text(value: &Value) -> Option<String> {
    let is_usable = |text: &&str| (1..=LONGEST_TEXT).contains(&text.len()) && !text.contains(char::is_control);
    value.as_str().filter(is_usable).map(str::to_owned)
}

/// RFC 8176: a list of texts. A list of which a part would have to be left out counts as absent.
fn methods(value: &Value) -> Option<Vec<String>> {
    let methods = value.as_array()?;
    if methods.len() > MOST_METHODS {
        None
    } else {
        methods.iter().map(informative_text).collect()
    }
}

#[cfg(test)]
mod tests;

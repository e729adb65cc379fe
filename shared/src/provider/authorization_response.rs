//! The authorization response: what the provider sends back through the browser (OIDC Core 3.1.2.5, 3.1.2.6; RFC 9207).

use std::{borrow::Cow, fmt};

use super::discovery::MetadataUnavailable;
use crate::{
    flow::is_base64url,
    http::{
        problem::{ErrorCode, Refusal},
        request::MAX_QUERY_BYTES,
    },
    identity::Issuer,
};

/// The length of a `state`: 256 bits in unpadded base64url.
const STATE_LENGTH: usize = 43;

/// Why a query is no authorization response. Which of its parameters, and never what stood in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedResponse {
    /// Longer than [`MAX_QUERY_BYTES`].
    #[error("the query is longer than {MAX_QUERY_BYTES} bytes")]
    TooLong,
    /// Bytes that no URL has, a percent sign without two hexadecimal digits, or something that is no text behind it.
    #[error("the query is not percent-encoded text")]
    Encoding,
    /// A parameter that may come once came again (RFC 6749 section 3.1).
    #[error("`{0}` is repeated")]
    Repeated(&'static str),
    /// `state` is missing or is not one of ours.
    #[error("`state` is not 43 characters of base64url")]
    State,
    /// There is neither a `code` nor an `error`, or both.
    #[error("there is not exactly one of `code` and `error`")]
    CodeOrError,
    /// `code` has characters that RFC 6749 appendix A.11 does not allow, or none.
    #[error("`code` is not printable ASCII")]
    Code,
}

/// Why a well-formed response earns no code.
#[derive(Debug, thiserror::Error)]
pub enum ResponseRefused {
    /// Whether `iss` must be there is not known.
    #[error("learning whether the provider always sends `iss`")]
    Metadata(#[from] MetadataUnavailable),
    /// The provider says that it always sends `iss`, and here is none.
    #[error("`iss` is missing")]
    IssuerMissing,
    /// `iss` names somebody else: the response is not the provider's that was asked (RFC 9207 section 2.4).
    #[error("`iss` is not the provider's issuer")]
    IssuerMismatch,
    /// `access_denied`: the user declined at the provider.
    #[error("the user declined at the provider")]
    Cancelled,
    /// Any other error.
    #[error("the provider answered with the error {0}")]
    Refused(AuthorizationErrorCode),
}

impl Refusal for ResponseRefused {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Metadata(_) => ErrorCode::ProviderUnavailable,
            Self::IssuerMissing | Self::IssuerMismatch => ErrorCode::IdentityInvalid,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Refused(_) => ErrorCode::ProviderRefused,
        }
    }
}

macro_rules! authorization_error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// The provider's error, as far as it is a registered one: a closed list, so that it can be logged.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum AuthorizationErrorCode {
            $($(#[$doc])* $variant,)*
            /// Whatever else it said.
            Other,
        }

        impl AuthorizationErrorCode {
            fn of(error: &str) -> Self {
                match error {
                    $($code => Self::$variant,)*
                    _ => Self::Other,
                }
            }
        }

        impl fmt::Display for AuthorizationErrorCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $code,)*
                    Self::Other => "(unregistered)",
                })
            }
        }
    };
}

// RFC 6749 section 4.1.2.1 and OIDC Core 3.1.2.6; `access_denied` has an outcome of its own.
authorization_error_codes! {
    /// The user must choose an account.
    AccountSelectionRequired = "account_selection_required",
    /// The user must consent.
    ConsentRequired = "consent_required",
    /// The user must do something.
    InteractionRequired = "interaction_required",
    /// The request is malformed.
    InvalidRequest = "invalid_request",
    /// The scope is malformed or unknown.
    InvalidScope = "invalid_scope",
    /// The user must sign in.
    LoginRequired = "login_required",
    /// The provider failed.
    ServerError = "server_error",
    /// The provider is overloaded or in maintenance.
    TemporarilyUnavailable = "temporarily_unavailable",
    /// This client may not ask for a code.
    UnauthorizedClient = "unauthorized_client",
    /// The provider does not do the code flow.
    UnsupportedResponseType = "unsupported_response_type",
}

/// An authorization code that came with a response that was accepted. Redeemed at most once, as it is handed over by value.
pub struct AuthorizationCode(String);

impl AuthorizationCode {
    /// The code, for the token endpoint alone.
    pub(super) fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizationCode(…)")
    }
}

/// A well-formed response, of which nothing but its form is known yet: look its flow up by [`state`](Self::state), then
/// [`accept`](Self::accept) it.
pub struct AuthorizationResponse {
    state: String,
    issuer: Option<String>,
    answer: Answer,
}

enum Answer {
    Code(String),
    Error(String),
}

impl AuthorizationResponse {
    /// Parses the raw query of the callback, without its `?`.
    pub fn parse(query: &str) -> Result<Self, MalformedResponse> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(MalformedResponse::TooLong);
        }
        let [
            mut state,
            mut code,
            mut error,
            mut iss,
            mut error_description,
            mut error_uri,
        ] = [const { None }; 6];
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            let (name, slot) = match name.as_ref() {
                "state" => ("state", &mut state),
                "code" => ("code", &mut code),
                "error" => ("error", &mut error),
                "iss" => ("iss", &mut iss),
                "error_description" => ("error_description", &mut error_description),
                "error_uri" => ("error_uri", &mut error_uri),
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(MalformedResponse::Repeated(name));
            }
        }
        let state = state
            .filter(|state| state.len() == STATE_LENGTH && state.bytes().all(is_base64url))
            .ok_or(MalformedResponse::State)?;
        let answer = match (code, error) {
            (Some(code), None) if code.is_empty() || !code.bytes().all(|byte| (0x20..=0x7E).contains(&byte)) => {
                return Err(MalformedResponse::Code);
            }
            (Some(code), None) => Answer::Code(code),
            (None, Some(error)) => Answer::Error(error),
            (Some(_), Some(_)) | (None, None) => return Err(MalformedResponse::CodeOrError),
        };
        Ok(Self {
            state,
            issuer: iss,
            answer,
        })
    }

    /// The `state`: 43 characters of base64url, and nothing more is known of it.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The code, when the response is `expected`'s (RFC 9207 section 2.4, which an error response must pass too) and no error.
    pub fn accept(self, expected: &Issuer, requires_iss: bool) -> Result<AuthorizationCode, ResponseRefused> {
        match self.issuer {
            Some(issuer) if issuer != expected.as_str() => return Err(ResponseRefused::IssuerMismatch),
            None if requires_iss => return Err(ResponseRefused::IssuerMissing),
            Some(_) | None => {}
        }
        match self.answer {
            Answer::Code(code) => Ok(AuthorizationCode(code)),
            Answer::Error(error) if error == "access_denied" => Err(ResponseRefused::Cancelled),
            Answer::Error(error) => Err(ResponseRefused::Refused(AuthorizationErrorCode::of(&error))),
        }
    }
}

impl fmt::Debug for AuthorizationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizationResponse(…)")
    }
}

/// Decodes `application/x-www-form-urlencoded` text, strictly: what is not exactly that is refused rather than mended, so that no
/// two readers of it can differ.
fn decode(text: &str) -> Result<Cow<'_, str>, MalformedResponse> {
    if !text.bytes().all(|byte| (0x21..=0x7E).contains(&byte)) {
        return Err(MalformedResponse::Encoding);
    }
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let digit = char::from(bytes.next()?).to_digit(16)?;
                    u8::try_from(digit).ok()
                };
                let (high, low) = digit().zip(digit()).ok_or(MalformedResponse::Encoding)?;
                high << 4 | low
            }
            other => other,
        });
    }
    let decoded = String::from_utf8(decoded).map_err(|_| MalformedResponse::Encoding)?;
    if decoded.contains(char::is_control) {
        return Err(MalformedResponse::Encoding);
    }
    Ok(Cow::Owned(decoded))
}

#[cfg(test)]
mod tests;

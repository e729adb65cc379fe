//! The token request: a code becomes an ID token (OIDC Core 3.1.3, RFC 6749 section 4.1.3, RFC 7636 section 4.5).

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{client_authentication::ClientAuthenticationError, discovery::MetadataUnavailable};
use crate::{
    http::problem::{ErrorCode, Refusal},
    outbound::OutboundError,
};

/// An ID token as it came: nothing of it is verified, and it does not print.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnverifiedIdToken(String);

impl UnverifiedIdToken {
    /// The token, for verification alone.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UnverifiedIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedIdToken(…)")
    }
}

/// The provider's error, as far as it is a registered one: a closed list, so that it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorAnswer {
    /// `invalid_client`: it does not believe who we are.
    InvalidClient,
    /// `invalid_grant`: the code is not, or no longer, good.
    InvalidGrant,
    /// `invalid_request`: a parameter is missing or wrong.
    InvalidRequest,
    /// `invalid_scope`: the scope is malformed or unknown.
    InvalidScope,
    /// `unauthorized_client`: this client may not do this.
    UnauthorizedClient,
    /// `unsupported_grant_type`: it does not redeem codes.
    UnsupportedGrantType,
    /// Whatever else it said.
    Other,
}

impl fmt::Display for ErrorAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::Other => "(unregistered)",
        })
    }
}

/// What is wrong with an answer that is neither a success nor an error of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableAnswer {
    /// A redirect, `429`, 5xx, or any other status that this endpoint does not have.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// It is not the JSON that goes with its status.
    #[error("the answer is not the JSON it must be")]
    Json,
    /// The token answer holds no ID token.
    #[error("the answer has no ID token")]
    NoIdToken,
}

/// Why a code became no ID token.
#[derive(Debug, thiserror::Error)]
pub enum TokenExchangeError {
    /// Too little of the request's time was left for the commit: the code was not sent.
    #[error("too little time is left to redeem the code")]
    TooLate,
    /// Where to redeem it is not known: the code was not sent.
    #[error("learning the provider's endpoints")]
    Metadata(#[from] MetadataUnavailable),
    /// We could not prove who we are: the code was not sent.
    #[error("authenticating to the provider")]
    ClientAuthentication(#[from] ClientAuthenticationError),
    /// The provider did not answer, or not in time or within the bounds. The code may be spent.
    #[error("redeeming the code")]
    Unreachable(#[source] OutboundError),
    /// The provider refused (RFC 6749 section 5.2).
    #[error("redeeming the code: the provider answered with the error {0}")]
    Refused(ErrorAnswer),
    /// The answer is neither a token answer nor an error.
    #[error("redeeming the code: {0}")]
    Unusable(UnusableAnswer),
}

impl Refusal for TokenExchangeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLate => ErrorCode::TemporarilyUnavailable,
            Self::Refused(_) => ErrorCode::ProviderRefused,
            Self::Metadata(_) | Self::Unreachable(_) | Self::Unusable(_) => ErrorCode::ProviderUnavailable,
            Self::ClientAuthentication(_) => ErrorCode::InternalError,
        }
    }
}

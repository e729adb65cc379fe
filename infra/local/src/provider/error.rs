//! The errors of the protocols, as clients are told them.

use account_linking::clock::NoRandomness;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::site::{self, Response, Unreadable};

/// An error of RFC 6749, RFC 9126 or OIDC Core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProtocolError {
    AccessDenied,
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    LoginRequired,
    RequestNotSupported,
    ServerError,
    UnsupportedGrantType,
    UnsupportedResponseType,
}

impl ProtocolError {
    /// The `error` parameter or member.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::LoginRequired => "login_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::ServerError => "server_error",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    /// The answer of an endpoint that clients call directly (RFC 6749 section 5.2).
    pub(super) fn respond(self) -> Response {
        let status = match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::AccessDenied
            | Self::InvalidGrant
            | Self::InvalidRequest
            | Self::InvalidScope
            | Self::LoginRequired
            | Self::RequestNotSupported
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType => StatusCode::BAD_REQUEST,
        };
        let mut response = site::json(status, &json!({"error": self.as_str()}));
        if self == Self::InvalidClient {
            let challenge = HeaderValue::from_static(r#"Basic realm="token""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<Unreadable> for ProtocolError {
    fn from(_: Unreadable) -> Self {
        Self::InvalidRequest
    }
}

impl From<NoRandomness> for ProtocolError {
    fn from(_: NoRandomness) -> Self {
        Self::ServerError
    }
}

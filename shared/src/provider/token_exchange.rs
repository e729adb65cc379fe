//! The token request: a code becomes an ID token (OIDC Core 3.1.3, RFC 6749 section 4.1.3, RFC 7636 section 4.5).

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use http::StatusCode;
use oauth2::{
    AsyncHttpClient, AuthType, AuthorizationCode as OAuthCode, Client, ClientId, EndpointNotSet, ExtraTokenFields,
    HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RequestTokenError, StandardRevocableToken,
    StandardTokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
        BasicTokenType,
    },
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    authorization_response::AuthorizationCode,
    client_authentication::{AuthenticatedCall, ClientAuthenticationError, ClientCredentials, JWT_BEARER},
    discovery::MetadataUnavailable,
};
use crate::{
    flow::FlowSecret,
    http::problem::{ErrorCode, Refusal},
    jose::RemoteKeySet,
    outbound::{Bounds, HttpClient, OutboundError},
};

/// The longest answer that is read (contract section 9).
pub(super) const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// An ID token as it came, and where the keys are that must have signed it. Nothing of it is verified, and it does not print.
pub struct UnverifiedIdToken {
    pub(super) token: String,
    pub(super) keys: Arc<RemoteKeySet>,
}

impl fmt::Debug for UnverifiedIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedIdToken(…)")
    }
}

/// The provider's error, as far as it is a registered one: a closed list, so that it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorResponse {
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

impl From<&BasicErrorResponseType> for ErrorResponse {
    fn from(error: &BasicErrorResponseType) -> Self {
        match error {
            BasicErrorResponseType::InvalidClient => Self::InvalidClient,
            BasicErrorResponseType::InvalidGrant => Self::InvalidGrant,
            BasicErrorResponseType::InvalidRequest => Self::InvalidRequest,
            BasicErrorResponseType::InvalidScope => Self::InvalidScope,
            BasicErrorResponseType::UnauthorizedClient => Self::UnauthorizedClient,
            BasicErrorResponseType::UnsupportedGrantType => Self::UnsupportedGrantType,
            BasicErrorResponseType::Extension(_) => Self::Other,
        }
    }
}

impl fmt::Display for ErrorResponse {
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

/// What is wrong with an answer that is neither a successful nor an error response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableResponse {
    /// A redirect, `429`, 5xx, or any other status that says nothing about the request.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// It is not the JSON that goes with its status.
    #[error("the answer is {0} without the JSON that goes with it")]
    Json(StatusCode),
    /// The token response holds no ID token.
    #[error("the answer has no ID token")]
    NoIdToken,
}

/// Whether an answer of this status may be an error of the protocol: any 4xx but `429` (contract section 5).
pub(super) fn is_error_status(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS
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
    Refused(ErrorResponse),
    /// The answer is neither a token response nor an error response.
    #[error("redeeming the code: {0}")]
    Unusable(UnusableResponse),
}

impl Refusal for TokenExchangeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLate => ErrorCode::TemporarilyUnavailable,
            Self::Refused(_) => ErrorCode::ProviderRefused,
            Self::Metadata(_) | Self::Unreachable(_) | Self::Unusable(_) => ErrorCode::ProviderUnavailable,
            Self::ClientAuthentication(error) => error.code(),
        }
    }
}

/// What OpenID Connect adds to a token answer (OIDC Core 3.1.3.3). The access token and a refresh token, should one come, are dropped
/// with the rest of the answer.
#[derive(Deserialize, Serialize)]
struct IdTokenField {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

impl fmt::Debug for IdTokenField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdTokenField(…)")
    }
}

type TokenClient = Client<
    BasicErrorResponse,
    StandardTokenResponse<IdTokenField, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
>;

/// Redeems `code` at `endpoint` and gives the ID token. Sent once; whatever happens, never again: a second try would look like theft
/// to the provider (RFC 6749 section 4.1.2).
pub(super) async fn redeem(
    call: AuthenticatedCall<'_>,
    endpoint: &Url,
    redirect_uri: &RedirectUrl,
    code: AuthorizationCode,
    code_verifier: &FlowSecret,
) -> Result<String, TokenExchangeError> {
    let mut client = TokenClient::new(ClientId::new(call.client_id.to_owned()))
        .set_token_uri(TokenUrl::from_url(endpoint.clone()))
        .set_redirect_uri(redirect_uri.clone())
        .set_auth_type(AuthType::RequestBody);
    let mut assertion = None;
    match call.credentials {
        ClientCredentials::None => {}
        ClientCredentials::Basic(secret) => {
            client = client.set_auth_type(AuthType::BasicAuth).set_client_secret(secret);
        }
        ClientCredentials::Post(secret) => client = client.set_client_secret(secret),
        ClientCredentials::Assertion(jwt) => assertion = Some(jwt),
    }
    let mut request = client
        .exchange_code(OAuthCode::new(code.reveal()))
        .set_pkce_verifier(PkceCodeVerifier::new(code_verifier.reveal()));
    if let Some(jwt) = assertion {
        request = request
            .add_extra_param("client_assertion_type", JWT_BEARER)
            .add_extra_param("client_assertion", jwt);
    }
    let bounds = Bounds {
        max_bytes: MAX_ANSWER_BYTES,
        timeout: call.timeout,
    };
    let http = TokenEndpoint {
        client: call.client,
        bounds,
        status: OnceLock::new(),
    };
    match request.request_async(&http).await {
        Ok(answer) => {
            let id_token = answer.extra_fields().id_token.clone();
            id_token.ok_or(TokenExchangeError::Unusable(UnusableResponse::NoIdToken))
        }
        Err(RequestTokenError::Request(error)) => Err(error),
        Err(RequestTokenError::ServerResponse(error)) => Err(TokenExchangeError::Refused(error.error().into())),
        // What could not be parsed may hold tokens: nothing of it goes on.
        Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => {
            let status = http.status.get().copied().unwrap_or_default();
            Err(TokenExchangeError::Unusable(UnusableResponse::Json(status)))
        }
    }
}

/// Our HTTP client as `oauth2` wants it. Only what may be a token answer or an error of the protocol gets through to be parsed.
struct TokenEndpoint<'a> {
    client: &'a HttpClient,
    bounds: Bounds,
    status: OnceLock<StatusCode>,
}

impl<'c> AsyncHttpClient<'c> for TokenEndpoint<'_> {
    type Error = TokenExchangeError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TokenExchangeError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self
                .client
                .send(request, self.bounds)
                .await
                .map_err(TokenExchangeError::Unreachable)?;
            let status = *self.status.get_or_init(|| answer.status());
            if status == StatusCode::OK || is_error_status(status) {
                Ok(answer)
            } else {
                Err(TokenExchangeError::Unusable(UnusableResponse::Status(status)))
            }
        })
    }
}

#[cfg(test)]
mod tests;

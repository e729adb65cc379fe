//! The authorization request: where the browser is sent (OIDC Core 3.1.2.1, RFC 7636, RFC 9126).

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    basic::{BasicClient, BasicErrorResponse},
};
use serde::Deserialize;
use url::Url;

use super::{
    client_authentication::{AuthenticatedCall, ClientAuthenticationError},
    discovery::{MetadataUnavailable, ProviderMetadata, uri},
    token_exchange::{ErrorResponse, MAX_ANSWER_BYTES, UnusableResponse, is_error_status},
};
use crate::{
    flow::Flow,
    http::problem::{ErrorCode, Refusal},
    outbound::{Bounds, OutboundError},
};

/// The longest `request_uri` that is sent on.
const MAX_REQUEST_URI_BYTES: usize = 1024;

/// What the user came for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Intent {
    /// To sign in with the account there is.
    #[default]
    SignIn,
    /// To create one (Initiating User Registration via OpenID Connect 1.0).
    Create,
}

/// Which of the user's accounts at the provider is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountChoice {
    /// Whichever is signed in.
    #[default]
    Any,
    /// The one the user chooses when the provider asks.
    Choose,
}

/// A language for the provider's pages: a BCP 47 tag of at most 35 characters, `fr-CA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UiLocale(String);

impl UiLocale {
    /// Parses a tag: letters first, then subtags of letters and digits (RFC 5646 section 2.1, without asking whether they are
    /// registered).
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let is_subtag =
            |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let language = tag.split('-').next().unwrap_or_default();
        let is_tag =
            tag.len() <= 35 && language.bytes().all(|byte| byte.is_ascii_alphabetic()) && tag.split('-').all(is_subtag);
        is_tag.then(|| Self(tag.to_owned()))
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the user asks for: all that a caller has a say in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChoice {
    /// Sign in, or create an account.
    pub intent: Intent,
    /// Any account, or one to choose.
    pub account: AccountChoice,
    /// In which language.
    pub ui_locale: Option<UiLocale>,
}

/// Why there is no authorization request to send the browser off with.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationRequestError {
    /// Where to send the browser is not known.
    #[error("preparing the authorization request")]
    Metadata(#[from] MetadataUnavailable),
    /// The request could not be pushed, since we could not prove who we are.
    #[error("authenticating to the provider")]
    ClientAuthentication(#[from] ClientAuthenticationError),
    /// The provider did not answer the pushed request.
    #[error("pushing the authorization request")]
    Unreachable(#[source] OutboundError),
    /// The provider refused the pushed request (RFC 9126 section 2.3).
    #[error("pushing the authorization request: the provider answered with the error {0}")]
    Refused(ErrorResponse),
    /// The answer to the pushed request is neither a `request_uri` nor an error.
    #[error("pushing the authorization request: {0}")]
    Unusable(UnusableResponse),
}

impl Refusal for AuthorizationRequestError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(_) => ErrorCode::ProviderRefused,
            Self::Metadata(_) | Self::Unreachable(_) | Self::Unusable(_) => ErrorCode::ProviderUnavailable,
            Self::ClientAuthentication(error) => error.code(),
        }
    }
}

/// The authorization request of `flow`, by value: everything that the provider is told, in the URL of its authorization endpoint.
pub(super) fn by_value(
    metadata: &ProviderMetadata,
    client_id: &str,
    redirect_uri: &RedirectUrl,
    flow: &Flow,
    choice: &UserChoice,
) -> Url {
    let verifier = PkceCodeVerifier::new(flow.code_verifier.reveal());
    let client = BasicClient::new(ClientId::new(client_id.to_owned()))
        .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.clone()))
        .set_redirect_uri(redirect_uri.clone());
    let mut request = client
        .authorize_url(|| CsrfToken::new(flow.state.reveal()))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_scope(Scope::new("openid".to_owned()))
        .add_scope(Scope::new("email".to_owned()))
        .add_extra_param("nonce", flow.nonce.reveal());
    if let Some(prompt) = prompt(choice, metadata.prompt_create) {
        request = request.add_extra_param("prompt", prompt);
    }
    if let Some(ui_locale) = &choice.ui_locale {
        request = request.add_extra_param("ui_locales", ui_locale.as_str());
    }
    request.url().0
}

fn prompt(choice: &UserChoice, prompt_create: bool) -> Option<&'static str> {
    match (choice.intent, choice.account) {
        (Intent::Create, _) if prompt_create => Some("create"),
        (Intent::Create | Intent::SignIn, AccountChoice::Choose) => Some("select_account"),
        (Intent::Create | Intent::SignIn, AccountChoice::Any) => None,
    }
}

/// The same request by reference: its parameters are pushed to `endpoint`, and the URL carries the reference (RFC 9126).
pub(super) async fn by_reference(
    call: &AuthenticatedCall<'_>,
    endpoint: &Url,
    authorization_endpoint: &Url,
    by_value: &Url,
) -> Result<Url, AuthorizationRequestError> {
    let request = pushed_request(call, endpoint, authorization_endpoint, by_value);
    let bounds = Bounds {
        max_bytes: MAX_ANSWER_BYTES,
        timeout: call.timeout,
    };
    let answer = call
        .client
        .send(request, bounds)
        .await
        .map_err(AuthorizationRequestError::Unreachable)?;
    let request_uri = read_answer(&answer)?;
    let mut url = authorization_endpoint.clone();
    url.query_pairs_mut()
        .append_pair("client_id", call.client_id)
        .append_pair("request_uri", &request_uri);
    Ok(url)
}

/// The pushed request (RFC 9126 section 2.1).
fn pushed_request(
    call: &AuthenticatedCall<'_>,
    endpoint: &Url,
    authorization_endpoint: &Url,
    by_value: &Url,
) -> Request<Vec<u8>> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    // What the endpoint's own URL has for a query is no parameter of the request.
    form.extend_pairs(
        by_value
            .query_pairs()
            .skip(authorization_endpoint.query_pairs().count()),
    );
    let mut request = Request::new(Vec::new());
    call.credentials.apply(call.client_id, &mut form, request.headers_mut());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri(endpoint);
    *request.body_mut() = form.finish().into_bytes();
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    request
}

/// The `request_uri` of a successful answer (RFC 9126 section 2.2).
fn read_answer(answer: &Response<Vec<u8>>) -> Result<String, AuthorizationRequestError> {
    #[derive(Deserialize)]
    struct Answer {
        request_uri: String,
        expires_in: u64,
    }
    let status = answer.status();
    let unusable = AuthorizationRequestError::Unusable;
    if status == StatusCode::CREATED {
        let is_usable = |answer: &Answer| {
            answer.expires_in > 0
                && (1..=MAX_REQUEST_URI_BYTES).contains(&answer.request_uri.len())
                && answer.request_uri.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let answer = serde_json::from_slice(answer.body()).ok().filter(is_usable);
        return answer
            .map(|answer| answer.request_uri)
            .ok_or(unusable(UnusableResponse::Json(status)));
    }
    if !is_error_status(status) {
        return Err(unusable(UnusableResponse::Status(status)));
    }
    Err(match serde_json::from_slice::<BasicErrorResponse>(answer.body()) {
        Ok(error) => AuthorizationRequestError::Refused(error.error().into()),
        Err(_) => unusable(UnusableResponse::Json(status)),
    })
}

#[cfg(test)]
mod tests;

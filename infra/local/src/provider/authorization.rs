//! The authorization endpoint (OIDC Core 3.1.2) and its back door for clients, pushed authorization requests (RFC 9126).

use std::time::Duration;

use account_linking::{
    clock::{NoRandomness, Timestamp},
    flow::is_base64url,
};
use http::{Method, StatusCode};
use serde_json::json;

use super::{Provider, Session, client::Client, error::ProtocolError, unguessable};
use crate::site::{self, Language, Parameters, Request, Response};

/// How long a pushed request waits for its browser.
pub(super) const PUSHED_REQUEST_LIFETIME: Duration = Duration::from_mins(1);

const REQUEST_URI_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// What the client wants the person asked (OIDC Core 3.1.2.1 and Initiating User Registration 1.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// Only what is necessary.
    Unspecified,
    None,
    Login,
    SelectAccount,
    Create,
}

impl Prompt {
    pub(super) const SUPPORTED: [&'static str; 4] = ["none", "login", "select_account", "create"];

    /// The strongest of the wishes; `none` stands alone.
    fn parse(values: &str) -> Option<Self> {
        let values: Vec<&str> = values.split(' ').collect();
        if values == ["none"] {
            return Some(Self::None);
        }
        values.into_iter().try_fold(Self::Unspecified, |strongest, value| {
            Some(match (strongest, value) {
                (_, "create") | (Self::Create, "login" | "select_account") => Self::Create,
                (_, "login") | (Self::Login, "select_account") => Self::Login,
                (_, "select_account") => Self::SelectAccount,
                _ => return None,
            })
        })
    }
}

/// Where an answer goes, and the `state` it carries.
#[derive(Clone, Debug)]
pub(super) struct ReturnAddress {
    pub(super) redirect_uri: String,
    state: Option<String>,
}

/// A request that passed every check.
#[derive(Clone, Debug)]
pub(super) struct AuthorizationRequest {
    pub(super) return_address: ReturnAddress,
    pub(super) prompt: Prompt,
    pub(super) language: Option<Language>,
    max_age: Option<Duration>,
    /// RFC 7636 section 4.2, always `S256`.
    pub(super) code_challenge: String,
    pub(super) nonce: Option<String>,
    /// Whether the scope has `email`.
    pub(super) email: bool,
}

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refused {
    /// Without a client and a redirection URI that belong together nobody is told but the person (RFC 6749 section 4.1.2.1).
    Here,
    /// The client is told.
    AtClient(ReturnAddress, ProtocolError),
}

impl AuthorizationRequest {
    /// Checks a request of `client`.
    fn parse(parameters: &Parameters, client: &Client) -> Result<Self, Refused> {
        let redirect_uri = parameters.find("redirect_uri").ok_or(Refused::Here)?;
        // RFC 9700 section 2.1: exactly the registered one.
        if parameters.find("client_id") != Some(&client.id) || redirect_uri != client.redirect_uri {
            return Err(Refused::Here);
        }
        let return_address = ReturnAddress {
            redirect_uri: redirect_uri.to_owned(),
            state: parameters.find("state").map(str::to_owned),
        };
        Self::parse_for(return_address.clone(), parameters).map_err(|error| Refused::AtClient(return_address, error))
    }

    fn parse_for(return_address: ReturnAddress, parameters: &Parameters) -> Result<Self, ProtocolError> {
        if parameters.find("request").is_some() {
            return Err(ProtocolError::RequestNotSupported);
        }
        match parameters.find("response_type") {
            Some("code") => {}
            Some(_) => return Err(ProtocolError::UnsupportedResponseType),
            None => return Err(ProtocolError::InvalidRequest),
        }
        if parameters.find("response_mode").is_some_and(|mode| mode != "query") {
            return Err(ProtocolError::InvalidRequest);
        }
        let has_scope = |name| {
            parameters
                .find("scope")
                .is_some_and(|scope| scope.split(' ').any(|one| one == name))
        };
        if !has_scope("openid") {
            return Err(ProtocolError::InvalidScope);
        }
        let is_s256 = parameters.find("code_challenge_method") == Some("S256");
        let code_challenge = parameters
            .find("code_challenge")
            .filter(|challenge| is_s256 && challenge.len() == 43 && challenge.bytes().all(is_base64url))
            .ok_or(ProtocolError::InvalidRequest)?;
        let prompt = parameters
            .find("prompt")
            .map_or(Some(Prompt::Unspecified), Prompt::parse)
            .ok_or(ProtocolError::InvalidRequest)?;
        let max_age = parameters.find("max_age").map(str::parse).transpose();
        Ok(Self {
            return_address,
            prompt,
            language: parameters.find("ui_locales").and_then(first_of_ours),
            max_age: max_age
                .map_err(|_| ProtocolError::InvalidRequest)?
                .map(Duration::from_secs),
            code_challenge: code_challenge.to_owned(),
            nonce: parameters.find("nonce").map(str::to_owned),
            email: has_scope("email"),
        })
    }

    /// Whether a proof of `auth_time` is too old for the client (`max_age`).
    pub(super) fn finds_too_old(&self, auth_time: Timestamp, now: Timestamp) -> bool {
        self.max_age.is_some_and(|max_age| auth_time.plus(max_age) < now)
    }
}

/// The first language of ours among `tags`, most wanted first and divided by spaces (`ui_locales`, OIDC Core 3.1.2.1).
fn first_of_ours(tags: &str) -> Option<Language> {
    tags.split(' ').find_map(Language::of_tag)
}

impl Provider {
    /// The authorization endpoint.
    pub(super) fn authorize(&self, http_request: &Request) -> Response {
        let language = http_request.accepted_language();
        // OIDC Core 3.1.2.1 asks for both methods.
        let parameters = match http_request.method {
            Method::POST => http_request.form(),
            _ => http_request.query(),
        };
        let Ok(parameters) = parameters else {
            return self.refusal_page(language);
        };
        let request = match self.authorization_request(&parameters) {
            Ok(request) => request,
            Err(Refused::Here) => return self.refusal_page(language),
            Err(Refused::AtClient(return_address, error)) => return self.answer(&return_address, Err(error)),
        };
        let session = self.session(http_request);
        match self.proceed(request, session) {
            Ok(response) => response,
            Err(NoRandomness) => site::status_only(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Takes a pushed request (RFC 9126 section 2).
    pub(super) fn push(&self, http_request: &Request) -> Result<Response, ProtocolError> {
        let parameters = http_request.form()?;
        self.client.authenticate(http_request, &parameters)?;
        if parameters.find("request_uri").is_some() {
            return Err(ProtocolError::InvalidRequest);
        }
        let request = AuthorizationRequest::parse(&parameters, &self.client).map_err(|refused| match refused {
            Refused::Here => ProtocolError::InvalidRequest,
            Refused::AtClient(_, error) => error,
        })?;
        let name = unguessable(&*self.random)?;
        let request_uri = format!("{REQUEST_URI_PREFIX}{name}");
        self.memory().pushed_requests.insert(name, request, self.clock.now());
        let body = json!({"request_uri": request_uri, "expires_in": PUSHED_REQUEST_LIFETIME.as_secs()});
        Ok(site::json(StatusCode::CREATED, &body))
    }

    /// The request that a browser brings, or that its `request_uri` stands for. Each of those serves once.
    fn authorization_request(&self, parameters: &Parameters) -> Result<AuthorizationRequest, Refused> {
        let Some(request_uri) = parameters.find("request_uri") else {
            return AuthorizationRequest::parse(parameters, &self.client);
        };
        if parameters.find("client_id") != Some(&self.client.id) {
            return Err(Refused::Here);
        }
        let name = request_uri.strip_prefix(REQUEST_URI_PREFIX).ok_or(Refused::Here)?;
        self.memory()
            .pushed_requests
            .take(name, self.clock.now())
            .ok_or(Refused::Here)
    }

    /// Answers at once whoever is signed in and need not be asked; shows everybody else a page.
    fn proceed(&self, request: AuthorizationRequest, session: Option<Session>) -> Result<Response, NoRandomness> {
        let now = self.clock.now();
        let sufficient = session.filter(|session| !request.finds_too_old(session.auth_time, now));
        match (request.prompt, sufficient) {
            (Prompt::None | Prompt::Unspecified, Some(session)) => self.grant(request, session),
            (Prompt::None, None) => Ok(self.answer(&request.return_address, Err(ProtocolError::LoginRequired))),
            (Prompt::Create, _) => Ok(site::redirect(&format!(
                "/create-account?interaction={}",
                self.interact(request)?
            ))),
            (Prompt::Unspecified | Prompt::Login | Prompt::SelectAccount, _) => Ok(site::redirect(&format!(
                "/sign-in?interaction={}",
                self.interact(request)?
            ))),
        }
    }

    fn interact(&self, request: AuthorizationRequest) -> Result<String, NoRandomness> {
        let name = unguessable(&*self.random)?;
        self.memory()
            .interactions
            .insert(name.clone(), request, self.clock.now());
        Ok(name)
    }

    /// Sends the browser back with a code for `session`'s person.
    pub(super) fn grant(&self, request: AuthorizationRequest, session: Session) -> Result<Response, NoRandomness> {
        let code = unguessable(&*self.random)?;
        let response = self.answer(&request.return_address, Ok(&code));
        self.memory().codes.insert(code, (request, session), self.clock.now());
        Ok(response)
    }

    /// An authorization response: `code` or `error`, the client's `state`, and who answers (RFC 9207).
    pub(super) fn answer(&self, to: &ReturnAddress, answer: Result<&str, ProtocolError>) -> Response {
        let mut query = form_urlencoded::Serializer::new(String::new());
        match answer {
            Ok(code) => query.append_pair("code", code),
            Err(error) => query.append_pair("error", error.as_str()),
        };
        query.append_pair("iss", &self.issuer);
        if let Some(state) = &to.state {
            query.append_pair("state", state);
        }
        site::redirect(&format!("{}?{}", to.redirect_uri, query.finish()))
    }
}

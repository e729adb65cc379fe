//! One request and its answer: what a handler has learned so far decides where a refusal leads and what the log says.

use http::Response;

use super::{
    answer,
    problem::{ErrorCode, Refusal},
    request::Request,
};
use crate::{
    clock::Timestamp,
    config::Site,
    flow::{FlowId, ReturnTarget},
    identity::ProviderId,
    telemetry::{self, Level, Record},
};

/// How a caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A browser that navigates: it gets redirects and pages.
    Navigation,
    /// A script or a server: it gets problem documents.
    Client,
}

impl Audience {
    /// Read from `Accept`: who takes HTML navigates.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        if request.accepts("text/html") {
            Self::Navigation
        } else {
            Self::Client
        }
    }
}

/// A handler's good answer and its name in the log.
#[derive(Debug)]
pub struct Answer {
    /// What happened, in a word.
    pub outcome: &'static str,
    /// What the caller gets.
    pub response: Response<String>,
}

impl Answer {
    /// `response`, because of `outcome`.
    #[must_use]
    pub const fn new(outcome: &'static str, response: Response<String>) -> Self {
        Self { outcome, response }
    }
}

/// Where the browser of a navigation ends up when the request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The page the user wanted to come back to; by way of the sign-in page when nobody is signed in.
    Page(ReturnTarget),
    /// The sign-in page itself: there is no session yet, and the page says what went wrong.
    SignIn,
}

/// One request on its way to its answer.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The request.
    pub request: &'a Request,
    /// How its answer is wanted.
    pub audience: Audience,
    /// The provider, once the path was found to name one.
    pub provider: Option<ProviderId>,
    /// Where a refusal leads.
    pub destination: Destination,
    /// The flow, once one was opened.
    pub flow: Option<FlowId>,
    /// The `Set-Cookie`s that the answer carries, whatever it will be.
    pub set_cookies: Vec<String>,
    /// Whether the same request may succeed later: then a failure of ours is a page that says "reload", not a redirect away.
    pub reload_may_help: bool,
    function: &'static str,
    site: &'a Site,
    received_at: Timestamp,
}

impl<'a> Exchange<'a> {
    /// Begins with what every request has.
    #[must_use]
    pub fn begin(
        function: &'static str,
        site: &'a Site,
        request: &'a Request,
        audience: Audience,
        now: Timestamp,
    ) -> Self {
        Self {
            request,
            audience,
            provider: None,
            destination: Destination::Page(ReturnTarget::Settings),
            flow: None,
            set_cookies: Vec::new(),
            reload_may_help: false,
            function,
            site,
            received_at: now,
        }
    }

    /// Answers, and logs what became of the request.
    #[must_use]
    pub fn finish<E: Refusal>(self, result: Result<Answer, E>, now: Timestamp) -> Response<String> {
        let (outcome, level, cause, mut response) = match result {
            Ok(Answer { outcome, response }) => (outcome, Level::Info, None, response),
            Err(error) => {
                let code = error.code();
                let level = if code.status().is_server_error() {
                    Level::Error
                } else {
                    Level::Warn
                };
                (
                    code.as_str(),
                    level,
                    Some(telemetry::cause_of(&error)),
                    self.refusal(code),
                )
            }
        };
        for cookie in &self.set_cookies {
            answer::set_cookie(&mut response, cookie);
        }
        Record {
            timestamp: now,
            level,
            function: self.function,
            outcome,
            status: response.status().as_u16(),
            request_id: &self.request.id,
            provider_id: self.provider.as_ref().map(ProviderId::as_str),
            flow_id: self.flow,
            duration_ms: now.unix_ms().abs_diff(self.received_at.unix_ms()),
            cause,
        }
        .write();
        answer::secured(self.site, response)
    }

    /// The answer to a request that is refused with `code` (contract section 5).
    fn refusal(&self, code: ErrorCode) -> Response<String> {
        let failure_of_ours = matches!(code, ErrorCode::TemporarilyUnavailable | ErrorCode::InternalError);
        if self.audience == Audience::Client {
            return answer::problem(self.site, self.request, code);
        }
        if code.has_own_page() || (failure_of_ours && self.reload_may_help) {
            return answer::error_page(self.site, self.request, code);
        }
        let provider = self.provider.as_ref().map_or("", ProviderId::as_str);
        let location = match (self.destination, code) {
            (Destination::SignIn, code) => answer::back_to_sign_in(self.site, code.as_str(), provider),
            (Destination::Page(target), ErrorCode::SessionRequired) => answer::sign_in_and_return(self.site, target),
            (Destination::Page(target), ErrorCode::ReauthenticationRequired) => {
                answer::reauthenticate(self.site, target)
            }
            (Destination::Page(target), code) => answer::back_to(self.site, target, code.as_str(), provider),
        };
        answer::see_other(&location)
    }
}

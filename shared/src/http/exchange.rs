//! One request and its answer: what a handler has learned so far decides where a refusal leads and what the log says.

use std::{future::Future, time::Duration};

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
    waited_for_provider: Duration,
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
            waited_for_provider: Duration::ZERO,
        }
    }

    /// Awaits `call`, which asks the provider, and counts the time it takes.
    pub async fn waiting_for_provider<T>(&mut self, call: impl Future<Output = T>) -> T {
        let before = self.request.deadline.left();
        let answer = call.await;
        self.waited_for_provider += before.saturating_sub(self.request.deadline.left());
        answer
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
        let invocation = &self.request.invocation;
        let waited_ms = u64::try_from(self.waited_for_provider.as_millis()).unwrap_or(u64::MAX);
        Record {
            timestamp: now,
            level,
            function: self.function,
            function_name: invocation.function_name.as_deref().unwrap_or(self.function),
            outcome,
            status: response.status().as_u16(),
            request_id: &self.request.id,
            trace_id: invocation.trace_id.as_ref(),
            provider_id: self.provider.as_ref().map(ProviderId::as_str),
            flow_id: self.flow,
            duration_ms: now.unix_ms().abs_diff(self.received_at.unix_ms()),
            provider_ms: Some(waited_ms).filter(|waited| *waited > 0), // what was at hand took no time
            cold_start: invocation.cold_start,
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
            (Destination::SignIn, code) => answer::refused_to(&self.site.sign_in, code, provider, self.request),
            (Destination::Page(target), ErrorCode::SessionRequired) => answer::sign_in_and_return(self.site, target),
            (Destination::Page(target), ErrorCode::ReauthenticationRequired) => {
                answer::reauthenticate(self.site, target)
            }
            (Destination::Page(target), code) => {
                answer::refused_to(self.site.page(target), code, provider, self.request)
            }
        };
        answer::see_other(&location)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Method;

    use super::*;
    use crate::config::{Environment, Reader};

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_the_provider_adds_up_and_nothing_else_does() {
        let mut environment = Environment::default();
        environment.set("PUBLIC_ORIGIN", "https://accounts.example");
        environment.set("SETTINGS_URL", "https://accounts.example/user");
        environment.set("SIGN_IN_URL", "https://accounts.example/sign-in");
        let site = Site::read(&mut Reader::new(&environment)).unwrap();
        let request = Request::from_parts(
            Method::GET,
            String::new(),
            String::new(),
            http::HeaderMap::new(),
            Vec::new(),
            "id".to_owned(),
        );
        let now = Timestamp::from_unix_ms(0);
        let mut exchange = Exchange::begin("callback", &site, &request, Audience::Navigation, now);
        let takes = |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds));

        exchange.waiting_for_provider(takes(300)).await;
        takes(1000).await;
        let answer = exchange
            .waiting_for_provider(async {
                takes(40).await;
                Ok::<_, Infallible>("token")
            })
            .await;

        assert_eq!(answer, Ok("token"));
        let waited = exchange.waited_for_provider;
        assert!(
            waited >= Duration::from_millis(340) && waited < Duration::from_millis(350),
            "{waited:?}"
        );
    }
}

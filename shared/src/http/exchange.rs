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
            provider_ms: self.provider_ms(),
            cold_start: invocation.cold_start,
            cause,
        }
        .write();
        answer::secured(self.site, response)
    }

    /// How long the provider was waited for; what was at hand took no time.
    fn provider_ms(&self) -> Option<u64> {
        let waited_ms = u64::try_from(self.waited_for_provider.as_millis()).unwrap_or(u64::MAX);
        (waited_ms > 0).then_some(waited_ms)
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

    use http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ACCEPT, LOCATION, SET_COOKIE},
    };

    use super::*;
    use crate::config::tests::site_at;

    const ORIGIN: &str = "https://accounts.example";
    const NOW: Timestamp = Timestamp::from_unix_ms(0);

    /// What went wrong, in its code's own word.
    #[derive(Debug, thiserror::Error)]
    #[error("it went wrong")]
    struct Wrong(ErrorCode);

    impl Refusal for Wrong {
        fn code(&self) -> ErrorCode {
            self.0
        }
    }

    fn request(accept: Option<&'static str>) -> Request {
        let accept = accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept)));
        let headers = HeaderMap::from_iter(accept);
        Request::from_parts(
            Method::GET,
            String::new(),
            String::new(),
            headers,
            Vec::new(),
            "id".to_owned(),
        )
    }

    /// Where `code` leads whoever asks so, or the status and the kind of document that tells it.
    fn led(code: ErrorCode, change: impl FnOnce(&mut Exchange<'_>)) -> String {
        let (site, request) = (site_at(ORIGIN), request(None));
        let mut exchange = Exchange::begin("callback", &site, &request, Audience::Navigation, NOW);
        exchange.provider = ProviderId::parse("magento").ok();
        exchange.set_cookies = vec!["a=b".to_owned(), "c=d".to_owned()];
        change(&mut exchange);
        let response = exchange.finish(Err(Wrong(code)), NOW);
        let header = |name| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("cache-control").as_deref(), Some("no-store"), "{code}");
        assert_eq!(response.headers().get_all(SET_COOKIE).iter().count(), 2, "{code}");
        if let Some(location) = header("location") {
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            return location.strip_prefix("https://accounts.example").unwrap().to_owned();
        }
        assert_eq!(response.status(), code.status());
        header("content-type").unwrap()
    }

    #[test]
    fn who_takes_html_navigates_and_everybody_else_is_a_client() {
        for (accept, expected) in [
            (None, Audience::Client),
            (Some("application/json"), Audience::Client),
            (Some("*/*"), Audience::Client),
            (Some("text/html,application/xhtml+xml;q=0.9"), Audience::Navigation),
        ] {
            assert_eq!(Audience::of(&request(accept)), expected, "{accept:?}");
        }
    }

    #[test]
    fn a_good_answer_goes_out_as_it_is_with_the_cookies_of_the_exchange() {
        let (site, request) = (site_at(ORIGIN), request(None));
        let mut exchange = Exchange::begin("status", &site, &request, Audience::Client, NOW);
        exchange.set_cookies = vec!["a=b".to_owned()];
        let answer = Answer::new("linked", answer::json(&"body"));
        let response = exchange.finish(Ok::<_, Wrong>(answer), NOW);
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, r#""body""#));
        assert_eq!(response.headers()[SET_COOKIE], "a=b");
        assert_eq!(response.headers()["referrer-policy"], "no-referrer");
        assert_eq!(response.headers().get(LOCATION), None);
    }

    #[test]
    fn whoever_does_not_navigate_gets_a_problem_document_whatever_it_is() {
        for code in ErrorCode::ALL {
            let kind = led(*code, |exchange| exchange.audience = Audience::Client);
            assert_eq!(kind, "application/problem+json", "{code}");
        }
    }

    #[test]
    fn a_refused_navigation_ends_at_a_page_that_can_help() {
        use ErrorCode::{
            CrossOriginRequest, FlowUnknown, InvalidRequest, ReauthenticationRequired, SessionRequired, UnknownProvider,
        };
        for code in ErrorCode::ALL {
            let id = if code.names_support() { "&request_id=id" } else { "" };
            let [settings, onboarding, sign_in] = match code {
                InvalidRequest | UnknownProvider | FlowUnknown | CrossOriginRequest => {
                    ["text/html; charset=utf-8"; 3].map(str::to_owned)
                }
                _ => ["/user?tab=sso&", "/welcome?", "/sign-in?"]
                    .map(|page| format!("{page}sso={code}&provider=magento{id}")),
            };
            let [settings, onboarding] = match code {
                SessionRequired => ["settings", "onboarding"].map(|target| format!("/sign-in?return_to={target}")),
                ReauthenticationRequired => {
                    ["settings", "onboarding"].map(|target| format!("/sign-in?reauthenticate=1&return_to={target}"))
                }
                _ => [settings, onboarding],
            };
            assert_eq!(led(*code, |_| {}), settings);
            let to = |destination| move |exchange: &mut Exchange<'_>| exchange.destination = destination;
            assert_eq!(led(*code, to(Destination::Page(ReturnTarget::Onboarding))), onboarding);
            assert_eq!(led(*code, to(Destination::SignIn)), sign_in);
        }
    }

    #[test]
    fn where_a_reload_may_help_a_failure_of_ours_is_a_page_that_says_so() {
        for code in ErrorCode::ALL {
            let ours = [ErrorCode::TemporarilyUnavailable, ErrorCode::InternalError].contains(code);
            let kind = led(*code, |exchange| exchange.reload_may_help = true);
            assert_eq!(
                kind == "text/html; charset=utf-8",
                ours || code.has_own_page(),
                "{code}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_the_provider_adds_up_and_nothing_else_does() {
        let (site, request) = (site_at(ORIGIN), request(None));
        let mut exchange = Exchange::begin("callback", &site, &request, Audience::Navigation, NOW);
        let takes = |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds));

        exchange.waiting_for_provider(async {}).await;
        assert_eq!(exchange.provider_ms(), None, "it was at hand");
        exchange.waiting_for_provider(takes(300)).await;
        takes(1000).await;
        let answer = exchange
            .waiting_for_provider(async {
                takes(40).await;
                Ok::<_, Infallible>("token")
            })
            .await;

        assert_eq!(answer, Ok("token"));
        let waited = exchange.provider_ms();
        assert!(waited.is_some_and(|waited| (340..350).contains(&waited)), "{waited:?}");
    }
}

//! One request: what the browser adds by itself, and how it gets there.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{
        ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, HOST, ORIGIN, REFERER, REFERRER_POLICY, SET_COOKIE, USER_AGENT,
    },
};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Origin, Url};

use super::{
    Answer, Browser, Exchange,
    cookies::{Cookie, SiteContext},
};

/// What Chromium accepts when it navigates.
const NAVIGATION_ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// How long any answer of ours may take: more than the 10 s of a function's own time-out.
const PATIENCE: Duration = Duration::from_secs(15);

/// How a request came about: who caused it, and over which redirects it got where it is.
#[derive(Clone, Debug)]
pub(super) struct Journey {
    /// The page that caused it; `None` when it was the user.
    initiator: Option<Url>,
    /// How much of that page's address the request may tell.
    referrer_policy: String,
    /// The addresses so far, the current one last.
    chain: Vec<Url>,
}

impl Journey {
    pub(super) fn by_the_user(url: Url) -> Self {
        Self {
            initiator: None,
            referrer_policy: String::new(),
            chain: vec![url],
        }
    }

    /// From `page`, which was served with `headers`, to `url`.
    pub(super) fn from_page(page: Url, url: Url, headers: &HeaderMap) -> Self {
        Self {
            initiator: Some(page),
            referrer_policy: referrer_policy(headers).unwrap_or_default(),
            chain: vec![url],
        }
    }

    /// Over the redirect that `headers` sent, to `url`.
    pub(super) fn onward(&self, mut url: Url, headers: &HeaderMap) -> Self {
        if url.fragment().is_none() {
            url.set_fragment(self.url().fragment());
        }
        Self {
            initiator: self.initiator.clone(),
            referrer_policy: referrer_policy(headers).unwrap_or_else(|| self.referrer_policy.clone()),
            chain: self.chain.iter().cloned().chain([url]).collect(),
        }
    }

    pub(super) fn url(&self) -> &Url {
        self.chain
            .last()
            .unwrap_or_else(|| unreachable!("a journey has at least one address"))
    }

    /// `Sec-Fetch-Site` (Fetch Metadata section 2.3): the most foreign of all steps decides.
    fn fetch_site(&self) -> &'static str {
        let Some(initiator) = &self.initiator else {
            return "none";
        };
        if self.chain.iter().any(|url| site(url) != site(initiator)) {
            "cross-site"
        } else if self.chain.iter().any(|url| url.origin() != initiator.origin()) {
            "same-site"
        } else {
            "same-origin"
        }
    }

    /// What cookies see. Chromium compares the current address with the initiator, not with the redirects between them.
    fn site_context(&self, is_navigation: bool, method: &Method) -> SiteContext {
        match &self.initiator {
            Some(initiator) if site(initiator) != site(self.url()) && is_navigation && method.is_safe() => {
                SiteContext::CrossSiteNavigation
            }
            Some(initiator) if site(initiator) != site(self.url()) => SiteContext::CrossSite,
            _ => SiteContext::SameSite,
        }
    }

    /// `Origin` of a request that has one (Fetch, "append a request `Origin` header").
    fn origin(&self) -> String {
        let Some(initiator) = &self.initiator else {
            return "null".to_owned();
        };
        let foreign = self.url().origin() != initiator.origin();
        let tainted = self
            .chain
            .windows(2)
            .any(|step| step[0].origin() != step[1].origin() && step[0].origin() != initiator.origin());
        match self.referrer_policy.as_str() {
            "no-referrer" => "null".to_owned(),
            "same-origin" if foreign => "null".to_owned(),
            _ if tainted => "null".to_owned(),
            _ => initiator.origin().ascii_serialization(),
        }
    }

    /// `Referer` (Referrer Policy section 8.3). No test leaves https for http, so that rule is left out.
    fn referer(&self) -> Option<String> {
        let initiator = self.initiator.as_ref()?;
        let mut whole = initiator.clone();
        whole.set_fragment(None);
        let origin = format!("{}/", initiator.origin().ascii_serialization());
        let foreign = self.url().origin() != initiator.origin();
        match self.referrer_policy.as_str() {
            "no-referrer" => None,
            "same-origin" if foreign => None,
            "origin" | "strict-origin" => Some(origin),
            "unsafe-url" | "no-referrer-when-downgrade" => Some(whole.into()),
            _ if foreign => Some(origin),
            _ => Some(whole.into()),
        }
    }
}

/// A request about to be sent, with everything the browser adds by itself. A test may change what a browser would not.
#[derive(Clone)]
#[must_use = "nothing is sent before `send`"]
pub struct Outgoing {
    browser: Browser,
    method: Method,
    journey: Journey,
    headers: HeaderMap,
    body: Bytes,
    context: SiteContext,
}

impl Outgoing {
    /// A top-level navigation.
    pub(super) fn navigation(browser: &Browser, method: Method, journey: Journey, body: Bytes) -> Self {
        let posts = method == Method::POST;
        let context = journey.site_context(true, &method);
        let outgoing = Self {
            browser: browser.clone(),
            method,
            journey,
            headers: HeaderMap::new(),
            body,
            context,
        };
        let outgoing = outgoing
            .header("accept", NAVIGATION_ACCEPT)
            .header("upgrade-insecure-requests", "1")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .header("sec-fetch-user", "?1");
        let outgoing = outgoing.with_what_every_request_has();
        if posts {
            outgoing
                .with_origin()
                .header("content-type", "application/x-www-form-urlencoded")
        } else {
            outgoing
        }
    }

    /// A script's `fetch` with its defaults: mode `cors`, cookies to its own origin only.
    pub(super) fn fetch(browser: &Browser, method: Method, journey: Journey, accept: &str) -> Self {
        let needs_origin = !method.is_safe() || journey.fetch_site() != "same-origin";
        let mut context = journey.site_context(false, &method);
        if journey.fetch_site() != "same-origin" {
            context = SiteContext::CrossSite;
        }
        let headers = HeaderMap::new();
        let outgoing = Self {
            browser: browser.clone(),
            method,
            journey,
            headers,
            body: Bytes::new(),
            context,
        };
        let outgoing = outgoing
            .header("accept", accept)
            .header("sec-fetch-mode", "cors")
            .header("sec-fetch-dest", "empty");
        let outgoing = outgoing.with_what_every_request_has();
        if needs_origin { outgoing.with_origin() } else { outgoing }
    }

    fn with_what_every_request_has(self) -> Self {
        let site = self.journey.fetch_site();
        let languages = self.browser.profile.languages.clone();
        let referer = self.journey.referer();
        let outgoing = self
            .header("accept-language", &languages)
            .header("user-agent", "Mozilla/5.0 (journeys)")
            .header("sec-fetch-site", site);
        let cookies = outgoing.cookies();
        let outgoing = if cookies.is_empty() {
            outgoing
        } else {
            outgoing.header("cookie", &cookies)
        };
        match referer {
            Some(referer) => outgoing.header("referer", &referer),
            None => outgoing,
        }
    }

    fn with_origin(self) -> Self {
        let origin = self.journey.origin();
        self.header("origin", &origin)
    }

    fn cookies(&self) -> String {
        let now = self.browser.profile.clock.now();
        let jar = self.browser.jar();
        let cookies = jar.sent_to(self.journey.url(), self.context, now);
        cookies
            .iter()
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Sends `value` as the one header called `name`, whatever the browser would have sent.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(header_name(name), header_value(value));
        self
    }

    /// Sends one more header called `name`.
    pub fn another_header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(header_name(name), header_value(value));
        self
    }

    /// Does not send any header called `name`.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sends neither cookies nor anything else that only browsers send.
    pub fn without_a_browser(mut self) -> Self {
        let only_browsers = |name: &HeaderName| {
            name.as_str().starts_with("sec-")
                || [COOKIE, ORIGIN, REFERER, ACCEPT, ACCEPT_LANGUAGE, USER_AGENT].contains(name)
        };
        let names: Vec<_> = self
            .headers
            .keys()
            .filter(|name| only_browsers(name))
            .cloned()
            .collect();
        for name in names {
            self.headers.remove(name);
        }
        self
    }

    /// Sends `body` of the type `content_type` instead.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.insert(CONTENT_TYPE, header_value(content_type));
        self
    }

    /// Uses `method` instead.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Where this goes.
    pub fn url(&self) -> &Url {
        self.journey.url()
    }

    /// Sends it, keeps the cookies that come back, and returns the first answer, redirect or not.
    pub async fn send(self) -> Answer {
        let url = self.journey.url();
        let exchange = tokio::time::timeout(PATIENCE, exchange(&self.method, url, &self.headers, &self.body));
        let Ok((parts, body)) = exchange.await else {
            panic!("no answer to {} {url} within {PATIENCE:?}", self.method)
        };
        let Self {
            browser,
            method,
            journey,
            headers,
            body: sent,
            context: _,
        } = self;
        let now = browser.profile.clock.now();
        let set_cookies = parts
            .headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let cookies: Vec<_> = set_cookies
            .filter_map(|text| Cookie::parse(text, journey.url(), now))
            .collect();
        for cookie in cookies {
            browser.jar().keep(cookie, now);
        }
        browser.profile.transcript.add(Exchange {
            method: method.clone(),
            url: journey.url().clone(),
            request_headers: headers,
            request_body: sent.clone(),
            status: parts.status,
            headers: parts.headers.clone(),
            body: body.clone(),
        });
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            browser,
            journey,
            method,
            sent,
        }
    }
}

/// One connection, one request. Every name ends at 127.0.0.1: no test talks to anybody else.
async fn exchange(method: &Method, url: &Url, headers: &HeaderMap, body: &Bytes) -> (http::response::Parts, Bytes) {
    let host = url.host_str().unwrap_or_default();
    assert!(
        url.scheme() == "http" && (host == "127.0.0.1" || host == "localhost" || host.ends_with(".localhost")),
        "{url} is not on this machine"
    );
    let port = url.port_or_known_default().unwrap_or(80);
    let stream = TcpStream::connect(("127.0.0.1", port)).await;
    let stream = stream.unwrap_or_else(|error| panic!("nobody answers at {url}: {error}"));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap_or_else(|error| panic!("no HTTP at {url}: {error}"));
    let connection = tokio::spawn(connection);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, &url[url::Position::BeforeHost..url::Position::AfterPort]);
    request
        .headers_mut()
        .into_iter()
        .for_each(|all| all.extend(headers.clone()));
    let request = request
        .body(Full::new(body.clone()))
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    let answer = sender
        .send_request(request)
        .await
        .unwrap_or_else(|error| panic!("{method} {url}: {error}"));
    let (parts, body) = answer.into_parts();
    let body = body
        .collect()
        .await
        .unwrap_or_else(|error| panic!("the body of {url}: {error}"))
        .to_bytes();
    connection.abort();
    (parts, body)
}

/// A site (HTML, "site"): scheme and registrable domain. Under `.localhost` each name directly below it is registrable.
fn site(url: &Url) -> (String, String) {
    let host = url.host_str().unwrap_or_default();
    let domain = match url.origin() {
        Origin::Tuple(_, url::Host::Domain(_), _) => {
            let labels: Vec<_> = host.rsplitn(3, '.').take(2).collect();
            labels.into_iter().rev().collect::<Vec<_>>().join(".")
        }
        _ => host.to_owned(),
    };
    (url.scheme().to_owned(), domain)
}

fn referrer_policy(headers: &HeaderMap) -> Option<String> {
    headers
        .get(REFERRER_POLICY)?
        .to_str()
        .ok()
        .map(|policy| policy.trim().to_ascii_lowercase())
}

fn header_name(name: &str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).unwrap_or_else(|error| panic!("{name:?}: {error}"))
}

/// Any bytes that HTTP lets into a header, also those that are no ASCII.
fn header_value(value: &str) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|error| panic!("{value:?}: {error}"))
}

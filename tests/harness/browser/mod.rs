//! A browser, as far as a server can tell: its own cookies, the headers that a page cannot forge, redirects one at a time.
//!
//! Each value is one actor with one browser. An actor [`types`](Browser::types) an address, gets an [`Answer`], and goes on from there:
//! follows it, presses a button on it, fetches from it. What a browser adds by itself (cookies, `Origin`, `Referer`, `Sec-Fetch-*`)
//! follows from where the actor stands, and hostile tests replace it with [`Outgoing::header`].

pub mod cookies;
pub mod page;
mod request;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use account_linking::clock::{Clock, SystemClock};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

pub use self::request::Outgoing;
use self::{
    cookies::{Cookie, CookieJar, SiteContext},
    page::{Button, Form, Page},
    request::Journey,
};

/// No journey of ours takes this many redirects; a loop does.
const MOST_REDIRECTS: usize = 20;

/// One actor's browser. Clones are the same browser, as tabs are.
#[derive(Clone)]
pub struct Browser {
    profile: Arc<Profile>,
}

/// What all tabs of a browser share.
struct Profile {
    languages: String,
    clock: Arc<dyn Clock>,
    cookies: Mutex<CookieJar>,
    transcript: Transcript,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock), Transcript::default())
    }
}

impl Browser {
    /// A new browser without a cookie, whose cookies age by `clock` and whose exchanges are written down in `transcript`.
    pub fn new(clock: Arc<dyn Clock>, transcript: Transcript) -> Self {
        let profile = Profile {
            languages: "en".to_owned(),
            clock,
            cookies: Mutex::default(),
            transcript,
        };
        Self {
            profile: Arc::new(profile),
        }
    }

    /// The same browser before its first request, asking for `languages` as `Accept-Language` writes them.
    #[must_use]
    pub fn preferring(self, languages: &str) -> Self {
        let profile = Profile {
            languages: languages.to_owned(),
            clock: Arc::clone(&self.profile.clock),
            cookies: Mutex::default(),
            transcript: self.profile.transcript.clone(),
        };
        Self {
            profile: Arc::new(profile),
        }
    }

    /// What typing `url` into the address bar sends.
    pub fn typing(&self, url: &str) -> Outgoing {
        let url = Url::parse(url).unwrap_or_else(|error| panic!("{url} is no address: {error}"));
        Outgoing::navigation(self, Method::GET, Journey::by_the_user(url), Bytes::new())
    }

    /// Types `url` into the address bar and waits for the first answer.
    pub async fn types(&self, url: &str) -> Answer {
        self.typing(url).send().await
    }

    /// Types `url` into the address bar and ends where the redirects end.
    pub async fn visits(&self, url: &str) -> Answer {
        self.types(url).await.followed().await
    }

    /// What a page of another site causes when it posts a form of its own making here, `evil.localhost` for one.
    pub fn posting_from(&self, page: &str, url: &str, fields: &[(&str, &str)]) -> Outgoing {
        let [page, url] = [page, url].map(|text| Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")));
        Outgoing::navigation(
            self,
            Method::POST,
            Journey::from_page(page, url, &HeaderMap::new()),
            form_body(fields),
        )
    }

    /// What following a link on a page of another site sends.
    pub fn following_a_link_from(&self, page: &str, url: &str) -> Outgoing {
        let [page, url] = [page, url].map(|text| Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")));
        Outgoing::navigation(
            self,
            Method::GET,
            Journey::from_page(page, url, &HeaderMap::new()),
            Bytes::new(),
        )
    }

    /// The cookies the browser would send to `url` if its user typed it.
    pub fn cookies_for(&self, url: &str) -> Vec<Cookie> {
        let url = Url::parse(url).unwrap_or_else(|error| panic!("{url} is no address: {error}"));
        let now = self.profile.clock.now();
        self.jar()
            .sent_to(&url, SiteContext::SameSite, now)
            .into_iter()
            .cloned()
            .collect()
    }

    /// Keeps a cookie as if `url` had sent it in `Set-Cookie`; whether the browser took it.
    pub fn keeps(&self, url: &str, set_cookie: &str) -> bool {
        let url = Url::parse(url).unwrap_or_else(|error| panic!("{url} is no address: {error}"));
        let now = self.profile.clock.now();
        let cookie = Cookie::parse(set_cookie, &url, now);
        let taken = cookie.is_some();
        if let Some(cookie) = cookie {
            self.jar().keep(cookie, now);
        }
        taken
    }

    /// Puts a copy of `cookie` into this browser, wherever it came from: what an attacker with the file of a jar could do.
    pub fn is_given(&self, cookie: Cookie) {
        let now = self.profile.clock.now();
        self.jar().keep(cookie, now);
    }

    /// Forgets every cookie whose name starts with `prefix`.
    pub fn forgets(&self, prefix: &str) {
        self.jar().retain(|cookie| !cookie.name.starts_with(prefix));
    }

    fn jar(&self) -> MutexGuard<'_, CookieJar> {
        self.profile.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer, in the tab that asked.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
    browser: Browser,
    journey: Journey,
    method: Method,
    sent: Bytes,
}

impl Answer {
    /// Where this answer came from.
    pub fn url(&self) -> &Url {
        self.journey.url()
    }

    /// The one header called `name`, as text; repeated or unreadable ones fail the test.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} came more than once");
        Some(
            value
                .to_str()
                .unwrap_or_else(|_| panic!("{name} is not visible ASCII: {value:?}")),
        )
    }

    /// Every `Set-Cookie`, as written.
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers
            .get_all(http::header::SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect()
    }

    /// Where a redirect goes; `None` when this is none.
    pub fn location(&self) -> Option<Url> {
        let location = self.header("location").filter(|_| self.status.is_redirection())?;
        Some(
            self.url()
                .join(location)
                .unwrap_or_else(|error| panic!("Location {location:?}: {error}")),
        )
    }

    /// The value of one query parameter of the redirect.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        parameter(&self.location()?, name)
    }

    /// The value of one query parameter of this answer's own address.
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter(self.url(), name)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body)
            .unwrap_or_else(|error| panic!("the body of {} is not UTF-8: {error}", self.url()))
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// The body as a page.
    pub fn page(&self) -> Page {
        Page::parse(self.text())
    }

    /// Status and code of a problem document, `400 flow_unknown`; fails the test when this is none.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        format!(
            "{} {}",
            self.status.as_u16(),
            problem["code"].as_str().unwrap_or("(no code)")
        )
    }

    /// What following this redirect sends.
    pub fn redirected(&self) -> Outgoing {
        let location = self.location().unwrap_or_else(|| panic!("no redirect: {self:?}"));
        // Fetch, HTTP-redirect fetch: 303 turns every method into GET, 301 and 302 only POST, 307 and 308 none.
        let to_get = match self.status.as_u16() {
            301 | 302 => self.method == Method::POST,
            303 => true,
            _ => false,
        };
        let (method, body) = if to_get {
            (Method::GET, Bytes::new())
        } else {
            (self.method.clone(), self.sent.clone())
        };
        Outgoing::navigation(
            &self.browser,
            method,
            self.journey.onward(location, &self.headers),
            body,
        )
    }

    /// Follows this redirect, once.
    pub async fn follows(&self) -> Answer {
        self.redirected().send().await
    }

    /// Follows redirects until there is a page.
    pub async fn followed(self) -> Answer {
        let mut answer = self;
        for _ in 0..MOST_REDIRECTS {
            if answer.location().is_none() {
                return answer;
            }
            answer = answer.follows().await;
        }
        panic!("{MOST_REDIRECTS} redirects and still no page: {answer:?}");
    }

    /// Loads this page once more, as the reload button does. A page that was posted is posted again.
    pub async fn reloaded(&self) -> Answer {
        Outgoing::navigation(
            &self.browser,
            self.method.clone(),
            self.journey.clone(),
            self.sent.clone(),
        )
        .send()
        .await
    }

    /// What the link with this label sends.
    pub fn link(&self, label: &str) -> Outgoing {
        let page = self.page();
        let link = page.links.iter().find(|link| link.label == label);
        let link = link.unwrap_or_else(|| panic!("no link {label:?} among {:?} in {self:?}", page.links));
        let journey = Journey::from_page(self.url().clone(), self.resolve(&link.href), &self.headers);
        Outgoing::navigation(&self.browser, Method::GET, journey, Bytes::new())
    }

    /// What pressing the button with this label sends, with `fields` filled in first.
    pub fn pressing(&self, label: &str, fields: &[(&str, &str)]) -> Outgoing {
        let page = self.page();
        let (form, button) = find_button(&page.forms, label)
            .unwrap_or_else(|| panic!("no button {label:?} among {:?} in {self:?}", page.forms));
        let mut sent: Vec<(&str, &str)> = form
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        for field in fields {
            assert!(
                form.fillable.iter().any(|name| name == field.0),
                "nobody can fill {:?} in: {form:?}",
                field.0
            );
            sent.retain(|(name, _)| *name != field.0);
            sent.push(*field);
        }
        sent.extend(
            button
                .field
                .as_ref()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let mut target = self.resolve(button.action.as_deref().unwrap_or(&form.action));
        let (method, body) = if form.posts {
            (Method::POST, form_body(&sent))
        } else {
            target.query_pairs_mut().clear().extend_pairs(&sent);
            (Method::GET, Bytes::new())
        };
        let journey = Journey::from_page(self.url().clone(), target, &self.headers);
        Outgoing::navigation(&self.browser, method, journey, body)
    }

    /// Presses the button with this label and waits for the first answer.
    pub async fn presses(&self, label: &str) -> Answer {
        self.pressing(label, &[]).send().await
    }

    /// What this page's script sends when it fetches `path`, asking for `accept`.
    pub fn fetching(&self, method: Method, path: &str, accept: &str) -> Outgoing {
        let journey = Journey::from_page(self.url().clone(), self.resolve(path), &self.headers);
        Outgoing::fetch(&self.browser, method, journey, accept)
    }

    fn resolve(&self, reference: &str) -> Url {
        self.url()
            .join(reference)
            .unwrap_or_else(|error| panic!("{reference:?} leads nowhere: {error}"))
    }
}

/// What is worth reading when a test fails: the address, the status, the headers and the words of the body.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} {} answered {}", self.method, self.url(), self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "  {name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        let body = String::from_utf8_lossy(&self.body);
        let is_html = self
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        write!(
            f,
            "{}",
            if is_html {
                Page::parse(&body).text
            } else {
                body.into_owned()
            }
        )
    }
}

/// One exchange, as the contract's tests need it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The method of the request.
    pub method: Method,
    /// Its address.
    pub url: Url,
    /// Its headers.
    pub request_headers: HeaderMap,
    /// Its body.
    pub request_body: Bytes,
    /// The status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Every exchange that a group of browsers made, in order. Clones write to the same list.
#[derive(Clone, Default)]
pub struct Transcript(Arc<Mutex<Vec<Exchange>>>);

impl Transcript {
    /// The exchanges so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, exchange: Exchange) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    }
}

/// The button that says exactly `label`, or else the first that says it among other things.
fn find_button<'a>(forms: &'a [Form], label: &str) -> Option<(&'a Form, &'a Button)> {
    let buttons = || {
        forms
            .iter()
            .flat_map(|form| form.buttons.iter().map(move |button| (form, button)))
    };
    buttons()
        .find(|(_, button)| button.label == label)
        .or_else(|| buttons().find(|(_, button)| button.label.contains(label)))
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// `fields` as `application/x-www-form-urlencoded`.
fn form_body(fields: &[(&str, &str)]) -> Bytes {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
        .into()
}

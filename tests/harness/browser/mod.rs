//! A browser, as far as a server can tell: its own cookies, the headers that a page cannot forge, redirects one at a time.
//!
//! Each value is one actor with one browser. An actor [`types`](Browser::types) an address, gets an [`Answer`], and goes on from there:
//! follows it, presses a button on it, fetches from it. What a browser adds by itself (cookies, `Origin`, `Referer`, `Sec-Fetch-*`)
//! follows from where the actor stands, and hostile tests replace it with [`Outgoing::header`].

mod answer;
pub mod cookies;
pub mod page;
mod request;
#[cfg(test)]
mod tests;
mod transcript;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use account_linking::clock::{Clock, SystemClock};
use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

pub use self::{
    answer::Answer,
    request::Outgoing,
    transcript::{Exchange, Transcript},
};
use self::{
    cookies::{Cookie, CookieJar, SiteContext},
    request::Journey,
};

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

/// `fields` as `application/x-www-form-urlencoded`.
fn form_body(fields: &[(&str, &str)]) -> Bytes {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
        .into()
}

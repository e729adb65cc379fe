//! The cookies a browser keeps (RFC 6265bis), as Chromium treats them on `http://*.localhost`, which it trusts like https.

use account_linking::clock::Timestamp;
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use url::Url;

/// How a request relates to the page that caused it, as far as cookies care (RFC 6265bis section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SiteContext {
    /// Caused by another site, and not a visible navigation: hidden frames, fetches, form posts.
    CrossSite,
    /// Caused by another site, a top-level navigation by a safe method: `Lax` cookies go with it.
    CrossSiteNavigation,
    /// Caused by the same site, or by the user: every cookie goes with it.
    SameSite,
}

/// The `SameSite` attribute. One that is absent or unknown counts as `Lax`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Goes with every request.
    None,
    /// Goes with requests of the same site and with top-level navigations.
    Lax,
    /// Goes with requests of the same site only.
    Strict,
}

/// One cookie as the browser keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The host that set it or, unless `host_only`, the parent domain it was set for.
    pub domain: String,
    /// Whether only that very host gets it.
    pub host_only: bool,
    /// The path prefix it goes to.
    pub path: String,
    /// `Secure`.
    pub secure: bool,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `SameSite`.
    pub same_site: SameSite,
    /// When it ends by itself; a session cookie has no end here.
    pub expires_at: Option<Timestamp>,
}

impl Cookie {
    /// Reads one `Set-Cookie` value that `url` sent at `now`. `None` when a browser would not take it.
    pub fn parse(set_cookie: &str, url: &Url, now: Timestamp) -> Option<Self> {
        let host = url.host_str()?;
        let mut parts = set_cookie.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let mut cookie = Self {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            domain: host.to_owned(),
            host_only: true,
            path: default_path(url),
            secure: false,
            http_only: false,
            same_site: SameSite::Lax,
            expires_at: None,
        };
        let (mut max_age, mut states_path) = (None, false);
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" if !value.is_empty() => {
                    cookie.domain = value.trim_start_matches('.').to_ascii_lowercase();
                    cookie.host_only = false;
                }
                "path" if value.starts_with('/') => {
                    value.clone_into(&mut cookie.path);
                    states_path = true;
                }
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                "samesite" if value.eq_ignore_ascii_case("none") => cookie.same_site = SameSite::None,
                "samesite" if value.eq_ignore_ascii_case("strict") => cookie.same_site = SameSite::Strict,
                "max-age" => max_age = value.parse::<i64>().ok().or(max_age),
                "expires" => cookie.expires_at = parse_date(value).or(cookie.expires_at),
                _ => {}
            }
        }
        if let Some(seconds) = max_age {
            let lifetime = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            cookie.expires_at = Some(now.plus(lifetime));
        }
        cookie.is_acceptable(host, url, states_path).then_some(cookie)
    }

    /// The rules by which a browser drops a cookie instead of keeping it (RFC 6265bis section 5.7).
    fn is_acceptable(&self, host: &str, url: &Url, states_path: bool) -> bool {
        let trusted = url.scheme() == "https" || host == "localhost" || host.ends_with(".localhost");
        let domain_fits = self.host_only || (self.domain.contains('.') && domain_matches(host, &self.domain));
        let prefix = self.name.to_ascii_lowercase();
        domain_fits
            && (trusted || !self.secure)
            && (self.secure || self.same_site != SameSite::None)
            && (self.secure || !prefix.starts_with("__secure-"))
            && (!prefix.starts_with("__host-") || (self.secure && self.host_only && states_path && self.path == "/"))
            && self.name.len() + self.value.len() <= 4096
    }

    fn goes_to(&self, url: &Url, context: SiteContext) -> bool {
        let host = url.host_str().unwrap_or_default();
        let trusted = url.scheme() == "https" || host == "localhost" || host.ends_with(".localhost");
        let host_fits = if self.host_only {
            host == self.domain
        } else {
            domain_matches(host, &self.domain)
        };
        let least = match self.same_site {
            SameSite::None => SiteContext::CrossSite,
            SameSite::Lax => SiteContext::CrossSiteNavigation,
            SameSite::Strict => SiteContext::SameSite,
        };
        host_fits && (trusted || !self.secure) && path_matches(url.path(), &self.path) && context >= least
    }
}

/// What one browser keeps.
#[derive(Debug, Default)]
pub struct CookieJar(Vec<Cookie>);

impl CookieJar {
    /// Keeps `cookie`, in place of one with the same name, domain and path. One that has expired only removes.
    pub fn keep(&mut self, cookie: Cookie, now: Timestamp) {
        let place = self.0.iter().position(|kept| {
            (&kept.name, &kept.domain, &kept.path, kept.host_only)
                == (&cookie.name, &cookie.domain, &cookie.path, cookie.host_only)
        });
        let live = cookie.expires_at.is_none_or(|end| now < end);
        match place {
            Some(place) if live => self.0[place] = cookie,
            Some(place) => drop(self.0.remove(place)),
            None if live => self.0.push(cookie),
            None => {}
        }
    }

    /// The cookies that go to `url`, in the order in which they are sent: longest path first, then oldest first.
    pub fn sent_to(&self, url: &Url, context: SiteContext, now: Timestamp) -> Vec<&Cookie> {
        let mut cookies: Vec<_> = self
            .0
            .iter()
            .filter(|cookie| cookie.expires_at.is_none_or(|end| now < end) && cookie.goes_to(url, context))
            .collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        cookies
    }

    /// Forgets the cookies for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&Cookie) -> bool) {
        self.0.retain(keep);
    }
}

fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        None | Some(("", _)) => "/".to_owned(),
        Some((folder, _)) => folder.to_owned(),
    }
}

fn domain_matches(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn path_matches(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

fn parse_date(text: &str) -> Option<Timestamp> {
    // Servers write `Thu, 01 Jan 1970 00:00:00 GMT`; older ones `Thu, 01-Jan-1970 …`, which this browser does not read.
    OffsetDateTime::parse(text, &Rfc2822)
        .ok()
        .map(|date| Timestamp::from_unix_seconds(date.unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_585_000_000);

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn kept(set_cookie: &str, from: &str) -> Option<Cookie> {
        Cookie::parse(set_cookie, &url(from), NOW)
    }

    fn sent(jar: &CookieJar, to: &str, context: SiteContext) -> Vec<String> {
        let cookies = jar.sent_to(&url(to), context, NOW);
        cookies
            .iter()
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect()
    }

    #[test]
    fn a_host_prefix_wants_secure_the_root_path_and_no_domain() {
        let accounts = "http://accounts.localhost:8080/user";
        assert!(kept("__Host-a=1; Path=/; Secure", accounts).is_some());
        for refused in [
            "__Host-a=1; Path=/",
            "__Host-a=1; Path=/sso; Secure",
            "__Host-a=1; Secure",
            "__Host-a=1; Path=/; Secure; Domain=accounts.localhost",
            "__hOsT-a=1",
            "__Secure-a=1",
            "a=1; SameSite=None",
        ] {
            assert_eq!(kept(refused, accounts), None, "{refused}");
        }
    }

    #[test]
    fn secure_cookies_live_on_localhost_names_and_on_https_only() {
        assert!(kept("a=1; Secure", "http://magento.localhost/").is_some());
        assert!(kept("a=1; Secure", "https://accounts.magento.cloud/").is_some());
        assert!(kept("a=1; Secure", "http://accounts.magento.cloud/").is_none());
    }

    #[test]
    fn a_sibling_may_set_for_the_parent_but_neither_for_a_stranger_nor_for_a_whole_suffix() {
        assert!(kept("a=1; Domain=accounts.localhost", "http://evil.accounts.localhost/").is_some());
        assert!(kept("a=1; Domain=accounts.localhost", "http://magento.localhost/").is_none());
        assert!(kept("a=1; Domain=localhost", "http://magento.localhost/").is_none());
        assert!(kept("a=1; Domain=counts.localhost", "http://accounts.localhost/").is_none());
    }

    #[test]
    fn hosts_do_not_share_and_ports_do() {
        let mut jar = CookieJar::default();
        jar.keep(kept("a=1; Path=/", "http://accounts.localhost:1/").unwrap(), NOW);
        assert_eq!(
            sent(&jar, "http://accounts.localhost:2/", SiteContext::SameSite),
            ["a=1"]
        );
        assert!(sent(&jar, "http://magento.localhost:1/", SiteContext::SameSite).is_empty());
        assert!(sent(&jar, "http://x.accounts.localhost:1/", SiteContext::SameSite).is_empty());
    }

    #[test]
    fn paths_match_by_whole_segments_and_the_longest_goes_first() {
        let mut jar = CookieJar::default();
        for set_cookie in ["root=1; Path=/", "deep=1; Path=/sso/magento", "near=1"] {
            jar.keep(kept(set_cookie, "http://a.localhost/sso/page").unwrap(), NOW);
        }
        assert_eq!(
            sent(&jar, "http://a.localhost/sso/magento/x", SiteContext::SameSite),
            ["deep=1", "near=1", "root=1"]
        );
        assert_eq!(
            sent(&jar, "http://a.localhost/sso/magentoo", SiteContext::SameSite),
            ["near=1", "root=1"]
        );
        assert_eq!(sent(&jar, "http://a.localhost/ssoo", SiteContext::SameSite), ["root=1"]);
    }

    #[test]
    fn same_site_decides_what_another_site_can_cause_to_be_sent() {
        let mut jar = CookieJar::default();
        for same_site in ["None; Secure", "Lax", "Strict", "rubbish"] {
            let name = same_site.split(';').next().unwrap();
            jar.keep(
                kept(&format!("{name}=1; SameSite={same_site}"), "http://a.localhost/").unwrap(),
                NOW,
            );
        }
        assert_eq!(sent(&jar, "http://a.localhost/", SiteContext::CrossSite), ["None=1"]);
        assert_eq!(
            sent(&jar, "http://a.localhost/", SiteContext::CrossSiteNavigation),
            ["None=1", "Lax=1", "rubbish=1"]
        );
        assert_eq!(sent(&jar, "http://a.localhost/", SiteContext::SameSite).len(), 4);
    }

    #[test]
    fn cookies_end_by_their_age_which_outranks_their_date() {
        let mut jar = CookieJar::default();
        let mut set = |set_cookie| jar.keep(kept(set_cookie, "http://a.localhost/").unwrap(), NOW);
        set("short=1; Max-Age=10");
        set("long=1; Max-Age=600; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        set("gone=1");
        set("gone=; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        set("gone_too=1");
        set("gone_too=; Max-Age=0");
        let later = NOW.plus(Duration::from_secs(10));
        let names = |now| -> Vec<_> {
            let cookies = jar.sent_to(&url("http://a.localhost/"), SiteContext::SameSite, now);
            cookies.iter().map(|cookie| cookie.name.as_str()).collect()
        };
        assert_eq!(names(NOW), ["short", "long"]);
        assert_eq!(names(later), ["long"]);
    }
}

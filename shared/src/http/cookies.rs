//! Cookies: read from the raw header, written with every attribute said.
//!
//! Popular parsers decode cookie *names* or trim exotic blanks before them, so that a sibling host's `__Host%2Dx` reads as
//! ours. Here a name is the bytes that came, compared exactly.

use http::{HeaderMap, header::COOKIE};

use crate::flow::{FLOW_LIFETIME, FlowSecret, is_base64url};

/// What the names of all cookies that the service sets begin with.
pub const OUR_PREFIX: &str = "__Host-sso-";

const FLOW_PREFIX: &str = "__Host-sso-flow-";

/// How much of `state` a flow's cookie name shows.
const STATE_CHARACTERS: usize = 8;

/// The cookie of the pending link.
pub const PENDING_LINK: &str = "__Host-sso-pending";

/// One of our cookies came twice: somebody else planted one of them, and which one is anybody's guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cookie of ours came more than once")]
pub struct RepeatedCookie;

/// The cookies of one request that are ours.
#[derive(Debug, Default)]
pub struct Cookies<'a> {
    session: Option<&'a str>,
    pending_link: Option<&'a str>,
    flows: Vec<(&'a str, &'a str)>,
}

impl<'a> Cookies<'a> {
    /// Picks our cookies, and the session's under `session_name`, from the raw `Cookie` headers (RFC 6265 section 4.2.1).
    ///
    /// A value that is not UTF-8 counts as empty: it is no value of ours.
    pub fn parse(headers: &'a HeaderMap, session_name: &str) -> Result<Self, RepeatedCookie> {
        Self::pick(headers, Some(session_name))
    }

    /// Picks our cookies and leaves the session's alone, for who needs no session.
    pub fn without_session(headers: &'a HeaderMap) -> Result<Self, RepeatedCookie> {
        Self::pick(headers, None)
    }

    fn pick(headers: &'a HeaderMap, session_name: Option<&str>) -> Result<Self, RepeatedCookie> {
        let mut cookies = Self::default();
        let pairs = headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
        for pair in pairs {
            let pair = pair.trim_ascii_start();
            let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let Ok(name) = std::str::from_utf8(&pair[..equals]) else {
                continue;
            };
            let value = std::str::from_utf8(&pair[equals + 1..]).unwrap_or_default();
            if Some(name) == session_name {
                place(&mut cookies.session, value)?;
            } else if name == PENDING_LINK {
                place(&mut cookies.pending_link, value)?;
            } else if name.starts_with(FLOW_PREFIX) {
                if cookies.flows.iter().any(|(other, _)| *other == name) {
                    return Err(RepeatedCookie);
                }
                cookies.flows.push((name, value));
            }
        }
        Ok(cookies)
    }

    /// The session's cookie.
    #[must_use]
    pub fn session(&self) -> Option<&'a str> {
        self.session
    }

    /// The sealed pending link.
    #[must_use]
    pub fn pending_link(&self) -> Option<&'a str> {
        self.pending_link
    }

    /// The sealed flow kept under `name`.
    #[must_use]
    pub fn flow(&self, name: &str) -> Option<&'a str> {
        self.flows
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| *value)
    }

    /// All flows of this browser, name and sealed value.
    #[must_use]
    pub fn flows(&self) -> &[(&'a str, &'a str)] {
        &self.flows
    }
}

fn place<'a>(slot: &mut Option<&'a str>, value: &'a str) -> Result<(), RepeatedCookie> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(RepeatedCookie),
    }
}

/// The name of the cookie that keeps the flow with this `state`.
#[must_use]
pub fn flow_name(state: &FlowSecret) -> String {
    flow_name_for(&state.reveal()).unwrap_or_default()
}

/// The name of the cookie that would keep a flow with the `state` a caller sent; none when that cannot be a `state` of ours.
#[must_use]
pub fn flow_name_for(state: &str) -> Option<String> {
    let shown = state.get(..STATE_CHARACTERS)?;
    shown.bytes().all(is_base64url).then(|| format!("{FLOW_PREFIX}{shown}"))
}

/// A `Set-Cookie` that keeps `value` under `name` for as long as a flow may take (contract section 4).
#[must_use]
pub fn keep(name: &str, value: &str) -> String {
    format!(
        "{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={}",
        FLOW_LIFETIME.as_secs()
    )
}

/// A `Set-Cookie` that removes `name`.
#[must_use]
pub fn clear(name: &str) -> String {
    format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SESSION: &str = "__Host-accounts-session";

    fn headers(raw: &[&[u8]]) -> HeaderMap {
        raw.iter()
            .map(|value| (COOKIE, HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    #[test]
    fn our_cookies_are_found_among_others_and_over_several_headers() {
        let headers = headers(&[
            b"theme=dark; __Host-sso-flow-abcdefgh=one;__Host-sso-pending=two",
            b"  __Host-accounts-session=a=b; x",
        ]);
        let cookies = Cookies::parse(&headers, SESSION).unwrap();
        assert_eq!(cookies.flow("__Host-sso-flow-abcdefgh"), Some("one"));
        assert_eq!(cookies.pending_link(), Some("two"));
        assert_eq!(cookies.session(), Some("a=b"));
        assert_eq!(cookies.flows(), [("__Host-sso-flow-abcdefgh", "one")]);
        let cookies = Cookies::without_session(&headers).unwrap();
        assert_eq!((cookies.session(), cookies.pending_link()), (None, Some("two")));
        assert_eq!(cookies.flows(), [("__Host-sso-flow-abcdefgh", "one")]);
    }

    #[test]
    fn only_the_exact_bytes_of_a_name_are_ours() {
        for raw in [
            "__Host%2Dsso-pending=x",
            "__host-sso-pending=x",
            "__Host-sso-pending =x",
            "\u{A0}__Host-sso-pending=x",
            "=__Host-sso-pending=x",
            "$__Host-sso-pending=x",
            "\"__Host-sso-pending\"=x",
            "__Host-sso-pending",
            "a,__Host-sso-pending=x",
            "a=__Host-sso-pending=x",
        ] {
            let headers = headers(&[raw.as_bytes()]);
            assert_eq!(Cookies::parse(&headers, SESSION).unwrap().pending_link(), None, "{raw}");
        }
    }

    #[test]
    fn a_repeated_name_of_ours_is_refused_and_of_others_is_none_of_our_business() {
        for name in ["__Host-sso-pending", "__Host-sso-flow-abcdefgh", SESSION] {
            for raw in [
                vec![format!("{name}=a; {name}=b")],
                vec![format!("{name}=a"), format!("{name}=a")],
            ] {
                let raw: Vec<&[u8]> = raw.iter().map(String::as_bytes).collect();
                assert_eq!(
                    Cookies::parse(&headers(&raw), SESSION).unwrap_err(),
                    RepeatedCookie,
                    "{name}"
                );
            }
        }
        assert!(Cookies::parse(&headers(&[b"theme=a; theme=b"]), SESSION).is_ok());
        let two_sessions = headers(&[b"__Host-accounts-session=a; __Host-accounts-session=b"]);
        assert!(Cookies::without_session(&two_sessions).is_ok());
    }

    #[test]
    fn a_value_that_is_no_text_counts_as_empty() {
        let headers = headers(&[b"__Host-sso-pending=\xff\xfe"]);
        assert_eq!(Cookies::parse(&headers, SESSION).unwrap().pending_link(), Some(""));
    }

    #[test]
    fn a_flow_cookie_is_named_by_the_first_characters_of_its_state() {
        assert_eq!(
            flow_name_for("abcdefgh-rest").as_deref(),
            Some("__Host-sso-flow-abcdefgh")
        );
        assert_eq!(
            flow_name_for("A-b_0-9_rest").as_deref(),
            Some("__Host-sso-flow-A-b_0-9_")
        );
        let state: FlowSecret = serde_json::from_value(serde_json::json!([7_u8; 32].as_slice())).unwrap();
        assert_eq!(Some(flow_name(&state)), flow_name_for(&state.reveal()));
        for state in ["", "abcdefg", "abc;efgh", "abcdefg=", "abcdefgé", "äbcdefgh"] {
            assert_eq!(flow_name_for(state), None, "{state}");
        }
    }

    #[test]
    fn every_attribute_is_said() {
        assert_eq!(
            keep("n", "v"),
            "n=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
        );
        assert_eq!(clear("n"), "n=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    }
}

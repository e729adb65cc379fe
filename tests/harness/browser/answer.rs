//! What came back, and where an actor can go from there.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::{
    Browser, form_body,
    page::{Button, Form, Page},
    request::{Journey, Outgoing},
};

/// No journey of ours takes this many redirects; a loop does.
const MOST_REDIRECTS: usize = 20;

/// One answer, in the tab that asked.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
    pub(super) browser: Browser,
    pub(super) journey: Journey,
    pub(super) method: Method,
    pub(super) sent: Bytes,
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

    /// How a flow went on: the `sso` of the redirect, or of the page that it led to.
    pub fn outcome(&self) -> Option<String> {
        if self.location().is_some() {
            self.location_parameter("sso")
        } else {
            self.parameter("sso")
        }
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

    /// Whether there is a button with this label.
    pub fn has_button(&self, label: &str) -> bool {
        find_button(&self.page().forms, label).is_some()
    }

    /// Presses the button with this label and waits for the first answer.
    pub async fn presses(&self, label: &str) -> Answer {
        self.pressing(label, &[]).send().await
    }

    /// What a form of this page that posts `fields` to `path` sends.
    pub fn posting(&self, path: &str, fields: &[(&str, &str)]) -> Outgoing {
        let journey = Journey::from_page(self.url().clone(), self.resolve(path), &self.headers);
        Outgoing::navigation(&self.browser, Method::POST, journey, form_body(fields))
    }

    /// The browser that this answer is in.
    pub fn browser(&self) -> &Browser {
        &self.browser
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

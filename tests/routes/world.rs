//! What every test of a route begins with: a stack, a good session, and what a refusal looks like in full.

use account_linking::clock::Clock;
use harness::{
    browser::{Answer, Browser, Outgoing},
    engines::Engine,
    magento::{Magento, Person},
    sessions::{SESSION_COOKIE, SessionIssuer},
    stack::{Setup, Stack},
};
use http::Method;
use serde_json::{Value, json};

/// A key that seals and opens flows; the test knows it too.
pub(crate) const FLOW_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A stack whose sessions, providers and sealing keys are the test's own. Nobody is at the providers.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) sessions: SessionIssuer,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let sessions = SessionIssuer::new();
        let setup = Setup::new(Engine::Embedded, Magento::Development)
            .with("PROVIDERS", &providers().to_string())
            .with("FLOW_KEYS", FLOW_KEY);
        let setup = variables
            .iter()
            .fold(sessions.configured(setup), |setup, (name, value)| {
                setup.with(name, value)
            });
        Self {
            stack: setup.start().await,
            sessions,
        }
    }

    /// The claims of Alice's good session.
    pub(crate) fn claims(&self) -> Value {
        SessionIssuer::claims(Person::Alice, self.stack.clock().now())
    }

    /// The settings page in a browser with this session.
    pub(crate) async fn page_with(&self, session: &str) -> Answer {
        let browser = self.stack.browser();
        let kept = browser.keeps(
            self.stack.origin(),
            &format!("{SESSION_COOKIE}={session}; Path=/; Secure"),
        );
        assert!(kept, "no cookie can hold this session");
        browser.types(&self.stack.at("/user")).await
    }

    /// The settings page in Alice's browser.
    pub(crate) async fn page(&self) -> Answer {
        self.page_with(&self.sessions.sign(&self.claims())).await
    }

    /// A browser that nobody is signed in with, on the settings page.
    pub(crate) async fn anonymous_page(&self) -> Answer {
        self.stack.browser().types(&self.stack.at("/user")).await
    }

    /// Alice starts a flow: the answer, and the `state` that went to the provider.
    pub(crate) async fn starts_a_flow(&self) -> (Browser, String) {
        let started = self.page().await.posting("/sso/magento/start-link", &[]).send().await;
        let state = started
            .location_parameter("state")
            .unwrap_or_else(|| panic!("no flow: {started:?}"));
        (started.browser().clone(), state)
    }

    /// Nothing has reached the table.
    pub(crate) async fn nothing_is_written(&self) {
        let contents = self.stack.contents().await;
        assert!(contents.is_empty(), "{contents:?}");
    }
}

/// Two providers whose endpoints are all told, so that nobody needs to be asked.
fn providers() -> Value {
    let provider = |id: &str, name: &str| {
        let at = |path: &str| format!("http://{id}.localhost:9/{path}");
        json!({
            "id": id, "name": name, "issuer": format!("http://{id}.localhost:9"),
            "client_id": "accounts", "client_authentication": "none",
            "authorization_endpoint": at("authorize"), "token_endpoint": at("token"), "jwks_uri": at("jwks"),
            "prompt_create": true,
        })
    };
    json!([provider("magento", "Magento.com"), provider("adobe", "Adobe")])
}

/// `request`, from a script that wants a document.
pub(crate) fn as_script(request: Outgoing) -> Outgoing {
    request
        .header("accept", "application/json")
        .header("sec-fetch-mode", "cors")
        .header("sec-fetch-dest", "empty")
}

/// Checks the whole of a refusal to a script: `401 session_required`, every header, every member of the document.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, expected: &str) {
    assert_eq!(answer.problem(), expected, "{answer:?}");
    assert_eq!(
        headers(answer),
        [
            ("cache-control", "no-store"),
            ("content-type", "application/problem+json"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ],
        "{answer:?}"
    );
    let problem = answer.json();
    let members: Vec<&String> = problem
        .as_object()
        .map(|members| members.keys().collect())
        .unwrap_or_default();
    assert_eq!(members, ["code", "detail", "request_id", "status", "title", "type"]);
    let code = expected.split(' ').nth(1).unwrap_or_default();
    let kind = format!("{}/sso/errors/{code}", answer.url().origin().ascii_serialization());
    assert_eq!(problem["type"], kind);
    for text in ["title", "detail", "request_id"] {
        assert!(
            problem[text].as_str().is_some_and(|text| !text.is_empty()),
            "{text}: {problem}"
        );
    }
}

/// Checks the whole of a refusal by a page of our own: its status, every header, and that it names the code's next step.
#[track_caller]
pub(crate) fn assert_refused_by_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    let headers = headers(answer);
    let without_policy: Vec<_> = headers
        .iter()
        .filter(|header| header.0 != "content-security-policy")
        .copied()
        .collect();
    assert_eq!(
        without_policy,
        [
            ("cache-control", "no-store"),
            ("content-type", "text/html; charset=utf-8"),
            ("cross-origin-opener-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ],
        "{answer:?}"
    );
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(
        policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"),
        "{policy}"
    );
    let settings = format!("{}/user", answer.url().origin().ascii_serialization());
    assert!(
        answer.page().links.iter().any(|link| link.href == settings),
        "no way back: {answer:?}"
    );
}

/// Checks that a navigation is sent to `location` with nothing on the way that should not be.
#[track_caller]
pub(crate) fn assert_sent_to(answer: &Answer, location: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, Some(location)),
        "{answer:?}"
    );
    assert_eq!(
        headers(answer),
        [
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("location", location),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ],
        "{answer:?}"
    );
    assert!(answer.body.is_empty(), "{answer:?}");
}

/// All headers but those of the connection, in order of their names.
pub(crate) fn headers(answer: &Answer) -> Vec<(&str, &str)> {
    let of_connection = ["connection", "content-length", "date", "transfer-encoding"];
    let all = answer
        .headers
        .iter()
        .filter(|(name, _)| !of_connection.contains(&name.as_str()));
    let mut all: Vec<_> = all
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("(no text)")))
        .collect();
    all.sort_unstable();
    all
}

/// Every function and how it is called when all is well: the method and the path behind `/sso/{provider}`.
pub(crate) const ROUTES: [(Method, &str); 6] = [
    (Method::POST, "/start-link"),
    (Method::GET, "/callback"),
    (Method::GET, "/status"),
    (Method::GET, "/confirm"),
    (Method::POST, "/confirm"),
    (Method::POST, "/unlink"),
];

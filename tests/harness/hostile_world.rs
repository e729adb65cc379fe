//! A stack that asks the hostile provider, and somebody new for each thing that is tried on it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use account_linking::{
    clock::Clock,
    http::{problem::ErrorCode, texts::Language},
};
use serde_json::{Value, json};

use crate::{
    browser::{Answer, Browser},
    engines::Engine,
    hostile_provider::{Endpoints, HostileProvider},
    magento::{Magento, Person},
    sessions::{SESSION_COOKIE, SessionIssuer},
    stack::{ProviderCalls, Setup, Stack},
};

/// A stack whose sessions and provider are the test's own.
pub struct HostileWorld {
    /// The stack.
    pub stack: Stack,
    /// Who issues its sessions.
    pub sessions: SessionIssuer,
    /// Its one provider.
    pub provider: HostileProvider,
    newcomers: AtomicU32,
    written: Mutex<Written>,
}

/// How much of each kind is in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Written {
    links: usize,
    claims: usize,
}

/// Somebody who has an account, an identity with the same verified address, a session, and nothing linked.
pub struct Newcomer {
    /// The account.
    pub account: String,
    /// The subject of the identity.
    pub subject: String,
    /// The browser.
    pub browser: Browser,
    /// The claims of the session.
    pub claims: Value,
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `linked`, or the code that the user is told; the status where neither is told.
    pub answer: String,
    /// Whether a link and its owner came to be.
    pub linked: bool,
    /// Whether the flow was claimed.
    pub claimed: bool,
    /// What the functions asked the provider.
    pub calls: ProviderCalls,
}

impl Outcome {
    /// What follows the redemption of a code: a link, when the answer says so, else nothing that is written.
    pub fn after_redemption(answer: &str) -> Self {
        Self {
            answer: answer.to_owned(),
            linked: answer == "linked",
            claimed: true,
            calls: ProviderCalls {
                token: 1,
                ..ProviderCalls::default()
            },
        }
    }

    /// A refusal that cost nobody anything.
    pub fn refused_at_once(answer: &str) -> Self {
        Self {
            answer: answer.to_owned(),
            linked: false,
            claimed: false,
            calls: ProviderCalls::default(),
        }
    }
}

impl HostileWorld {
    /// With an honest provider, told by these endpoints.
    pub async fn start(endpoints: Endpoints) -> Self {
        Self::start_with(endpoints, &[], &[], &[]).await
    }

    /// With these variables, these members of the provider's settings, and these other providers.
    pub async fn start_with(
        endpoints: Endpoints,
        variables: &[(&str, &str)],
        settings: &[(&str, Value)],
        others: &[Value],
    ) -> Self {
        let (provider, sessions) = (HostileProvider::start().await, SessionIssuer::new());
        let mut element = provider.settings("magento", endpoints);
        for (name, value) in settings {
            element[*name] = value.clone();
        }
        let providers = Value::Array([&[element], others].concat());
        let setup = Setup::new(Engine::Embedded, Magento::Development).with("PROVIDERS", &providers.to_string());
        let setup = variables
            .iter()
            .fold(setup, |setup, (name, value)| setup.with(name, value));
        let stack = sessions.configured(setup).start().await;
        provider.calls(); // those that fetched ahead
        Self {
            stack,
            sessions,
            provider,
            newcomers: AtomicU32::new(0),
            written: Mutex::default(),
        }
    }

    /// Everybody's clock goes on.
    pub fn time_passes(&self, seconds: i64) {
        self.stack.clock().move_by_ms(seconds * 1000);
        self.provider.time_passes(seconds * 1000);
    }

    /// Somebody new, whom the provider knows.
    pub fn newcomer(&self) -> Newcomer {
        let number = self.newcomers.fetch_add(1, Ordering::Relaxed);
        let account = format!("account-{number}");
        let subject = format!("subject-{number}");
        let email = format!("newcomer-{number}@example.com");
        self.provider
            .knows(json!({ "sub": subject, "email": email, "email_verified": true }));
        let mut claims = SessionIssuer::claims(Person::Alice, self.stack.clock().now());
        claims["sub"] = account.as_str().into();
        claims["sid"] = format!("session-{number}").into();
        claims["email"] = email.into();
        let browser = self.stack.browser();
        let session = self.sessions.sign(&claims);
        let kept = browser.keeps(
            self.stack.origin(),
            &format!("{SESSION_COOKIE}={session}; Path=/; Secure; HttpOnly; SameSite=Lax"),
        );
        assert!(kept, "no cookie can hold this session");
        Newcomer {
            account,
            subject,
            browser,
            claims,
        }
    }

    /// The settings page's form that starts a flow.
    pub async fn starts(&self, newcomer: &Newcomer) -> Answer {
        let (page, action) = (self.stack.at("/user"), self.stack.at("/sso/magento/start-link"));
        newcomer.browser.posting_from(&page, &action, &[]).send().await
    }

    /// A flow as far as the provider's redirect back, which is not followed yet.
    pub async fn about_to_come_back(&self, newcomer: &Newcomer) -> Answer {
        let started = self.starts(newcomer).await;
        assert!(started.outcome().is_none(), "no flow: {started:?}");
        started.follows().await
    }

    /// The `sso` of a redirect, the code that a page of ours is titled by, or the one that leads to the sign-in page without a word.
    fn told_by(&self, answer: &Answer) -> String {
        let code = match answer.location() {
            Some(location) => location
                .as_str()
                .starts_with(&self.stack.at("/sign-in?return_to="))
                .then_some(ErrorCode::SessionRequired),
            None => ErrorCode::ALL.iter().copied().find(|code| {
                let title = &Language::English.texts().code(*code).title;
                answer.status == code.status() && answer.page().title == *title
            }),
        };
        let told = answer.outcome().or_else(|| code.map(|code| code.to_string()));
        told.unwrap_or_else(|| answer.status.as_u16().to_string())
    }

    /// What came of `answer`, since this was last asked.
    pub async fn outcome(&self, answer: &Answer) -> Outcome {
        let contents = self.stack.contents().await; // fails when a link has no owner, or an owner no link
        let now = Written {
            links: contents.links.len(),
            claims: contents.claims,
        };
        let before = std::mem::replace(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner), now);
        Outcome {
            answer: self.told_by(answer),
            linked: now.links > before.links,
            claimed: now.claims > before.claims,
            calls: self.provider.calls(),
        }
    }
}

/// Collects the rows that did not come out as they should, so that one run shows them all.
#[derive(Default)]
pub struct Verdict {
    rows: usize,
    names: Vec<&'static str>,
    failures: Vec<String>,
}

impl Verdict {
    /// Notes a row.
    pub fn row<T: PartialEq + std::fmt::Debug>(&mut self, name: &'static str, expected: &T, found: &T) {
        self.rows += 1;
        assert!(!self.names.contains(&name), "{name} is there twice");
        self.names.push(name);
        if expected != found {
            self.failures
                .push(format!("{name}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }

    /// Fails the test when a row failed, or when rows were lost on the way.
    #[track_caller]
    pub fn is_clean(self, at_least: usize) {
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        assert!(self.rows >= at_least, "only {} rows", self.rows);
    }
}

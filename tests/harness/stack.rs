//! The whole system for one test: a database, a provider, and the local stack between them.

use std::{env, net::Ipv4Addr, sync::Arc};

use account_linking::{
    clock::{Clock, MovableClock, Timestamp},
    config::Environment,
    table::CallLimits,
};
use serde_json::Value;

use crate::{
    browser::{Answer, Browser, Transcript},
    contents::Contents,
    database_proxy::DatabaseProxy,
    deployed::Deployed,
    engines::{Database, Engine, free_address},
    front::{Front, OpenFront},
    iam::{ACCESS_KEY_ID, SECRET_ACCESS_KEY},
    lambda::LambdaGateway,
    magento::{Magento, Person},
    oidc_provider::{OidcProvider, Variant},
};

/// What a test wants of its stack.
#[derive(Clone, Debug)]
pub struct Setup {
    engine: Engine,
    magento: Magento,
    variant: Variant,
    variables: Vec<(String, String)>,
    call_limits: CallLimits,
}

impl Setup {
    /// This database and this provider, everything else as it comes.
    pub fn new(engine: Engine, magento: Magento) -> Self {
        Self {
            engine,
            magento,
            variant: Variant::default(),
            variables: Vec::new(),
            call_limits: CallLimits::default(),
        }
    }

    /// The variable `name` of contract section 8 is `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The functions wait for the database as `limits` say. Compiled ones do not hear of it.
    #[must_use]
    pub const fn with_call_limits(mut self, limits: CallLimits) -> Self {
        self.call_limits = limits;
        self
    }

    /// `oidc-provider` is this one.
    #[must_use]
    pub fn with_variant(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }

    /// Starts it all. When it returns, every part answers.
    pub async fn start(self) -> Stack {
        let functions = Functions::of_this_run();
        let deployed = match functions {
            Functions::Deployed => Some(Deployed::take(&self.variables).await),
            Functions::Compiled | Functions::Linked => None,
        };
        let database = match &deployed {
            Some(deployed) => deployed.database(),
            None => self.engine.start().await,
        };
        let database_proxy = DatabaseProxy::before(&database.endpoint).await;
        let oidc_provider = match self.magento {
            Magento::Development => None,
            Magento::OidcProvider => Some(OidcProvider::start(self.variant).await),
        };

        let mut environment = Environment::default();
        environment.bound_calls(self.call_limits);
        environment.set("PORT", "0");
        environment.set("TABLE_NAME", &database.table_name);
        environment.set("AWS_ENDPOINT_URL_DYNAMODB", &database_proxy.endpoint);
        environment.set("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID);
        environment.set("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
        if let Some(provider) = &oidc_provider {
            environment.set("PROVIDERS", self.variant.providers(&provider.issuer).to_string());
        }
        let front = match (&deployed, functions) {
            (Some(deployed), _) => {
                environment.set("DATA_DIR", deployed.data_dir.to_string_lossy());
                let local_stack = (Ipv4Addr::LOCALHOST, deployed.stack_port).into();
                Some((Front::bind(deployed.front_port).await, local_stack))
            }
            (None, Functions::Compiled) => Some((Front::bind(0).await, free_address())),
            (None, _) => None,
        };
        if let Some((front, local_stack)) = &front {
            environment.set("PUBLIC_ORIGIN", front.origin());
            environment.set("PORT", local_stack.port().to_string());
        }
        for (name, value) in self.variables {
            environment.set(&name, value);
        }
        // On the heap, or every test's future would be some 16 KiB large.
        let local = Box::pin(local_stack::Stack::start(environment)).await;
        let local = local.unwrap_or_else(|error| panic!("the local stack does not start: {error}"));
        if let Some(provider) = &oidc_provider {
            provider.register(self.variant.client(local.origin())).await;
        }
        let api_origin = match &deployed {
            Some(deployed) => format!("http://{}", deployed.api_host),
            None => local.origin().to_owned(),
        };
        let (mut front_server, mut gateway) = (None, None);
        if let Some((front, local_stack)) = front {
            front_server = Some(if let Some(deployed) = &deployed {
                front.open(deployed.address(), Some(&deployed.api_host), local_stack)
            } else {
                let compiled = LambdaGateway::start(local.environment()).await;
                front.open(gateway.insert(compiled).address, None, local_stack)
            });
        }
        database_proxy.calls(); // those that looked for the table
        let (magento, transcript) = (self.magento, Transcript::default());
        Stack {
            database,
            database_proxy,
            magento,
            oidc_provider,
            local: Arc::new(local),
            api_origin,
            transcript,
            _front: front_server,
            _gateway: gateway,
        }
    }
}

/// What answers the functions' routes in this test run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Functions {
    /// The functions' crates, linked into the local stack.
    Linked,
    /// What `cargo lambda build` has built, behind Lambda's protocol: `FUNCTIONS=compiled`.
    Compiled,
    /// What `tests/deploy/deployed.py` has deployed, on its table, whatever the engine: `FUNCTIONS=deployed`.
    Deployed,
}

impl Functions {
    #[expect(
        clippy::disallowed_methods,
        reason = "what a test run is about is the run's configuration"
    )]
    fn of_this_run() -> Self {
        match env::var("FUNCTIONS").as_deref() {
            Ok("compiled") => Self::Compiled,
            Ok("deployed") => Self::Deployed,
            Ok(other) => panic!("FUNCTIONS is {other}: neither compiled nor deployed"),
            Err(_) => Self::Linked,
        }
    }
}

/// The running system. It ends with this value.
pub struct Stack {
    /// The database, unobserved.
    pub database: Database,
    /// What stands between the functions and the database.
    pub database_proxy: DatabaseProxy,
    /// Who plays Magento.com.
    pub magento: Magento,
    /// What the stack's browsers said and heard.
    pub transcript: Transcript,
    oidc_provider: Option<OidcProvider>,
    local: Arc<local_stack::Stack>,
    api_origin: String,
    _front: Option<OpenFront>,
    _gateway: Option<LambdaGateway>,
}

/// The stack's clock, which its browsers' cookies age by.
struct StackClock(Arc<local_stack::Stack>);

impl Clock for StackClock {
    fn now(&self) -> Timestamp {
        self.0.clock().now()
    }
}

/// How often the functions called Magento.com, by endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProviderCalls {
    /// The metadata of OpenID Connect Discovery.
    pub discovery: u64,
    /// The key set.
    pub jwks: u64,
    /// The pushed authorization request endpoint (RFC 9126).
    pub pushed_authorization_request: u64,
    /// The token endpoint.
    pub token: u64,
}

impl Stack {
    /// `PUBLIC_ORIGIN`.
    pub fn origin(&self) -> &str {
        self.local.origin()
    }

    /// Where servers call the routes that ask for a signature: the API's own domain.
    pub fn api_origin(&self) -> &str {
        &self.api_origin
    }

    /// The variables of the functions.
    pub fn environment(&self) -> &Environment {
        self.local.environment()
    }

    /// The time of everything but the database and `oidc-provider`.
    pub fn clock(&self) -> &MovableClock {
        self.local.clock()
    }

    /// A new browser: another person, or another machine.
    pub fn browser(&self) -> Browser {
        Browser::new(Arc::new(StackClock(Arc::clone(&self.local))), self.transcript.clone())
    }

    /// `path` at accounts.magento.cloud.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Signs `person` in at accounts.magento.cloud; what comes back is the settings page.
    pub async fn signs_in(&self, browser: &Browser, person: Person) -> Answer {
        let choices = browser.visits(&self.at("/sign-in")).await;
        let settings = choices.presses(person.account_email()).await.followed().await;
        assert_eq!(settings.url().as_str(), self.at("/user"));
        settings
    }

    /// `person` in a new browser, signed in, on the settings page.
    pub async fn signed_in(&self, person: Person) -> Answer {
        self.signs_in(&self.browser(), person).await
    }

    /// `person` in a new browser, after linking their account to the identity of `at_magento` without being asked to confirm.
    pub async fn linked(&self, person: Person, at_magento: Person) -> Answer {
        let landed = self.brings(&self.signed_in(person).await, at_magento).await;
        assert_eq!(landed.outcome().as_deref(), Some("linked"), "{landed:?}");
        landed
    }

    /// Starts a flow on `settings` and signs `identity` in at Magento.com, until the browser is back at accounts.magento.cloud.
    pub async fn brings(&self, settings: &Answer, identity: Person) -> Answer {
        let page = settings.presses(CHOOSE).await.followed().await;
        self.magento.signs_in(&page, identity).await.followed().await
    }

    /// `person` in a new browser, who has brought the identity of `at_magento` and is asked to confirm it.
    pub async fn asked_to_confirm(&self, person: Person, at_magento: Person) -> Answer {
        let landed = self.brings(&self.signed_in(person).await, at_magento).await;
        assert_eq!(landed.outcome().as_deref(), Some("confirm"), "{landed:?}");
        landed
    }

    /// `person` has another address at Magento.com from now on.
    pub async fn changes_email_at_magento(&self, person: Person, email: &str) {
        let Some(provider) = &self.oidc_provider else {
            let home = self.local.provider_origin().expect("one of the two plays Magento.com");
            let page = self.browser().visits(&format!("{home}/sign-in")).await;
            let account = page.presses(person.email()).await.followed().await;
            let changed = account.pressing("Change the address", &[("email", email)]).send().await;
            assert_eq!(changed.status, 303, "{changed:?}");
            return;
        };
        provider.change_email(person.subject(), email).await;
    }

    /// What status tells a script on `page`.
    pub async fn status(&self, page: &Answer) -> Value {
        let answer = page
            .fetching(http::Method::GET, "/sso/magento/status", "application/json")
            .send()
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// What is in the table. Fails the test when its items contradict each other.
    pub async fn contents(&self) -> Contents {
        Contents::read(&self.database).await
    }

    /// How often the functions called Magento.com since the stack started.
    pub async fn provider_calls(&self) -> ProviderCalls {
        let Some(provider) = &self.oidc_provider else {
            let calls = self.local.provider_calls();
            return ProviderCalls {
                discovery: calls.discovery,
                jwks: calls.jwks,
                pushed_authorization_request: calls.pushed_authorization_request,
                token: calls.token,
            };
        };
        let requests = provider.requests().await;
        let count = |path: &str| requests.get(path).copied().unwrap_or_default();
        ProviderCalls {
            discovery: count("/.well-known/openid-configuration"),
            jwks: count("/jwks"),
            pushed_authorization_request: count("/request"),
            token: count("/token"),
        }
    }
}

/// The section's button that starts a flow.
pub const CONNECT: &str = "Connect with Magento.com";

/// The section's button that starts a flow in which the user chooses whom to be.
pub const CHOOSE: &str = "Use another Magento.com account";

/// Puts each story to every database and every provider.
///
/// A story is an `async fn(Setup)`; it becomes a module of its name with one test per combination.
#[macro_export]
macro_rules! on_every_combination {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            use harness::{engines::Engine::{DynamoDbLocal, Embedded}, magento::Magento::{Development, OidcProvider}, stack::Setup};

            #[tokio::test]
            async fn on_the_embedded_engine_with_the_development_provider() {
                super::$story(Setup::new(Embedded, Development)).await;
            }

            #[tokio::test]
            async fn on_the_embedded_engine_with_oidc_provider() {
                super::$story(Setup::new(Embedded, OidcProvider)).await;
            }

            #[tokio::test]
            async fn on_dynamodb_local_with_the_development_provider() {
                super::$story(Setup::new(DynamoDbLocal, Development)).await;
            }

            #[tokio::test]
            async fn on_dynamodb_local_with_oidc_provider() {
                super::$story(Setup::new(DynamoDbLocal, OidcProvider)).await;
            }
        }
    )+};
}

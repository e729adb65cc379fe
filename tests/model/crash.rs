//! The process killed at every call of a callback, a confirmation and an unlinking: before the call is done, and when it is done but not yet answered.
//!
//! Where the calls are is not written here: each act is done once undisturbed, and its calls are counted. Afterwards a new process has the same
//! keys and the same table; the table does not contradict itself, and the user gets where they wanted by loading the page again, or from the start.

use std::{collections::BTreeMap, process::Stdio, sync::Arc};

use account_linking::clock::{Clock, SystemClock};
use harness::{
    browser::{Answer, Browser},
    contents::Contents,
    database_proxy::{DatabaseProxy, Fate},
    engines::{Database, Engine},
    magento::{
        Magento,
        Person::{self, Alice, Bruno},
    },
    oidc_provider::{OidcProvider, Variant},
    sessions::{SESSION_COOKIE, SessionIssuer},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const FLOW_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What a user is about to do when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Comes back from Magento.com, to be linked at once.
    Link,
    /// Comes back from Magento.com, to be asked.
    BeAsked,
    /// Comes back from Magento.com with somebody else's identity.
    BringTakenIdentity,
    Confirm,
    ConfirmSwitch,
    Decline,
    Unlink,
    UnlinkNothing,
}

impl Act {
    /// What the user hears when nothing goes wrong.
    const fn outcome(self) -> &'static str {
        match self {
            Self::Link | Self::Confirm | Self::ConfirmSwitch => "linked",
            Self::BeAsked => "confirm",
            Self::BringTakenIdentity => "identity_in_use",
            Self::Decline => "cancelled",
            Self::Unlink | Self::UnlinkNothing => "unlinked",
        }
    }

    /// Who is linked to whom in the end.
    const fn links(self) -> &'static [(Person, Person)] {
        match self {
            Self::Link => &[(Alice, Alice)],
            Self::Confirm | Self::ConfirmSwitch => &[(Alice, Bruno)],
            Self::BringTakenIdentity => &[(Bruno, Alice)],
            Self::BeAsked | Self::Decline | Self::Unlink | Self::UnlinkNothing => &[],
        }
    }

    /// Whether a new process may refuse to take the flow up once more. It was claimed, and nobody knows what became of it.
    const fn may_start_over(self) -> bool {
        matches!(self, Self::Link | Self::BeAsked | Self::BringTakenIdentity)
    }
}

/// A request that a browser can send again.
struct Sent {
    browser: Browser,
    url: String,
    /// The page that posts it, and the form; else it is followed as a link.
    form: Option<(String, Vec<(&'static str, String)>)>,
}

impl Sent {
    async fn send(&self) -> Answer {
        let outgoing = match &self.form {
            Some((page, form)) => {
                let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
                self.browser.posting_from(page, &self.url, &form)
            }
            None => self
                .browser
                .following_a_link_from("http://magento.localhost/", &self.url),
        };
        outgoing.send().await
    }
}

/// What outlives a process: the table, the provider, the keys. And the process of now.
struct World {
    database: Database,
    database_proxy: DatabaseProxy,
    provider_proxy: DatabaseProxy,
    sessions: SessionIssuer,
    variables: BTreeMap<String, String>,
    origin: String,
    process: Child,
    _provider: OidcProvider,
}

impl World {
    async fn start(engine: Engine) -> Self {
        let database = engine.start().await;
        let database_proxy = DatabaseProxy::before(&database.endpoint).await;
        let variant = Variant::default();
        let provider = OidcProvider::start(variant).await;
        let provider_proxy = DatabaseProxy::before(&provider.issuer.replace("magento.localhost", "127.0.0.1")).await;

        let sessions = SessionIssuer::new();
        let mut variables: BTreeMap<_, _> = sessions.variables().into();
        let mut set = |name: &str, value: &str| drop(variables.insert(name.to_owned(), value.to_owned()));
        set("PORT", "0");
        set("TABLE_NAME", &database.table_name);
        set("AWS_ENDPOINT_URL_DYNAMODB", &database_proxy.endpoint);
        set("FLOW_KEYS", FLOW_KEY);
        set(
            "PROVIDERS",
            &providers(variant, &provider.issuer, &provider_proxy.endpoint),
        );
        let (process, origin) = spawn(&variables).await;
        let port = origin.rsplit(':').next().unwrap_or_default();
        variables.insert("PORT".to_owned(), port.to_owned());
        provider.register(variant.client(&origin)).await;
        Self {
            database,
            database_proxy,
            provider_proxy,
            sessions,
            variables,
            origin,
            process,
            _provider: provider,
        }
    }

    /// Everything up to `act`, on an empty table, and the request that it is.
    async fn about_to(&self, act: Act) -> Sent {
        self.database.clear().await;
        match act {
            Act::BringTakenIdentity => {
                self.links(Bruno, Alice).await;
                self.comes_back(Alice, Alice, false).await
            }
            Act::Link => self.comes_back(Alice, Alice, false).await,
            Act::BeAsked => self.comes_back(Alice, Bruno, false).await,
            Act::Confirm => self.decides(Alice, Bruno, false, "link").await,
            Act::Decline => self.decides(Alice, Bruno, false, "cancel").await,
            Act::ConfirmSwitch => {
                self.links(Alice, Alice).await;
                self.decides(Alice, Bruno, true, "link").await
            }
            Act::Unlink => {
                self.links(Alice, Alice).await;
                self.posts(&self.browser(Alice), "unlink", Vec::new())
            }
            Act::UnlinkNothing => self.posts(&self.browser(Alice), "unlink", Vec::new()),
        }
    }

    /// Links `account` to `identity`, with a question or without.
    async fn links(&self, account: Person, identity: Person) {
        let answer = if account == identity {
            self.comes_back(account, identity, false).await.send().await
        } else {
            self.decides(account, identity, false, "link").await.send().await
        };
        assert_eq!(answer.outcome().as_deref(), Some("linked"), "{answer:?}");
    }

    /// The user of `account` has signed in at Magento.com as `identity` and is about to come back.
    async fn comes_back(&self, account: Person, identity: Person, replace: bool) -> Sent {
        let browser = self.browser(account);
        let form = vec![("replace", replace.to_string())];
        let page = self.posts(&browser, "start-link", form).send().await.followed().await;
        let answered = Magento::OidcProvider.signs_in(&page, identity).await;
        let callback = answered.location().unwrap_or_else(|| panic!("{answered:?}"));
        Sent {
            browser,
            url: callback.into(),
            form: None,
        }
    }

    /// The same has come back and is about to decide.
    async fn decides(&self, account: Person, identity: Person, replace: bool, decision: &str) -> Sent {
        let back = self.comes_back(account, identity, replace).await;
        let asked = back.send().await;
        assert_eq!(asked.outcome().as_deref(), Some("confirm"), "{asked:?}");
        let look = back
            .browser
            .typing(&self.route("confirm"))
            .header("accept", "application/json");
        let confirmation = look.send().await.json()["confirmation"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let form = vec![("decision", decision.to_owned()), ("confirmation", confirmation)];
        self.posts(&back.browser, "confirm", form)
    }

    fn posts(&self, browser: &Browser, route: &str, form: Vec<(&'static str, String)>) -> Sent {
        let page = format!("{}/user", self.origin);
        Sent {
            browser: browser.clone(),
            url: self.route(route),
            form: Some((page, form)),
        }
    }

    fn route(&self, name: &str) -> String {
        format!("{}/sso/magento/{name}", self.origin)
    }

    /// A browser in which `account` is signed in.
    fn browser(&self, account: Person) -> Browser {
        let session = self.sessions.sign(&SessionIssuer::claims(account, SystemClock.now()));
        let browser = Browser::default();
        let kept = browser.keeps(&self.origin, &format!("{SESSION_COOKIE}={session}; Path=/; Secure"));
        assert!(kept, "no cookie can hold this session");
        browser
    }

    /// A new process in place of the one that has died.
    async fn starts_again(&mut self) {
        let (process, origin) = spawn(&self.variables).await;
        assert_eq!(origin, self.origin);
        self.process = process;
    }

    /// Who is linked to whom. The table does not contradict itself, or reading it fails the test.
    async fn consistent_links(&self) -> Vec<(String, String)> {
        let contents = Contents::read(&self.database).await;
        contents
            .links
            .into_iter()
            .map(|link| (link.account, link.subject))
            .collect()
    }
}

/// `PROVIDERS` for the provider at `issuer`, which the functions reach by way of `proxy`.
fn providers(variant: Variant, issuer: &str, proxy: &str) -> String {
    let mut providers = variant.providers(issuer);
    let proxy = proxy.replace("127.0.0.1", "behind.magento.localhost");
    providers[0]["authorization_endpoint"] = json!(format!("{issuer}/auth"));
    providers[0]["token_endpoint"] = json!(format!("{proxy}/token"));
    providers[0]["jwks_uri"] = json!(format!("{proxy}/jwks"));
    providers.to_string()
}

/// The local stack as a process of its own, and its origin.
async fn spawn(variables: &BTreeMap<String, String>) -> (Child, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_killable-stack"))
        .env_clear()
        .envs(variables)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let origin = loop {
        let line = lines.next_line().await.unwrap().expect("the stack starts");
        if let Some(origin) = line.strip_prefix("listening on ") {
            break origin.to_owned();
        }
    };
    // Who writes what nobody reads waits for ever.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (process, origin)
}

/// A link, as the table has it.
fn ids(account: Person, identity: Person) -> (String, String) {
    (account.account_id().to_owned(), identity.subject().to_owned())
}

/// Where a process dies: at which call of which name, counted from the beginning of the act, and whether that was done.
#[derive(Clone, Debug)]
struct Point {
    at_provider: bool,
    operation: String,
    earlier: usize,
    done: bool,
}

impl Point {
    /// Whether a callback that dies here has claimed its flow, which is what it does first.
    fn is_behind_the_claim(&self) -> bool {
        self.done || self.at_provider || self.earlier > 0 || self.operation != "PutItem"
    }
}

/// A point before and a point after each of the calls.
fn points(at_provider: bool, operations: &[String]) -> Vec<Point> {
    let each = operations.iter().enumerate().flat_map(|(position, operation)| {
        let earlier = operations[..position]
            .iter()
            .filter(|other| *other == operation)
            .count();
        [false, true].map(|done| Point {
            at_provider,
            operation: operation.clone(),
            earlier,
            done,
        })
    });
    each.collect()
}

async fn dies_at_every_call_of(engine: Engine, act: Act) {
    let mut world = World::start(engine).await;
    let undisturbed = world.about_to(act).await;
    world.database_proxy.calls(); // those that led there
    world.provider_proxy.calls();
    let answer = undisturbed.send().await;
    assert_eq!(answer.outcome().as_deref(), Some(act.outcome()), "{answer:?}");
    let mut all = points(false, &world.database_proxy.operations());
    all.extend(points(true, &world.provider_proxy.operations()));
    assert!(all.len() >= 2, "{act:?} calls nobody");

    for point in all {
        dies_at(&mut world, act, &point).await;
    }
}

async fn dies_at(world: &mut World, act: Act, point: &Point) {
    let sent = Arc::new(world.about_to(act).await);
    let before = world.consistent_links().await;
    let (fate, held) = if point.done { Fate::hold_answer() } else { Fate::hold() };
    let proxy = if point.at_provider {
        &world.provider_proxy
    } else {
        &world.database_proxy
    };
    let passing = (0..point.earlier).map(|_| Fate::Pass);
    proxy.next(&point.operation, passing.chain([fate]));
    let waiting = tokio::spawn({
        let sent = sent.clone();
        async move { drop(sent.send().await) }
    });
    let held = held.arrived().await;
    world.process.kill().await.unwrap(); // SIGKILL
    waiting.abort();
    drop(held);

    let wanted: Vec<_> = act
        .links()
        .iter()
        .map(|(account, identity)| ids(*account, *identity))
        .collect();
    let left = world.consistent_links().await;
    assert!(left == before || left == wanted, "{act:?} {point:?} left {left:?}");
    world.starts_again().await;
    let mut answer = sent.send().await;
    if answer.status == 400 && act.may_start_over() {
        assert!(answer.page().text.contains("no longer valid"), "{point:?}: {answer:?}");
        assert!(point.is_behind_the_claim(), "nothing was claimed: {point:?}");
        answer = match act {
            Act::BeAsked => world.comes_back(Alice, Bruno, false).await,
            _ => world.comes_back(Alice, Alice, false).await,
        }
        .send()
        .await;
    }
    assert_eq!(
        answer.outcome().as_deref(),
        Some(act.outcome()),
        "{act:?} {point:?}: {answer:?}"
    );
    assert_eq!(world.consistent_links().await, wanted, "{act:?} {point:?}");
}

macro_rules! on_both_engines {
    ($($name:ident: $act:ident),+ $(,)?) => {$(
        mod $name {
            use super::{Act, Engine, dies_at_every_call_of};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_the_embedded_engine() {
                dies_at_every_call_of(Engine::Embedded, Act::$act).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_dynamodb_local() {
                dies_at_every_call_of(Engine::DynamoDbLocal, Act::$act).await;
            }
        }
    )+};
}

on_both_engines!(
    a_callback_that_links: Link,
    a_callback_that_asks: BeAsked,
    a_callback_with_an_identity_in_use: BringTakenIdentity,
    a_confirmation: Confirm,
    a_confirmed_switch: ConfirmSwitch,
    a_declined_confirmation: Decline,
    an_unlinking: Unlink,
    an_unlinking_of_nothing: UnlinkNothing,
);

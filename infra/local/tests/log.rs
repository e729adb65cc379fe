//! The log as the process writes it: whatever is asked of whichever function, and whatever goes wrong, a line is what docs/logging.md says
//! and holds nothing that was secret.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    sync::Arc,
};

use account_linking::{clock::SystemClock, ticket::Challenge};
use harness::{
    browser::{Answer, Browser, Exchange, Outgoing, Transcript},
    database_proxy::{DatabaseProxy, Fate},
    documents,
    engines::{Database, Engine},
    iam,
    magento::{Magento, Person},
    stack::{CHOOSE, CONNECT},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use local_stack::ROUTES;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};
use url::Url;

/// Part of everything that the test plants itself.
const CANARY: &str = "canary";

/// A user agent that would colour a terminal and begin a new line there: U+009B and U+0085 are control characters that a header may hold.
const USER_AGENT: &str = "canary-agent\t\u{9b}31m\u{85}{\"level\":\"INFO\"}";

/// The names under which secrets travel in queries, forms and documents.
const SECRET_PARAMETERS: [&str; 10] = [
    "challenge",
    "code",
    "code_challenge",
    "confirmation",
    "email",
    "nonce",
    "request_uri",
    "state",
    "ticket",
    "verifier",
];

/// The secret that the login page keeps in the browser.
const VERIFIER: &str = "canary-verifier, which the login page keeps in the browser";

/// The stack as a process of its own, whose standard output is the log.
struct World {
    origin: String,
    process: Child,
    log: JoinHandle<Vec<String>>,
    transcript: Transcript,
    proxy: DatabaseProxy,
    _database: Database,
}

impl World {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let database = Engine::Embedded.start().await;
        let proxy = DatabaseProxy::before(&database.endpoint).await;
        let mut process = Command::new(env!("CARGO_BIN_EXE_local-stack"))
            .env_clear()
            .envs([
                ("PORT", "0"),
                // Whoever linked still signs in by e-mail.
                ("LINKING_REQUIRED_FROM", "never"),
                ("TABLE_NAME", &database.table_name),
                ("AWS_ENDPOINT_URL_DYNAMODB", &proxy.endpoint),
                ("AWS_ACCESS_KEY_ID", iam::ACCESS_KEY_ID),
                ("AWS_SECRET_ACCESS_KEY", iam::SECRET_ACCESS_KEY),
            ])
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = lines.next_line().await.unwrap().unwrap();
        let origin = listening.strip_prefix("listening on ").unwrap().to_owned();
        let log = tokio::spawn(async move {
            let mut log = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                log.push(line);
            }
            log
        });
        Self {
            origin,
            process,
            log,
            transcript: Transcript::default(),
            proxy,
            _database: database,
        }
    }

    /// What was said to and by the functions, and what they wrote about it.
    async fn end(mut self) -> (Vec<Exchange>, Vec<String>) {
        self.process.kill().await.unwrap();
        let mut exchanges = self.transcript.exchanges();
        exchanges.retain(|exchange| exchange.url.as_str().starts_with(&self.at("/sso/")));
        (exchanges, self.log.await.unwrap())
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn browser(&self) -> Browser {
        Browser::new(Arc::new(SystemClock), self.transcript.clone())
    }

    /// `person` in a new browser, on the settings page.
    async fn signed_in(&self, person: Person) -> Answer {
        let choices = self.browser().visits(&self.at("/sign-in")).await;
        choices.presses(person.account_email()).await.followed().await
    }

    /// `person` starts a flow on `settings`, as far as the provider's answer, which is not followed yet.
    async fn answered(&self, settings: &Answer, person: Person) -> Answer {
        let page = sends(settings.pressing(CHOOSE, &[])).await.followed().await;
        Magento::Development.signs_in(&page, person).await
    }

    /// `person` in a new browser, back from the provider.
    async fn brings(&self, person: Person) -> Answer {
        let settings = self.signed_in(person).await;
        self.answered(&settings, person).await.followed().await
    }

    /// Alice signs in at Magento.com: the callback's answer.
    async fn signing_in(&self) -> Answer {
        let start = self.at(&format!("/sso/magento/sign-in?challenge={}", Challenge::of(VERIFIER)));
        let page = sends(self.browser().typing(&start)).await.followed().await;
        sends(Magento::Development.signs_in(&page, Person::Alice).await.redirected()).await
    }

    async fn server_calls(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let secret = iam::SECRET_ACCESS_KEY;
        sends(iam::signed_at(
            &self.browser(),
            &self.origin,
            &method,
            path,
            body,
            secret,
        ))
        .await
    }

    async fn redeems(&self, ticket: &str) -> Answer {
        let body = json!({"ticket": ticket, "verifier": VERIFIER, "more": "canary-member"});
        self.server_calls(Method::POST, "/sso/tickets/redeem", Some(&body))
            .await
    }
}

async fn sends(request: Outgoing) -> Answer {
    let request = request.header("user-agent", USER_AGENT);
    request.header("x-amzn-trace-id", "Root=canary-trace").send().await
}

const ACCOUNT: &str = "/sso/magento/accounts/YWNjdDpjYW5hcnk"; // acct:canary

/// Everything comes out well: each function, each way.
async fn all_is_well(world: &World) {
    let settings = world.brings(Person::Alice).await;
    assert_eq!(settings.outcome().as_deref(), Some("linked"), "{settings:?}");
    sends(settings.fetching(Method::GET, "/sso/magento/status?x=canary-query", "application/json")).await;
    sends(settings.fetching(Method::GET, "/sso/magento/status", "text/html")).await;

    for decision in ["cancel", "link"] {
        let asked = world.brings(Person::Bruno).await;
        let shown = sends(asked.fetching(Method::GET, "/sso/magento/confirm", "application/json")).await;
        let confirmation = shown.json()["confirmation"].as_str().unwrap().to_owned();
        let form = [
            ("decision", decision),
            ("confirmation", &confirmation),
            ("more", "canary-field"),
        ];
        sends(asked.posting("/sso/magento/confirm", &form)).await;
    }

    let ticket = world.signing_in().await.location_parameter("ticket").unwrap();
    assert_eq!(world.redeems(&ticket).await.status, 200);

    let exemption = json!({"until": "2999-01-01T00:00:00Z", "reason": "canary-reason"});
    for (method, rest, body) in [
        (Method::PUT, "/exemption", Some(&exemption)),
        (Method::GET, "", None),
        (Method::DELETE, "/exemption", None),
        (Method::DELETE, "/link", None),
    ] {
        let answer = world.server_calls(method, &format!("{ACCOUNT}{rest}"), body).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    for _ in 0..2 {
        sends(settings.posting("/sso/magento/unlink", &[("more", "canary-field")])).await;
    }
}

/// Nobody gets what they want.
async fn all_are_refused(world: &World) {
    let nobody = world.browser().types(&world.at("/sign-in")).await;
    let settings = world.signed_in(Person::Chloe).await;
    for route in ROUTES.iter().filter(|route| route.path.contains("{provider}")) {
        let path = route.path.replace("{account_id}", "Y2FuYXJ5");
        let path = path.replace("{provider}", "canary-path%1B[31m%0A");
        let query = format!("{path}?x=canary-query%0A%22&state=canary-state");
        if route.caller == local_stack::Caller::Iam {
            world.server_calls(route.method.clone(), &path, None).await;
            continue;
        }
        for page in [&nobody, &settings] {
            sends(page.fetching(route.method.clone(), &query, "text/html")).await;
            sends(page.fetching(route.method.clone(), &query, "application/json")).await;
        }
        let path = route.path.replace("{provider}", "magento");
        for cookie in [
            "__Host-accounts-session=canary-session; other=canary-cookie",
            "__Host-sso-pending=canary-pending; __Host-sso-pending=canary-pending",
            "__Host-sso-flow-canary-s=canary-flow",
        ] {
            let call = nobody.fetching(route.method.clone(), &path, "application/json");
            sends(call.header("cookie", cookie)).await;
        }
        let token = nobody.fetching(route.method.clone(), &path, "application/json");
        sends(token.header("authorization", "Bearer canary.token.canary")).await;
        let from_elsewhere = settings.fetching(route.method.clone(), &path, "application/json");
        let from_elsewhere = from_elsewhere.header("origin", "http://canary.example");
        sends(from_elsewhere.header("sec-fetch-site", "cross-site")).await;
        let call = settings.fetching(route.method.clone(), &path, "application/json");
        sends(call.body("application/x-www-form-urlencoded", "intent=canary-field&decision=%ff")).await;
    }
    sends(settings.posting("/sso/magento/confirm", &[("confirmation", "canary-confirmation")])).await;

    // What the provider's answer may say, and what the provider says to a code that it never gave.
    for changes in [
        &[("code", "canary-code")][..],
        &[("iss", "http://canary.example")],
        &[
            ("code", ""),
            ("error", "canary_error"),
            ("error_description", "canary-description"),
        ],
        &[("state", "canary-state")],
        &[("state", "canary-stateanary-stateanary-stateanary-sta")],
    ] {
        let back = world.answered(&settings, Person::Chloe).await.location().unwrap();
        let mut url = back.clone();
        let given: BTreeMap<_, _> = back.query_pairs().collect();
        let mut pairs: BTreeMap<&str, &str> = given.iter().map(|(name, value)| (&**name, &**value)).collect();
        pairs.extend(changes.iter().copied());
        pairs.retain(|_, value| !value.is_empty());
        url.query_pairs_mut().clear().extend_pairs(pairs);
        sends(settings.browser().typing(url.as_str())).await;
    }

    world.redeems("canary-ticket").await;
    let not_json = json!("canary-body");
    world
        .server_calls(Method::POST, "/sso/tickets/redeem", Some(&not_json))
        .await;
    let no_instant = json!({"until": "canary-until", "reason": "canary-reason"});
    let path = format!("{ACCOUNT}/exemption");
    world.server_calls(Method::PUT, &path, Some(&no_instant)).await;
    world
        .server_calls(Method::GET, "/sso/magento/accounts/canary-account%22", None)
        .await;
}

/// The database misunderstands, and quotes what it was sent; or it does not answer.
async fn the_database_fails(world: &World) {
    let fates: [fn() -> Fate; 2] = [
        || {
            let answer = json!({"__type": "ValidationException", "message": "canary-database alice@example.com\n"});
            Fate::Answer(StatusCode::BAD_REQUEST, answer)
        },
        Fate::throttled,
    ];
    for fate in fates {
        let always = || [fate(), fate(), fate()];
        let asked = world.brings(Person::Chloe).await;
        let shown = sends(asked.fetching(Method::GET, "/sso/magento/confirm", "application/json")).await;
        let confirmation = shown.json()["confirmation"].as_str().unwrap().to_owned();
        let form = [("decision", "link"), ("confirmation", &*confirmation)];
        let back = world.answered(&asked, Person::Alice).await;
        for operation in ["GetItem", "PutItem", "TransactWriteItems", "DeleteItem"] {
            world.proxy.next(operation, always());
        }
        sends(back.redirected()).await;
        sends(asked.posting("/sso/magento/confirm", &form)).await;
        for path in ["/sso/magento/status", "/sso/magento/unlink"] {
            let method = if path.ends_with("status") {
                Method::GET
            } else {
                Method::POST
            };
            world.proxy.next("GetItem", always());
            sends(asked.fetching(method, path, "application/json")).await;
        }
        world.redeems("canary-ticket").await;
        world.proxy.next("GetItem", always());
        world.server_calls(Method::GET, ACCOUNT, None).await;
        world.proxy.forget();
    }
}

/// Nobody is where the provider should be.
async fn nobody_is_at_the_provider(world: &World) {
    let settings = world.signed_in(Person::Alice).await;
    sends(settings.pressing(CONNECT, &[])).await;
    let start = world.at(&format!("/sso/magento/sign-in?challenge={}", Challenge::of(VERIFIER)));
    sends(world.browser().typing(&start)).await;
}

#[tokio::test]
async fn a_line_of_the_log_has_its_documented_fields_and_nothing_that_was_secret() {
    let world = World::start(&[]).await;
    all_is_well(&world).await;
    all_are_refused(&world).await;
    the_database_fails(&world).await;
    let (mut exchanges, mut log) = world.end().await;

    let lonely = World::start(&[(
        "PROVIDERS",
        r#"[{"id": "magento", "name": "Magento.com", "issuer": "http://magento.localhost:9", "client_id": "canary-client",
            "client_authentication": "client_secret_post", "client_secret": "canary-secret"}]"#,
    )])
    .await;
    nobody_is_at_the_provider(&lonely).await;
    let (more_exchanges, more_log) = lonely.end().await;
    exchanges.extend(more_exchanges);
    log.extend(more_log);

    let documented = documented_fields();
    let secrets: BTreeSet<String> = exchanges.iter().flat_map(secrets_of).collect();
    assert!(secrets.len() > 100, "{secrets:?}");
    let (mut seen, mut lines_of_policy) = (BTreeSet::new(), 0);
    for line in &log {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        let fields = record.as_object().unwrap();
        let unknown: Vec<_> = fields.keys().filter(|name| !documented.contains(*name)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {line}");
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(!line.contains('@') && !line.contains(CANARY), "{line}");
        for text in texts_of(&record) {
            assert!(!text.contains('@') && !text.contains(CANARY), "{line}");
            let told = secrets.iter().find(|secret| text.contains(secret.as_str()));
            assert_eq!(told, None, "{line}");
        }
        lines_of_policy += usize::from(fields["function"] == "account-policy");
        seen.insert((fields["function"].clone().to_string(), fields["level"].to_string()));
    }
    // One line per request. The accounts site asks account-policy too, whenever somebody signs in.
    let is_about_policy = |exchange: &&Exchange| exchange.url.path().contains("/accounts/");
    let about_policy = exchanges.iter().filter(is_about_policy).count();
    assert_eq!(log.len() - lines_of_policy, exchanges.len() - about_policy);
    assert!(lines_of_policy > about_policy, "{lines_of_policy} of {about_policy}");

    let expected = ROUTES.iter().flat_map(|route| {
        let level = |level| (format!("{:?}", route.function), format!("{level:?}"));
        ["INFO", "WARN", "ERROR"].map(level)
    });
    assert_eq!(seen, expected.collect(), "every function, well, refused and failing");
}

/// The names in the first column of the tables of docs/logging.md.
fn documented_fields() -> BTreeSet<String> {
    let text = documents::text("docs/logging.md");
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    rows.flat_map(|cell| cell.split(&['`', ',', ' ']))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Every text in `value`, whatever it is called.
fn texts_of(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(elements) => elements.iter().flat_map(texts_of).collect(),
        Value::Object(members) => members.values().flat_map(texts_of).collect(),
        _ => Vec::new(),
    }
}

/// What went over the wire in `exchange` and should stay there.
fn secrets_of(exchange: &Exchange) -> Vec<String> {
    let location = header_texts(&exchange.headers, &header::LOCATION).next();
    let location = location.and_then(|location| exchange.url.join(location).ok());
    let queries: Vec<String> = [Some(&exchange.url), location.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(Url::query)
        .map(str::to_owned)
        .collect();
    let body = String::from_utf8_lossy(&exchange.request_body);
    let forms = queries.iter().map(String::as_str).chain([&*body]);
    let parameters = forms
        .flat_map(|form| form_urlencoded::parse(form.as_bytes()))
        .filter(|(name, _)| SECRET_PARAMETERS.contains(&&**name))
        .map(|(_, value)| value.into_owned());
    let cookies = header_texts(&exchange.request_headers, &header::COOKIE).flat_map(|cookies| cookies.split("; "));
    let set_cookies =
        header_texts(&exchange.headers, &header::SET_COOKIE).filter_map(|cookie| cookie.split(';').next());
    let cookies = cookies
        .chain(set_cookies)
        .filter_map(|cookie| Some(cookie.split_once('=')?.1.to_owned()));
    let document: Value = serde_json::from_str(&body).unwrap_or_default();
    let members = SECRET_PARAMETERS
        .iter()
        .filter_map(|name| Some(document[*name].as_str()?.to_owned()));
    let all = parameters.chain(cookies).chain(members).chain(queries.clone());
    // Shorter ones are words, and cleared cookies have none.
    all.filter(|secret| secret.len() >= 16).collect()
}

fn header_texts<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value: &HeaderValue| value.to_str().ok())
}

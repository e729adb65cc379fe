//! A sequence, done to the running system and to the model at once.
//!
//! What the system answers and what is in its table must be what the model says. Of operations at once the order is unknown: then some order of
//! them must explain every answer and the table, and where several do, all are kept until a later round tells them apart.

use std::{collections::BTreeMap, time::Duration};

use account_linking::{
    clock::{Clock, SystemClock, Timestamp},
    identity::AccountId,
    ticket::Challenge,
};
use harness::{
    browser::{Answer, Browser, cookies::Cookie},
    contents::Contents,
    database_proxy::Fate,
    engines::Engine,
    iam,
    magento::{Magento, Person},
    sessions::{SESSION_COOKIE, SessionIssuer},
    stack::{Setup, Stack},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::model::{Account, Event, FlowNumber, Model, Op, PEOPLE, Tick, UNAVAILABLE, masked};

/// How long a round takes. A flow's ten minutes end in the middle of one, so that no operation is near to that moment.
const ROUND: Duration = Duration::from_secs(16);
/// Until then a round's exemption lasts, and then the requirement begins: in the middle again.
const HALF: Duration = Duration::from_secs(8);
/// The last round before linking is required.
const FREE_UNTIL: Tick = 15;

const VERIFIER: &str = "what the login page keeps in the browser, and nobody else has";

/// What happens at once, some rounds after what happened before.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) wait: Tick,
    pub(crate) ops: Vec<Op>,
    /// The next calls of an operation of the database fail, so many of them.
    pub(crate) faults: Vec<(&'static str, Fault, usize)>,
}

impl Round {
    /// All of `ops` at once, a round later.
    pub(crate) fn at_once(ops: &[Op]) -> Self {
        Self {
            wait: 1,
            ops: ops.to_vec(),
            faults: Vec::new(),
        }
    }
}

/// How a call to the database fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    LostRequest,
    LostAnswer,
    Throttled,
    Conflict,
}

impl Fault {
    fn fate(self, operation: &str) -> Fate {
        match (self, operation) {
            (Self::LostRequest, _) => Fate::LoseRequest,
            (Self::LostAnswer, _) => Fate::LoseAnswer,
            // A read meets no conflicts.
            (Self::Throttled, _) | (Self::Conflict, "GetItem") => Fate::throttled(),
            (Self::Conflict, "TransactWriteItems") => Fate::cancelled(&["TransactionConflict", "None"]),
            (Self::Conflict, _) => Fate::error("TransactionConflictException"),
        }
    }
}

/// The system, the model, and what they have done.
pub(crate) struct Run {
    system: System,
    /// Every state of the model that explains all that was seen.
    models: Vec<Model>,
    /// What was done and answered, to be read when a run fails.
    story: Vec<String>,
}

impl Run {
    /// Begins with an empty table. Accounts are linked without a question to identities with their own address only, if the service `asks`.
    pub(crate) async fn begin(engine: Engine, asks: bool, name: &str) -> Self {
        Self {
            system: System::start(engine, asks).await,
            models: vec![Model::new(asks, FREE_UNTIL)],
            story: vec![name.to_owned(), format!("asks: {asks}")],
        }
    }

    /// Does all of `rounds`; what the database failed is done again.
    pub(crate) async fn play(&mut self, rounds: &[Round]) {
        for round in rounds {
            let answers = self.round(round).await;
            let failed = round
                .ops
                .iter()
                .zip(&answers)
                .filter(|(_, answer)| *answer == UNAVAILABLE);
            let again: Vec<_> = failed.map(|(op, _)| Round::at_once(&[*op])).collect();
            for round in again {
                self.round(&round).await;
            }
        }
    }

    /// What an account is linked to in the end.
    pub(crate) async fn linked(&self, account: Person) -> Option<Person> {
        let contents = Contents::read(&self.system.stack.database).await;
        PEOPLE
            .into_iter()
            .find(|identity| contents.links.iter().any(|link| link.joins(account, *identity)))
    }

    /// Does `round`, and keeps the models that explain it.
    pub(crate) async fn round(&mut self, round: &Round) -> Vec<String> {
        for model in &mut self.models {
            model.begin(round.wait, &round.ops);
        }
        let now = self.models[0].now;
        let answers = self.system.does(round, now).await;
        self.story.push(format!("{now}: {round:?}\n    {answers:?}"));

        let done: Vec<_> = round
            .ops
            .iter()
            .copied()
            .zip(answers.iter().map(String::as_str))
            .collect();
        let may_fail = round.ops.len() > 1 || !round.faults.is_empty();
        let mut explanations = Vec::new();
        for model in &self.models {
            explain(model, &done, may_fail, &mut explanations);
        }
        if explanations.is_empty() {
            let expected: Vec<Vec<_>> = self.models.iter().map(|model| expected(model, &round.ops)).collect();
            panic!(
                "{}\nno order explains the answers; one by one they were to be {expected:?}",
                self.story.join("\n")
            );
        }
        let seen = self.system.table().await;
        self.models = explanations
            .into_iter()
            .filter(|model| Table::of(model) == seen)
            .collect();
        assert!(
            !self.models.is_empty(),
            "{}\nthe answers are right and the table is not: {seen:?}",
            self.story.join("\n")
        );
        answers
    }
}

/// What each of `ops` would answer if nothing else were done.
fn expected(model: &Model, ops: &[Op]) -> Vec<String> {
    ops.iter().map(|op| model.step(*op).answer).collect()
}

/// Adds to `found` what `model` can have become when all of `done` was done and answered, in whatever order.
fn explain(model: &Model, done: &[(Op, &str)], may_fail: bool, found: &mut Vec<Model>) {
    if done.is_empty() && !found.contains(model) {
        found.push(model.clone());
    }
    for (position, &(op, answer)) in done.iter().enumerate() {
        let others = [&done[..position], &done[position + 1..]].concat();
        for next in after(model, op, answer, may_fail) {
            explain(&next, &others, may_fail, found);
        }
    }
}

/// What `model` can have become by `op` if it was answered so; nothing, when it cannot have been.
fn after(model: &Model, op: Op, answer: &str, may_fail: bool) -> Vec<Model> {
    let step = model.step(op);
    if answer == UNAVAILABLE && may_fail {
        model.interrupted(op)
    } else if answer != step.answer {
        Vec::new()
    } else if answer == "identity_in_use" && may_fail {
        vec![step.next.clone().unrecorded(model), step.next]
    } else {
        vec![step.next]
    }
}

/// What the table holds, as far as the model speaks of it.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    accounts: [Account; 3],
    events: Vec<Event>,
}

impl Table {
    fn of(model: &Model) -> Self {
        Self {
            accounts: model.accounts,
            events: model.events.clone(),
        }
    }
}

/// The running system, and what its users have in their browsers.
struct System {
    stack: Stack,
    sessions: SessionIssuer,
    /// When round 0 was.
    beginning: Timestamp,
    flows: BTreeMap<FlowNumber, Begun>,
}

/// A flow, as far as its browser knows.
#[derive(Clone)]
struct Begun {
    account: Person,
    identity: Person,
    /// The page on which Magento.com asks who it is.
    chooser: Answer,
    /// Where its answer leads.
    callback: Option<String>,
    cookie: Cookie,
    pending: Option<Pending>,
}

/// A pending link, as far as its browser knows.
#[derive(Clone)]
struct Pending {
    cookie: Cookie,
    confirmation: String,
}

/// What an operation left in a browser.
enum Left {
    Flow(FlowNumber, Box<Begun>),
    Pending(FlowNumber, Cookie),
}

impl System {
    async fn start(engine: Engine, asks: bool) -> Self {
        let sessions = SessionIssuer::new();
        let beginning = Timestamp::from_unix_seconds(SystemClock.now().unix_seconds() + 1);
        let setup = sessions.configured(Setup::new(engine, Magento::Development));
        let setup = setup
            .with("CONFIRM_LINK", if asks { "when_email_differs" } else { "never" })
            .with("LINKING_REQUIRED_FROM", &after_round(beginning, FREE_UNTIL).to_string());
        Self {
            stack: setup.start().await,
            sessions,
            beginning,
            flows: BTreeMap::new(),
        }
    }

    /// Does `round` at `now`: what each operation was answered.
    async fn does(&mut self, round: &Round, now: Tick) -> Vec<String> {
        let instant = in_round(self.beginning, now);
        self.stack.clock().set(instant);
        for op in &round.ops {
            if let Op::Callback { flow } | Op::CallbackElsewhere { flow } = *op {
                self.signs_in(flow).await;
            }
        }
        let proxy = &self.stack.database_proxy;
        for &(operation, fault, count) in &round.faults {
            proxy.next(operation, (0..count).map(|_| fault.fate(operation)));
        }
        let answers = at_once(round.ops.iter().map(|op| Box::pin(self.answers(*op, now)))).await;
        proxy.forget();

        let mut said = Vec::new();
        for (answer, left) in answers {
            said.push(answer);
            match left {
                Some(Left::Flow(flow, begun)) => drop(self.flows.insert(flow, *begun)),
                Some(Left::Pending(flow, cookie)) => {
                    let confirmation = self.confirmation(flow, &cookie).await;
                    self.flows
                        .entry(flow)
                        .and_modify(|begun| begun.pending = Some(Pending { cookie, confirmation }));
                }
                None => {}
            }
        }
        said
    }

    async fn answers(&self, op: Op, now: Tick) -> (String, Option<Left>) {
        let said = match op {
            Op::Start {
                flow,
                account,
                identity,
                replace,
            } => return self.start_flow(flow, account, identity, replace).await,
            Op::Callback { flow } => return self.callback(flow).await,
            Op::CallbackElsewhere { flow } => {
                let browser = self.browser(self.flows[&flow].account, "another-session");
                outcome(&self.comes_back(&browser, flow).await)
            }
            Op::Look { flow } => self.look(flow).await,
            Op::Confirm { flow } => self.decide(flow, "link").await,
            Op::Decline { flow } => self.decide(flow, "cancel").await,
            Op::Unlink { account } => outcome(&self.posts(&self.at_home(account), "unlink", &[]).await),
            Op::UnlinkByServer { account } => outcome(&self.server(&Method::DELETE, account, "/link", None).await),
            Op::Exempt { account, rounds } => {
                let until = after_round(self.beginning, now + rounds).to_string();
                let body = json!({"until": until, "reason": "moves to another project"});
                outcome(&self.server(&Method::PUT, account, "/exemption", Some(&body)).await)
            }
            Op::EndExemption { account } => outcome(&self.server(&Method::DELETE, account, "/exemption", None).await),
            Op::Status { account } => {
                let asking = self.at_home(account).typing(&self.route("status"));
                let answer = asking.header("accept", "application/json").send().await;
                if answer.status == StatusCode::OK {
                    standing(&answer.json())
                } else {
                    outcome(&answer)
                }
            }
            Op::Policy { account } => {
                let answer = self.server(&Method::GET, account, "", None).await;
                if answer.status == StatusCode::OK {
                    policy(&answer.json())
                } else {
                    outcome(&answer)
                }
            }
            Op::SignIn { identity } => self.sign_in(identity).await,
        };
        (said, None)
    }

    async fn start_flow(
        &self,
        flow: FlowNumber,
        account: Person,
        identity: Person,
        replace: bool,
    ) -> (String, Option<Left>) {
        let browser = self.at_home(account);
        let form = [
            ("account", "choose"),
            ("replace", if replace { "true" } else { "false" }),
        ];
        let started = self.posts(&browser, "start-link", &form).await;
        let cookie =
            kept(&browser, self.stack.origin(), "__Host-sso-flow-").unwrap_or_else(|| panic!("no flow: {started:?}"));
        let chooser = started.followed().await;
        let begun = Begun {
            account,
            identity,
            chooser,
            callback: None,
            cookie,
            pending: None,
        };
        ("started".to_owned(), Some(Left::Flow(flow, Box::new(begun))))
    }

    /// The user of `flow` signs in at Magento.com, if that has not been yet.
    async fn signs_in(&mut self, flow: FlowNumber) {
        let Some(begun) = self.flows.get_mut(&flow).filter(|begun| begun.callback.is_none()) else {
            return;
        };
        let answered = Magento::Development.signs_in(&begun.chooser, begun.identity).await;
        let callback = answered.location().unwrap_or_else(|| panic!("{answered:?}"));
        begun.callback = Some(callback.into());
    }

    async fn callback(&self, flow: FlowNumber) -> (String, Option<Left>) {
        let browser = self.at_home(self.flows[&flow].account);
        let answer = self.comes_back(&browser, flow).await;
        let pending =
            kept(&browser, self.stack.origin(), "__Host-sso-pending").map(|cookie| Left::Pending(flow, cookie));
        (outcome(&answer), pending)
    }

    /// The provider's answer to `flow` comes to `browser`, which has the flow's cookie.
    async fn comes_back(&self, browser: &Browser, flow: FlowNumber) -> Answer {
        let Begun {
            chooser,
            callback,
            cookie,
            ..
        } = &self.flows[&flow];
        browser.is_given(cookie.clone());
        let callback = callback.as_deref().expect("Magento.com has answered");
        browser
            .following_a_link_from(chooser.url().as_str(), callback)
            .send()
            .await
    }

    /// What the browser of `flow` is asked, told to nobody but the test.
    async fn confirmation(&self, flow: FlowNumber, cookie: &Cookie) -> String {
        let browser = self.at_home(self.flows[&flow].account);
        browser.is_given(cookie.clone());
        let answer = browser
            .typing(&self.route("confirm"))
            .header("accept", "application/json")
            .send()
            .await;
        answer.json()["confirmation"].as_str().unwrap_or_default().to_owned()
    }

    async fn look(&self, flow: FlowNumber) -> String {
        let browser = self.at_home_with_pending(flow);
        let answer = browser
            .typing(&self.route("confirm"))
            .header("accept", "application/json")
            .send()
            .await;
        if answer.status != StatusCode::OK {
            return outcome(&answer);
        }
        let shown = answer.json();
        let text = |value: &Value| value.as_str().unwrap_or("nobody").to_owned();
        let [identity, account, old] =
            [&shown["identity"], &shown["account"], &shown["replacing"]].map(|person| text(&person["email"]));
        format!("{identity} for {account}, replacing {old}")
    }

    async fn decide(&self, flow: FlowNumber, decision: &str) -> String {
        let browser = self.at_home_with_pending(flow);
        let confirmation = self.flows[&flow]
            .pending
            .as_ref()
            .map_or("", |pending| &pending.confirmation);
        let form = [("decision", decision), ("confirmation", confirmation)];
        outcome(&self.posts(&browser, "confirm", &form).await)
    }

    async fn sign_in(&self, identity: Person) -> String {
        let browser = self.stack.browser();
        let start = format!("{}?challenge={}", self.route("sign-in"), Challenge::of(VERIFIER));
        let chooser = browser.visits(&start).await;
        let answer = Magento::Development.signs_in(&chooser, identity).await.follows().await;
        let Some(ticket) = answer.location_parameter("ticket") else {
            return outcome(&answer);
        };
        let body = json!({"ticket": ticket, "verifier": VERIFIER});
        let redeemed = iam::calls(&self.stack, &Method::POST, "/sso/tickets/redeem", Some(&body)).await;
        match redeemed.json()["account_id"].as_str() {
            Some(account) => account.to_owned(),
            None => outcome(&redeemed),
        }
    }

    /// A server asks about `account`, or changes it.
    async fn server(&self, method: &Method, account: Person, rest: &str, body: Option<&Value>) -> Answer {
        let account = AccountId::parse(account.account_id()).unwrap().to_path_segment();
        iam::calls(
            &self.stack,
            method,
            &format!("/sso/magento/accounts/{account}{rest}"),
            body,
        )
        .await
    }

    async fn posts(&self, browser: &Browser, route: &str, form: &[(&str, &str)]) -> Answer {
        browser
            .posting_from(&self.stack.at("/user"), &self.route(route), form)
            .send()
            .await
    }

    fn route(&self, name: &str) -> String {
        self.stack.at(&format!("/sso/magento/{name}"))
    }

    /// A browser with the session in which `account` starts flows and nothing else.
    fn at_home(&self, account: Person) -> Browser {
        self.browser(account, "session")
    }

    /// The same, with the pending link of `flow` if there ever was one.
    fn at_home_with_pending(&self, flow: FlowNumber) -> Browser {
        let browser = self.at_home(self.flows[&flow].account);
        if let Some(pending) = &self.flows[&flow].pending {
            browser.is_given(pending.cookie.clone());
        }
        browser
    }

    fn browser(&self, account: Person, session: &str) -> Browser {
        let mut claims = SessionIssuer::claims(account, self.stack.clock().now());
        claims["sid"] = json!(session);
        let cookie = format!("{SESSION_COOKIE}={}; Path=/; Secure", self.sessions.sign(&claims));
        let browser = self.stack.browser();
        assert!(
            browser.keeps(self.stack.origin(), &cookie),
            "no cookie can hold this session"
        );
        browser
    }

    /// The table, in rounds instead of milliseconds. Its invariants hold, or reading it fails the test.
    async fn table(&self) -> Table {
        let contents = self.stack.contents().await;
        let round = |ms: i64| (ms - self.beginning.unix_ms()).div_euclid(milliseconds(ROUND));
        let accounts = PEOPLE.map(|person| {
            let is_theirs = |id: &str| id == person.account_id();
            let link = contents.links.iter().find(|link| is_theirs(&link.account));
            let rest = contents.accounts.iter().find(|account| is_theirs(&account.account));
            Account {
                link: link.map(|link| (identity(&link.subject), round(link.linked_at))),
                flows_valid_after: rest.and_then(|rest| rest.flows_valid_after).map(round),
                exempt_until: rest.and_then(|rest| rest.exempt_until).map(round),
            }
        });
        let event = |event: &harness::contents::Event| {
            let person = PEOPLE.into_iter().find(|person| person.account_id() == event.account);
            let kind = KINDS.into_iter().find(|kind| *kind == event.kind);
            (
                person.expect("one of the people").account_id(),
                kind.expect("a kind"),
                round(event.at),
            )
        };
        let mut events: Vec<_> = contents.events.iter().map(event).collect();
        events.sort_unstable();
        Table { accounts, events }
    }
}

const KINDS: [&str; 7] = [
    "linked",
    "switched",
    "unlinked",
    "identity_in_use",
    "cancelled",
    "exempted",
    "exemption_ended",
];

/// All of `doing` at once, four at most.
async fn at_once<T, F: Future<Output = T>>(mut doing: impl Iterator<Item = F>) -> Vec<T> {
    let one = async |doing: Option<F>| match doing {
        Some(doing) => Some(doing.await),
        None => None,
    };
    let (a, b, c, d) = tokio::join!(
        one(doing.next()),
        one(doing.next()),
        one(doing.next()),
        one(doing.next())
    );
    [a, b, c, d].into_iter().flatten().collect()
}

fn in_round(beginning: Timestamp, round: Tick) -> Timestamp {
    Timestamp::from_unix_ms(beginning.unix_ms() + round * milliseconds(ROUND))
}

/// The middle between `round` and the next.
fn after_round(beginning: Timestamp, round: Tick) -> Timestamp {
    in_round(beginning, round).plus(HALF)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("a few seconds")
}

/// A copy of the cookie whose name begins so, which never expires by itself.
fn kept(browser: &Browser, origin: &str, prefix: &str) -> Option<Cookie> {
    let cookie = browser
        .cookies_for(origin)
        .into_iter()
        .find(|cookie| cookie.name.starts_with(prefix))?;
    Some(Cookie {
        expires_at: None,
        ..cookie
    })
}

fn identity(subject: &str) -> Person {
    let person = PEOPLE.into_iter().find(|person| person.subject() == subject);
    person.unwrap_or_else(|| panic!("{subject} is nobody"))
}

/// How an operation ended, in a word.
fn outcome(answer: &Answer) -> String {
    if let Some(outcome) = answer.outcome() {
        return outcome;
    }
    if answer.header("content-type") == Some("application/problem+json") {
        return answer.json()["code"].as_str().unwrap_or_default().to_owned();
    }
    match answer.status {
        StatusCode::NO_CONTENT => "done".to_owned(),
        StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE.to_owned(),
        StatusCode::BAD_REQUEST if answer.page().text.contains("no longer valid") => "flow_unknown".to_owned(),
        _ => format!("{answer:?}"),
    }
}

fn standing(status: &Value) -> String {
    let linked = status["link"]["email"].as_str().unwrap_or("nobody");
    format!("{linked}, required: {}", status["requirement"]["required"])
}

fn policy(policy: &Value) -> String {
    let person = PEOPLE
        .into_iter()
        .find(|person| policy["link"]["email"] == person.email());
    let (linked, required) = (person.map_or("nobody", masked), &policy["requirement"]["required"]);
    let others = policy["sign_in"]["other_methods"].as_str().unwrap_or_default();
    format!("{linked}, required: {required}, other methods: {others}")
}

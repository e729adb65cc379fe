//! What the table's tests have in common: a database of their own, people in it, and short ways to say what they do.

use std::{fmt::Debug, sync::Arc, time::Duration};

use account_linking::{
    clock::{Deadline, SystemRandomness, Timestamp},
    flow::{FlowId, SessionBinding},
    identity::{AccountId, EmailAddress, Identity, Issuer, ProviderId, SessionId, Subject},
    link::{AccountRecord, Actor, Committed, LinkAttempt},
    table::{CallLimits, CommitError, CommitToken, EventId, Table, TableError, Unlinked},
};
use harness::{
    database_proxy::DatabaseProxy,
    engines::{Database, Engine, patient},
};
use serde_json::Value;

/// Instantiates tests, each an `async fn(World)`, for each engine.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::world::World::on(harness::engines::Engine::Embedded).await).await;
                }
            )+
        }

        mod dynamodb_local {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::world::World::on(harness::engines::Engine::DynamoDbLocal).await).await;
                }
            )+
        }
    };
}
pub(crate) use on_both_engines;

/// A database, and the table in it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) database: Arc<Database>,
    pub(crate) table: Table,
}

impl World {
    pub(crate) async fn on(engine: Engine) -> Self {
        let database = engine.start().await;
        Self {
            table: database.table(),
            database: Arc::new(database),
        }
    }

    /// This world seen through a proxy.
    pub(crate) async fn behind_proxy(&self) -> (Self, DatabaseProxy) {
        self.behind_proxy_within(patient()).await
    }

    /// This world seen through a proxy, each call within `limits`.
    pub(crate) async fn behind_proxy_within(&self, limits: CallLimits) -> (Self, DatabaseProxy) {
        let proxy = DatabaseProxy::before(&self.database.endpoint).await;
        let table = self.database.table_through(&proxy.endpoint, limits);
        (
            Self {
                table,
                database: self.database.clone(),
            },
            proxy,
        )
    }

    pub(crate) async fn commit(&self, attempt: &LinkAttempt, now: Timestamp) -> Result<Committed, CommitError> {
        self.table.commit(attempt, token(), now, deadline()).await
    }

    pub(crate) async fn switch(&self, attempt: &LinkAttempt, now: Timestamp) -> Result<Committed, CommitError> {
        self.table.switch(attempt, token(), now, deadline()).await
    }

    pub(crate) async fn unlink(&self, account: &str, now: Timestamp) -> Result<Unlinked, TableError> {
        let actor = Actor::Session(session(account));
        self.table
            .unlink(&self::account(account), &magento(), &actor, event_id(), now, deadline())
            .await
    }

    pub(crate) async fn read(&self, account: &str) -> AccountRecord {
        self.table
            .read_account(&self::account(account), &magento(), deadline())
            .await
            .unwrap()
    }

    /// Links `account` to `subject` with a flow that took five seconds.
    pub(crate) async fn link(&self, account: &str, subject: &str, started_at: Timestamp) -> LinkAttempt {
        let attempt = attempt(account, subject, started_at);
        assert_eq!(
            said(&self.commit(&attempt, started_at.plus(Duration::from_secs(5))).await),
            "Ok(Linked)"
        );
        attempt
    }

    /// The subject that `account` is linked to. Link and owner must agree on it.
    pub(crate) async fn linked_subject(&self, account: &str) -> Option<String> {
        let link = self.read(account).await.link?;
        let owner = self
            .item(
                &format!("IDENTITY#{}#{}", link.identity.issuer, link.identity.subject),
                "OWNER",
            )
            .await;
        assert_eq!(owner.unwrap()["account_id"]["S"], account);
        Some(link.identity.subject.to_string())
    }

    /// One raw item.
    pub(crate) async fn item(&self, pk: &str, sk: &str) -> Option<Value> {
        self.database
            .items()
            .await
            .into_iter()
            .find(|item| item["pk"]["S"] == pk && item["sk"]["S"] == sk)
    }

    /// The kinds of all events of `account`, in the order of their time.
    pub(crate) async fn history(&self, account: &str) -> Vec<String> {
        let is_event = |item: &Value| {
            item["pk"]["S"] == format!("ACCOUNT#{account}")
                && item["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("EVENT#"))
        };
        let mut events: Vec<_> = self.database.items().await.into_iter().filter(is_event).collect();
        events.sort_by_key(|event| event["at"]["N"].as_str().unwrap().parse::<i64>().unwrap());
        events
            .iter()
            .map(|event| event["kind"]["S"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// An outcome in short.
pub(crate) fn said(outcome: &impl Debug) -> String {
    format!("{outcome:?}")
}

/// `seconds` into the day on which everything happens.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_583_107_200_000 + seconds * 1000)
}

/// More time than any test needs.
pub(crate) fn deadline() -> Deadline {
    Deadline::within(Duration::from_mins(1))
}

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::parse(name).unwrap()
}

pub(crate) fn session(account: &str) -> SessionBinding {
    SessionBinding::of(&self::account(account), &SessionId::parse("session-1").unwrap())
}

pub(crate) fn magento() -> ProviderId {
    ProviderId::parse("magento").unwrap()
}

pub(crate) fn identity(subject: &str) -> Identity {
    Identity {
        issuer: Issuer::parse("https://magento.example").unwrap(),
        subject: Subject::parse(subject).unwrap(),
    }
}

pub(crate) fn email(address: &str) -> EmailAddress {
    EmailAddress::parse(address).unwrap()
}

pub(crate) fn flow_id() -> FlowId {
    FlowId::generate(&SystemRandomness::default()).unwrap()
}

pub(crate) fn event_id() -> EventId {
    EventId::generate(&SystemRandomness::default()).unwrap()
}

pub(crate) fn token() -> CommitToken {
    CommitToken::generate(&SystemRandomness::default()).unwrap()
}

/// A fresh flow of `account`'s that was started at `started_at` and earned `subject`.
pub(crate) fn attempt(account: &str, subject: &str, started_at: Timestamp) -> LinkAttempt {
    LinkAttempt {
        flow_id: flow_id(),
        started_at,
        account: self::account(account),
        session: session(account),
        provider: magento(),
        identity: identity(subject),
        email: Some(email("person@example.com")),
    }
}

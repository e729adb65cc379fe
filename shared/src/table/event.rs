//! Events: the history of an account, and what makes a flow single-use.
//!
//! The event of a linking or a cancellation bears its flow's id, so that a flow has at most one outcome. An event names no person: the
//! account it belongs to, a session's and an identity's hash, and the IAM caller where a server acts.

use std::fmt;

use aws_sdk_dynamodb::{error::SdkError, operation::put_item::PutItemError};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Table,
    client::Call,
    error::TableError,
    items::{Item, attribute, milliseconds, text},
    keys::Key,
};
use crate::{
    clock::{Deadline, NoRandomness, Randomness, Timestamp, random_bytes},
    identity::{AccountId, Identity, ProviderId},
    link::{Actor, Committed, Exemption, IdentityFingerprint, LinkAttempt},
};

/// The name of an event that ends no flow, 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId([u8; 16]);

impl EventId {
    /// A fresh id.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }

    /// The id's bits, which no other event shares.
    pub(super) fn bytes(self) -> [u8; 16] {
        self.0
    }
}

/// 22 characters of unpadded base64url.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identity was linked, or linked once more.
    Linked,
    /// Another identity took the place of the linked one.
    Switched,
    /// The link ended.
    Unlinked,
    /// A link was refused: the identity belongs to another account.
    IdentityInUse,
    /// The user declined to confirm.
    Cancelled,
    /// The account need not link until an instant.
    Exempted,
    /// The exemption was ended.
    ExemptionEnded,
}

impl Kind {
    /// Everything that can happen.
    pub const ALL: [Self; 7] = [
        Self::Linked,
        Self::Switched,
        Self::Unlinked,
        Self::IdentityInUse,
        Self::Cancelled,
        Self::Exempted,
        Self::ExemptionEnded,
    ];

    /// The word for it in the item.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Switched => "switched",
            Self::Unlinked => "unlinked",
            Self::IdentityInUse => "identity_in_use",
            Self::Cancelled => "cancelled",
            Self::Exempted => "exempted",
            Self::ExemptionEnded => "exemption_ended",
        }
    }
}

/// The event of what became of `attempt`'s flow.
pub(super) fn of_attempt(kind: Kind, attempt: &LinkAttempt, now: Timestamp) -> Item {
    let key = Key::event(&attempt.account, attempt.flow_id);
    of_identity(
        key,
        kind,
        &attempt.provider,
        &attempt.identity,
        &Actor::Session(attempt.session),
        now,
    )
}

/// The event of an unlinking.
pub(super) fn of_unlinking(
    id: EventId,
    account: &AccountId,
    provider: &ProviderId,
    identity: &Identity,
    actor: &Actor,
    now: Timestamp,
) -> Item {
    of_identity(Key::event(account, id), Kind::Unlinked, provider, identity, actor, now)
}

/// The event of an exemption that was granted until an instant. Its reason is not in the history: whoever wrote it may have named people.
pub(super) fn of_exemption(
    id: EventId,
    account: &AccountId,
    provider: &ProviderId,
    exemption: &Exemption,
    now: Timestamp,
) -> Item {
    let actor = Actor::Iam(exemption.by.clone());
    let mut item = event(Key::event(account, id), Kind::Exempted, provider, &actor, now);
    item.insert(attribute::UNTIL.to_owned(), milliseconds(exemption.until));
    item
}

/// The event of an exemption's end.
pub(super) fn of_ended_exemption(
    id: EventId,
    account: &AccountId,
    provider: &ProviderId,
    actor: &Actor,
    now: Timestamp,
) -> Item {
    event(Key::event(account, id), Kind::ExemptionEnded, provider, actor, now)
}

fn of_identity(
    key: Key,
    kind: Kind,
    provider: &ProviderId,
    identity: &Identity,
    actor: &Actor,
    now: Timestamp,
) -> Item {
    let mut item = event(key, kind, provider, actor, now);
    item.insert(attribute::IDENTITY.to_owned(), text(&IdentityFingerprint::of(identity)));
    item
}

fn event(key: Key, kind: Kind, provider: &ProviderId, actor: &Actor, now: Timestamp) -> Item {
    let mut item = key.into_attributes();
    let mut put = |name: &str, value| item.insert(name.to_owned(), value);
    put(attribute::KIND, text(kind.as_str()));
    put(attribute::AT, milliseconds(now));
    put(attribute::PROVIDER, text(provider));
    match actor {
        Actor::Session(session) => put(attribute::SESSION, text(session)),
        Actor::Iam(by) => put(attribute::BY, text(by)),
    };
    item
}

/// What an event under `attempt`'s flow id says was committed, when it is about the same provider and identity.
pub(super) fn committed(event: &Item, attempt: &LinkAttempt) -> Option<Committed> {
    let says = |name: &str, value: &dyn fmt::Display| event.get(name) == Some(&text(&value));
    let is_ours = says(attribute::PROVIDER, &attempt.provider)
        && says(attribute::IDENTITY, &IdentityFingerprint::of(&attempt.identity));
    match is_ours {
        true if says(attribute::KIND, &Kind::Linked.as_str()) => Some(Committed::Linked),
        true if says(attribute::KIND, &Kind::Switched.as_str()) => Some(Committed::Switched),
        _ => None,
    }
}

impl Table {
    /// Writes that `attempt` was refused because its identity belongs to another account: once per flow, and in an event of its own, so
    /// that the flow is not spent by it and a second press of the button is answered as the first.
    pub async fn record_refusal(
        &self,
        attempt: &LinkAttempt,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<(), TableError> {
        let kind = Kind::IdentityInUse;
        let key = Key::event(&attempt.account, format_args!("{}.{}", attempt.flow_id, kind.as_str()));
        let actor = Actor::Session(attempt.session);
        let event = of_identity(key, kind, &attempt.provider, &attempt.identity, &actor, now);
        self.put_event_once("recording the refusal", event, deadline).await
    }

    /// Ends `attempt`'s flow because its user declined to confirm, so that a kept copy of the pending link is worthless. A flow that has
    /// ended already stays as it is.
    pub async fn cancel(&self, attempt: &LinkAttempt, now: Timestamp, deadline: Deadline) -> Result<(), TableError> {
        let event = of_attempt(Kind::Cancelled, attempt, now);
        self.put_event_once("cancelling the flow", event, deadline).await
    }

    /// Writes `event` unless one of that name exists, which is as good.
    async fn put_event_once(&self, doing: &'static str, event: Item, deadline: Deadline) -> Result<(), TableError> {
        let written = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(event))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .in_time(doing, deadline)
            .await?;
        match written {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), PutItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(TableError::of(doing, error)),
        }
    }
}

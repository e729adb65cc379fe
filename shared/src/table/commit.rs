//! Committing a link: the conditions of one transaction decide.

use std::fmt;

use aws_sdk_dynamodb::{error::BuildError, types::TransactWriteItem};

use super::{
    Table,
    error::TableError,
    event::{self, Kind},
    items::{self, attribute, milliseconds, text},
    keys::Key,
    transaction::{FailedConditions, LinkAsRead, Values, values},
};
use crate::{
    clock::{Deadline, NoRandomness, Randomness, Timestamp, random_bytes},
    http::problem::{ErrorCode, Refusal},
    identity::{AccountId, Identity},
    link::{Committed, LinkAttempt},
};

/// One commit's idempotency token, a random UUID (RFC 9562 section 5.4): a commit whose answer was lost is known when it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitToken([u8; 16]);

impl CommitToken {
    /// A fresh token.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self::from_bytes)
    }

    /// The token made of `bytes`, which must be random.
    pub(super) fn from_bytes(mut bytes: [u8; 16]) -> Self {
        bytes[6] = 0x40 | (bytes[6] & 0x0F);
        bytes[8] = 0x80 | (bytes[8] & 0x3F);
        Self(bytes)
    }

    /// This token, and another for the second try of what was overtaken: the database refuses one token for two different transactions.
    pub(super) fn and_another(self) -> [Self; 2] {
        let mut another = self.0;
        another[15] ^= 1;
        [self, Self(another)]
    }
}

impl fmt::Display for CommitToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The flow has ended before: it was cancelled, or it linked another identity.
    #[error("the flow has ended before")]
    FlowSpent,
    /// The account was unlinked or switched since the flow started.
    #[error("the account was unlinked or switched since the flow started")]
    FlowOutdated,
    /// The identity belongs to another account.
    #[error("the identity is linked to another account")]
    IdentityInUse,
    /// The account is linked to another identity.
    #[error("the account is linked to another identity")]
    AccountAlreadyLinked,
    /// The table gave no answer to act on.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl CommitError {
    /// What the caller learns: `spent` for a flow that cannot be used any more, which the callback and confirm name differently.
    #[must_use]
    pub fn code_for(&self, spent: ErrorCode) -> ErrorCode {
        match self {
            Self::FlowSpent | Self::FlowOutdated => spent,
            Self::IdentityInUse => ErrorCode::IdentityInUse,
            Self::AccountAlreadyLinked => ErrorCode::AccountAlreadyLinked,
            Self::Table(error) => error.code(),
        }
    }
}

// The writes of a transaction that links, in their order; only a switch has the last.
const LINK: usize = 0;
const OWNER: usize = 1;
const EVENT: usize = 2;
const OLD_OWNER: usize = 3;

impl Table {
    /// Links `attempt`'s identity to its account, unless one of them is linked otherwise. The same pair again is fine: it keeps `linked_at`, takes
    /// the new label, and its event is written.
    pub async fn commit(
        &self,
        attempt: &LinkAttempt,
        token: CommitToken,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Committed, CommitError> {
        let set = "SET issuer = :issuer, subject = :subject, linked_at = if_not_exists(linked_at, :now)";
        let unlinked_or_same = "(attribute_not_exists(issuer) OR (issuer = :issuer AND subject = :subject))";
        let link = self.update(
            Key::link(&attempt.account, &attempt.provider),
            &format!("{set}{}", label_clause(attempt)),
            Some(&format!("{unlinked_or_same} AND {NOT_OUTDATED}")),
            Some(link_values(attempt, now)),
        );
        let writes = link.and_then(|link| {
            Ok(vec![
                link,
                self.put_owner(attempt)?,
                self.put_event(Kind::Linked, attempt, now)?,
            ])
        });
        match self.transact("committing the link", writes, token, deadline).await? {
            Ok(()) => Ok(Committed::Linked),
            Err(failed) => explain(&failed, attempt),
        }
    }

    /// Gives `attempt`'s account its identity in place of the one that is linked. The old link stands until then, and the old identity
    /// is free at once; every other flow started before is worthless from then on. Needs two calls: the link is read, and the transaction
    /// holds only for what was read; when somebody was faster, both are done once more.
    ///
    /// When the account turns out to have no link, or this very one, it is a plain commit.
    pub async fn switch(
        &self,
        attempt: &LinkAttempt,
        token: CommitToken,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Committed, CommitError> {
        for token in token.and_another() {
            let record = self.read_account(&attempt.account, &attempt.provider, deadline).await?;
            let outcome = match LinkAsRead::of(&record) {
                Some(old) if old.link.identity != attempt.identity => {
                    self.replace(old, attempt, token, now, deadline).await
                }
                _ => self.commit(attempt, token, now, deadline).await,
            };
            match outcome {
                Err(CommitError::AccountAlreadyLinked) => {} // overtaken: the link is not what was read
                decided => return decided,
            }
        }
        Err(CommitError::Table(TableError::Conflict {
            doing: "switching the link",
        }))
    }

    async fn replace(
        &self,
        old: LinkAsRead<'_>,
        attempt: &LinkAttempt,
        token: CommitToken,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Committed, CommitError> {
        let set = "SET issuer = :issuer, subject = :subject, linked_at = :now, flows_valid_after = :flows_valid_after";
        let mut values = link_values(attempt, now);
        values.extend(old.values());
        values.insert(
            ":flows_valid_after".to_owned(),
            milliseconds(old.flows_valid_after_ending(now)),
        );
        let link = self.update(
            Key::link(&attempt.account, &attempt.provider),
            &format!("{set}{}", label_clause(attempt)),
            Some(&format!("{} AND {NOT_OUTDATED}", old.condition())),
            Some(values),
        );
        let writes = link.and_then(|link| {
            Ok(vec![
                link,
                self.put_owner(attempt)?,
                self.put_event(Kind::Switched, attempt, now)?,
                self.delete_owner(&old.link.identity, &attempt.account)?,
            ])
        });
        match self.transact("switching the link", writes, token, deadline).await? {
            Ok(()) => Ok(Committed::Switched),
            Err(failed) => explain(&failed, attempt),
        }
    }

    /// Makes `attempt`'s account the owner of its identity, unless another account is.
    fn put_owner(&self, attempt: &LinkAttempt) -> Result<TransactWriteItem, BuildError> {
        let key = Key::owner(&attempt.identity).into_attributes();
        self.put(
            items::owner(key, &attempt.account, attempt.email.as_ref()),
            "attribute_not_exists(pk) OR account_id = :account",
            Some(values([(":account", text(&attempt.account))])),
        )
    }

    /// Writes the outcome of `attempt`'s flow, unless it has one.
    fn put_event(&self, kind: Kind, attempt: &LinkAttempt, now: Timestamp) -> Result<TransactWriteItem, BuildError> {
        self.put(event::of_attempt(kind, attempt, now), "attribute_not_exists(pk)", None)
    }

    /// Frees `identity`, which `account` was linked to. An owner that is gone is as good; another account's is never touched.
    pub(super) fn delete_owner(
        &self,
        identity: &Identity,
        account: &AccountId,
    ) -> Result<TransactWriteItem, BuildError> {
        self.delete(
            Key::owner(identity),
            "attribute_not_exists(pk) OR account_id = :account",
            values([(":account", text(account))]),
        )
    }
}

/// Nothing was unlinked or switched since the flow started.
const NOT_OUTDATED: &str = "(attribute_not_exists(flows_valid_after) OR flows_valid_after < :started_at)";

/// The end of an update expression that gives the link `attempt`'s label, or none.
fn label_clause(attempt: &LinkAttempt) -> &'static str {
    if attempt.email.is_some() {
        ", email = :email"
    } else {
        " REMOVE email"
    }
}

/// What every update that links refers to.
fn link_values(attempt: &LinkAttempt, now: Timestamp) -> Values {
    let mut values = values([
        (":issuer", text(&attempt.identity.issuer)),
        (":subject", text(&attempt.identity.subject)),
        (":started_at", milliseconds(attempt.started_at)),
        (":now", milliseconds(now)),
    ]);
    if let Some(email) = &attempt.email {
        values.insert(":email".to_owned(), text(email.reveal()));
    }
    values
}

/// What the `failed` conditions of a transaction that links say, in the contract's order (section 7): a flow that has its outcome keeps it; then
/// what makes the flow worthless; then whose identity it is; then what the account is linked to.
fn explain(failed: &FailedConditions, attempt: &LinkAttempt) -> Result<Committed, CommitError> {
    if let Some(event) = failed.at(EVENT) {
        return event::committed(&event, attempt).ok_or(CommitError::FlowSpent);
    }
    let link = failed.at(LINK);
    if let Some(link) = &link
        && items::flows_valid_after(link)?.is_some_and(|instant| instant >= attempt.started_at)
    {
        return Err(CommitError::FlowOutdated);
    }
    if failed.at(OWNER).is_some() {
        return Err(CommitError::IdentityInUse);
    }
    if link.is_some() {
        return Err(CommitError::AccountAlreadyLinked);
    }
    // Only the old owner is left: the link that was read names an identity that belongs to another account.
    debug_assert!(failed.at(OLD_OWNER).is_some());
    Err(CommitError::Table(TableError::Corrupt {
        item: "an owner",
        attribute: attribute::ACCOUNT_ID,
    }))
}

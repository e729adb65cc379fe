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

/// One commit's idempotency token, a random UUID (RFC 9562 section 5.4): a commit whose answer was lost is known when it is
/// sent again.
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

    /// This token, and another for the second try of what was overtaken: the database refuses one token for two different
    /// transactions.
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

// The writes of a transaction that links, in their order. A switch has a fourth, the end of the old owner.
const LINK: usize = 0;
const OWNER: usize = 1;
const EVENT: usize = 2;

impl Table {
    /// Links `attempt`'s identity to its account, unless one of them is linked otherwise. The same pair again is fine: it
    /// keeps `linked_at`, takes the new label, and its event is written.
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

    /// Gives `attempt`'s account its identity in place of the one that is linked. The old link stands until then, and the
    /// old identity is free at once; every other flow started before is worthless from then on. Needs two calls: the link is
    /// read, and the transaction holds only for what was read; when somebody was faster, both are done once more.
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

/// What the `failed` conditions of a transaction that links say, in the contract's order (section 7): a flow that has its
/// outcome keeps it; then what makes the flow worthless; then whose identity it is; then what the account is linked to.
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
    Err(CommitError::Table(TableError::Corrupt {
        item: "an owner",
        attribute: attribute::ACCOUNT_ID,
    }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::CancellationReason;

    use super::{super::items::Item, *};
    use crate::{
        clock::SystemRandomness,
        flow::{FlowId, SessionBinding},
        identity::{Issuer, ProviderId, SessionId, Subject},
    };

    const OLD_OWNER: usize = EVENT + 1;

    fn attempt() -> LinkAttempt {
        let account = AccountId::parse("alice").unwrap();
        LinkAttempt {
            flow_id: FlowId::generate(&SystemRandomness::default()).unwrap(),
            started_at: Timestamp::from_unix_ms(1000),
            session: SessionBinding::of(&account, &SessionId::parse("s").unwrap()),
            account,
            provider: ProviderId::parse("magento").unwrap(),
            identity: Identity {
                issuer: Issuer::parse("https://magento.example").unwrap(),
                subject: Subject::parse("maria").unwrap(),
            },
            email: None,
        }
    }

    /// The reasons when the conditions at `failed` were not met by the given items, and the rest met a conflict.
    fn failed(failed: &[(usize, Item)]) -> FailedConditions {
        let reason = |position| match failed.iter().find(|(at, _)| *at == position) {
            Some((_, item)) => CancellationReason::builder()
                .code("ConditionalCheckFailed")
                .set_item(Some(item.clone()))
                .build(),
            None => CancellationReason::builder().code("TransactionConflict").build(),
        };
        FailedConditions::among(&(LINK..=OLD_OWNER).map(reason).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn every_combination_of_failed_conditions_is_answered_in_the_contracts_order() {
        let attempt = attempt();
        let other = LinkAttempt {
            account: AccountId::parse("bob").unwrap(),
            ..attempt.clone()
        };
        let event = |kind| event::of_attempt(kind, &attempt, attempt.started_at);
        let link = |valid_after| Item::from([("flows_valid_after".to_owned(), milliseconds(valid_after))]);
        let events = [
            (Some(event(Kind::Linked)), Some("Ok(Linked)")),
            (Some(event(Kind::Switched)), Some("Ok(Switched)")),
            (Some(event(Kind::Cancelled)), Some("Err(FlowSpent)")),
            (Some(Item::new()), Some("Err(FlowSpent)")),
            (None, None),
        ];
        let links = [
            (Some(link(attempt.started_at)), Some("Err(FlowOutdated)"), None),
            (
                Some(link(attempt.started_at.minus(std::time::Duration::from_millis(1)))),
                None,
                Some("Err(AccountAlreadyLinked)"),
            ),
            (Some(Item::new()), None, Some("Err(AccountAlreadyLinked)")),
            (None, None, None),
        ];
        let owners = [
            (
                Some(items::owner(Item::new(), &other.account, None)),
                Some("Err(IdentityInUse)"),
            ),
            (None, None),
        ];
        let old_owners = [Some(items::owner(Item::new(), &other.account, None)), None];

        for (event, outcome_of_event) in &events {
            for (link, outcome_of_date, outcome_of_link) in &links {
                for (owner, outcome_of_owner) in &owners {
                    for old_owner in &old_owners {
                        let items = [(LINK, link), (OWNER, owner), (EVENT, event), (OLD_OWNER, old_owner)];
                        let items: Vec<_> = items
                            .into_iter()
                            .filter_map(|(at, item)| Some((at, item.clone()?)))
                            .collect();
                        if items.is_empty() {
                            continue;
                        }
                        let outcome = format!("{:?}", explain(&failed(&items), &attempt));
                        let expected = [outcome_of_event, outcome_of_date, outcome_of_owner, outcome_of_link];
                        match expected.into_iter().copied().flatten().next() {
                            Some(expected) => assert_eq!(outcome, expected, "{items:?}"),
                            None => assert!(outcome.starts_with("Err(Table(Corrupt"), "{items:?}: {outcome}"),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_event_of_another_provider_or_identity_is_not_this_attempts() {
        let ours = attempt();
        let event = event::of_attempt(Kind::Linked, &ours, ours.started_at);
        let mut other_provider = ours.clone();
        other_provider.provider = ProviderId::parse("adobe").unwrap();
        let mut other_identity = ours;
        other_identity.identity.subject = Subject::parse("mario").unwrap();

        for other in [other_provider, other_identity] {
            let outcome = explain(&failed(&[(EVENT, event.clone())]), &other);
            assert!(matches!(outcome, Err(CommitError::FlowSpent)), "{outcome:?}");
        }
    }

    #[test]
    fn a_token_is_a_random_uuid_and_has_a_different_twin() {
        let [token, twin] = CommitToken::from_bytes([0xFF; 16]).and_another();
        assert_eq!(token.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff"); // version 4, variant 10
        assert_ne!(token, twin);
    }
}

//! Exemptions from the requirement. They stand beside the link and outlive it: no other write touches them.

use super::{
    Table,
    commit::CommitToken,
    error::TableError,
    event::{self, EventId},
    items::{self, attribute},
    keys::Key,
    transaction::values,
};
use crate::{
    clock::{Deadline, Timestamp},
    identity::{AccountId, ProviderId},
    link::{Actor, Exemption},
};

/// What ending an exemption did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExemptionEnded {
    /// It is gone.
    Ended,
    /// There was none.
    NothingToEnd,
}

/// The first write of the transactions here; the second is the event.
const LINK: usize = 0;

/// An event's id is random: nobody else's has it.
const EVENT_EXISTS: TableError = TableError::Corrupt {
    item: "an event",
    attribute: attribute::KIND,
};

impl Table {
    /// Exempts `account` from linking at `provider`, in place of the exemption that it may have. One transaction, with the entry in the history
    /// that `event` names.
    pub async fn exempt(
        &self,
        account: &AccountId,
        provider: &ProviderId,
        exemption: &Exemption,
        event: EventId,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<(), TableError> {
        let link = self.update(
            Key::link(account, provider),
            "SET exemption = :exemption",
            None,
            Some(values([(":exemption", items::exemption(exemption))])),
        );
        let entry = event::of_exemption(event, account, provider, exemption, now);
        let writes = link.and_then(|link| Ok(vec![link, self.put(entry, "attribute_not_exists(pk)", None)?]));
        let token = CommitToken::from_bytes(event.bytes());
        self.transact("granting the exemption", writes, token, deadline)
            .await?
            .map_err(|_| EVENT_EXISTS)
    }

    /// Ends the exemption of `account` at `provider` as `actor` wants, also one that has run out. One transaction, with the entry in the history
    /// that `event` names; where there is no exemption nothing is written.
    pub async fn end_exemption(
        &self,
        account: &AccountId,
        provider: &ProviderId,
        actor: &Actor,
        event: EventId,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<ExemptionEnded, TableError> {
        let link = self.update(
            Key::link(account, provider),
            "REMOVE exemption",
            Some("attribute_exists(exemption)"),
            None,
        );
        let entry = event::of_ended_exemption(event, account, provider, actor, now);
        let writes = link.and_then(|link| Ok(vec![link, self.put(entry, "attribute_not_exists(pk)", None)?]));
        let token = CommitToken::from_bytes(event.bytes());
        match self.transact("ending the exemption", writes, token, deadline).await? {
            Ok(()) => Ok(ExemptionEnded::Ended),
            Err(failed) if failed.at(LINK).is_some() => Ok(ExemptionEnded::NothingToEnd),
            Err(_) => Err(EVENT_EXISTS),
        }
    }
}

//! Unlinking: the identity is free at once, and what was begun before is worthless.

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::ReturnValuesOnConditionCheckFailure::AllOld};

use super::{
    Table,
    client::Call,
    commit::CommitToken,
    error::TableError,
    event::{self, EventId},
    items::{self, attribute, milliseconds},
    keys::Key,
    transaction::{LinkAsRead, values},
};
use crate::{
    clock::{Deadline, Timestamp},
    identity::{AccountId, ProviderId},
    link::{AccountRecord, Actor},
};

/// What unlinking did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// It ended a link.
    Ended,
    /// There was none; flows and pending links are worthless all the same.
    NothingLinked,
}

/// What is wanted.
#[derive(Clone, Copy)]
struct Unlinking<'a> {
    account: &'a AccountId,
    provider: &'a ProviderId,
    actor: &'a Actor,
    event: EventId,
    now: Timestamp,
}

/// What one try came to.
enum Try {
    Done(Unlinked),
    /// Nothing was written, since the item was no longer what was read.
    Overtaken,
}

const DOING: &str = "unlinking";

// The writes of the transaction, in their order; the third is the event.
const LINK: usize = 0;
const OWNER: usize = 1;

impl Table {
    /// Ends the link of `account` at `provider`, whoever it is with, as `actor` wants. Two calls: the link is read, and the
    /// transaction holds only for what was read; when somebody was faster, both are done once more.
    ///
    /// `event` names the entry in the history, when there is anything to enter.
    pub async fn unlink(
        &self,
        account: &AccountId,
        provider: &ProviderId,
        actor: &Actor,
        event: EventId,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Unlinked, TableError> {
        let wanted = Unlinking {
            account,
            provider,
            actor,
            event,
            now,
        };
        for token in CommitToken::from_bytes(event.bytes()).and_another() {
            let record = self.read_account(account, provider, deadline).await?;
            let outcome = match LinkAsRead::of(&record) {
                Some(old) => self.end(old, wanted, token, deadline).await?,
                None => self.outdate_flows(wanted, deadline).await?,
            };
            if let Try::Done(unlinked) = outcome {
                return Ok(unlinked);
            }
        }
        Err(TableError::Conflict { doing: DOING })
    }

    async fn end(
        &self,
        old: LinkAsRead<'_>,
        wanted: Unlinking<'_>,
        token: CommitToken,
        deadline: Deadline,
    ) -> Result<Try, TableError> {
        let Unlinking {
            account,
            provider,
            actor,
            event,
            now,
        } = wanted;
        let identity = &old.link.identity;
        let event = event::of_unlinking(event, account, provider, identity, actor, now);
        let mut values = old.values();
        values.insert(
            ":flows_valid_after".to_owned(),
            milliseconds(old.flows_valid_after_ending(now)),
        );
        let link = self.update(
            Key::link(account, provider),
            "SET flows_valid_after = :flows_valid_after REMOVE issuer, subject, email, linked_at",
            Some(&old.condition()),
            Some(values),
        );
        let writes = link.and_then(|link| {
            Ok(vec![
                link,
                self.delete_owner(identity, account)?,
                self.put(event, "attribute_not_exists(pk)", None)?,
            ])
        });
        match self.transact(DOING, writes, token, deadline).await? {
            Ok(()) => Ok(Try::Done(Unlinked::Ended)),
            Err(failed) if failed.at(LINK).is_some() => Ok(Try::Overtaken),
            Err(failed) if failed.at(OWNER).is_some() => Err(TableError::Corrupt {
                item: "an owner",
                attribute: attribute::ACCOUNT_ID,
            }),
            Err(_) => Err(TableError::Corrupt {
                item: "an event",
                attribute: attribute::KIND,
            }),
        }
    }

    /// Makes every flow of an account that is not linked worthless.
    async fn outdate_flows(&self, wanted: Unlinking<'_>, deadline: Deadline) -> Result<Try, TableError> {
        let not_linked = "attribute_not_exists(issuer)";
        let not_back = "(attribute_not_exists(flows_valid_after) OR flows_valid_after < :now)";
        let written = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(Key::link(wanted.account, wanted.provider).into_attributes()))
            .update_expression("SET flows_valid_after = :now")
            .condition_expression(format!("{not_linked} AND {not_back}"))
            .set_expression_attribute_values(Some(values([(":now", milliseconds(wanted.now))])))
            .return_values_on_condition_check_failure(AllOld)
            .send()
            .in_time(DOING, deadline)
            .await?;
        match written {
            Ok(_) => Ok(Try::Done(Unlinked::NothingLinked)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let record = failed
                        .item()
                        .map_or(Ok(AccountRecord::default()), items::account_record)?;
                    // Not linked, and outdated from `now` or later: it is as it should be, perhaps by this call's own first
                    // attempt.
                    Ok(if record.link.is_some() {
                        Try::Overtaken
                    } else {
                        Try::Done(Unlinked::NothingLinked)
                    })
                }
                _ => Err(TableError::of(DOING, error)),
            },
        }
    }
}

//! Tickets: written once, redeemed once.

use aws_sdk_dynamodb::{
    config::{Config, retry::RetryConfig},
    error::{BuildError, SdkError},
    operation::delete_item::DeleteItemError,
    types::{ReturnValue, TransactWriteItem},
};

use super::{
    Table,
    client::Call,
    commit::CommitToken,
    error::TableError,
    items::{self, attribute, milliseconds, text},
    keys::Key,
    transaction::values,
};
use crate::{
    clock::{Deadline, Timestamp},
    identity::EmailAddress,
    ticket::{Challenge, SignIn, TICKET_LIFETIME, TicketHash},
};

/// What a sign-in flow has earned: everything that its ticket's write holds or is conditional on.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// What is kept of the ticket.
    pub hash: TicketHash,
    /// Who may redeem it.
    pub challenge: Challenge,
    /// What it is redeemed for. Its account is the owner that was read.
    pub sign_in: SignIn,
    /// The e-mail label, when it is another than the owner's.
    pub changed_email: Option<EmailAddress>,
}

/// Why no ticket was written.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// The identity does not belong to the account any more that it was read to belong to.
    #[error("the identity has another owner than was read, or none")]
    OwnerChanged,
    /// The table gave no answer to act on.
    #[error(transparent)]
    Table(#[from] TableError),
}

// The writes of the transaction, in their order; only a changed label has the last.
const OWNER: usize = 0;
const LINK: usize = 2;

impl Table {
    /// Writes a ticket that can be redeemed from `now` on, if the identity still belongs to the account that was read; with it the new label,
    /// in both places that have one.
    pub async fn write_ticket(
        &self,
        ticket: &NewTicket,
        token: CommitToken,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<(), TicketError> {
        let writes = self.ticket_writes(ticket, now);
        match self.transact("writing the ticket", writes, token, deadline).await? {
            Ok(()) => Ok(()),
            Err(failed) if failed.at(OWNER).is_some() => Err(TicketError::OwnerChanged),
            // The owner is as it was read, and yet its account is not linked to the identity.
            Err(failed) if failed.at(LINK).is_some() => Err(TableError::Corrupt {
                item: "a link",
                attribute: attribute::SUBJECT,
            })?,
            // 256 random bits, and somebody had them before.
            Err(_) => Err(TableError::Corrupt {
                item: "a ticket",
                attribute: attribute::CHALLENGE,
            })?,
        }
    }

    fn ticket_writes(&self, ticket: &NewTicket, now: Timestamp) -> Result<Vec<TransactWriteItem>, BuildError> {
        let SignIn {
            account,
            provider,
            identity,
            ..
        } = &ticket.sign_in;
        let still_owned = "account_id = :account";
        let owner = (":account", text(account));
        let item = self.put(
            items::ticket(ticket, now.plus(TICKET_LIFETIME)),
            "attribute_not_exists(pk)",
            None,
        )?;
        let Some(email) = &ticket.changed_email else {
            return Ok(vec![
                self.check(Key::owner(identity), still_owned, values([owner]))?,
                item,
            ]);
        };
        let label = (":email", text(email.reveal()));
        let set_label = "SET email = :email";
        let linked_to = values([
            (":issuer", text(&identity.issuer)),
            (":subject", text(&identity.subject)),
            label.clone(),
        ]);
        Ok(vec![
            self.update(
                Key::owner(identity),
                set_label,
                Some(still_owned),
                Some(values([owner, label])),
            )?,
            item,
            self.update(
                Key::link(account, provider),
                set_label,
                Some("issuer = :issuer AND subject = :subject"),
                Some(linked_to),
            )?,
        ])
    }

    /// Takes the ticket away, and answers what it stands for; none when there is no such ticket for `challenge` at `now`, which leaves another
    /// challenge's ticket as it is.
    ///
    /// It is sent once: whoever gets no answer cannot know whether the ticket is spent, and a second try would say that it never was.
    pub async fn redeem_ticket(
        &self,
        ticket: TicketHash,
        challenge: Challenge,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Option<SignIn>, TableError> {
        let doing = "redeeming the ticket";
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(Key::ticket(ticket).into_attributes()))
            .condition_expression("challenge = :challenge AND valid_until > :now")
            .expression_attribute_values(":challenge", text(&challenge))
            .expression_attribute_values(":now", milliseconds(now))
            .return_values(ReturnValue::AllOld)
            .customize()
            .config_override(once)
            .send()
            .in_time(doing, deadline)
            .await?;
        match deleted {
            Ok(deleted) => deleted.attributes().map(items::sign_in).transpose(),
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), DeleteItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(None)
            }
            Err(error) => Err(TableError::of(doing, error)),
        }
    }
}

//! The table: the only code that knows DynamoDB (contract section 7).
//!
//! What must be decided once is decided by the conditions of a write, never by a read before it: who owns an identity, what an
//! account is linked to, whether a flow was used, whether an unlink came in between. A function can die at any line and nothing
//! is half done.
//!
//! | pattern | keys | operation | method | functions | IAM actions |
//! |---|---|---|---|---|---|
//! | what is linked | `ACCOUNT#…` `LINK#…` | `GetItem`, strongly consistent | [`Table::read_account`] | status, confirm, account-policy | `GetItem` |
//! | take a flow up, once | `FLOW#…` `CLAIM` | `PutItem` if none, or our own | [`Table::claim`] | callback | `PutItem` |
//! | link | `ACCOUNT#…` `LINK#…` · `IDENTITY#…` `OWNER` · `ACCOUNT#…` `EVENT#…` | `TransactWriteItems`: update · put · put | [`Table::commit`] | callback, confirm | `UpdateItem`, `PutItem` |
//! | switch to another identity | the same · old `IDENTITY#…` `OWNER` | `GetItem`, then `TransactWriteItems`: update · put · put · delete | [`Table::switch`] | confirm | `GetItem`, `UpdateItem`, `PutItem`, `DeleteItem` |
//! | note a refusal | `ACCOUNT#…` `EVENT#…` | `PutItem` if none | [`Table::record_refusal`] | callback, confirm | `PutItem` |
//! | decline to confirm | `ACCOUNT#…` `EVENT#…` | `PutItem` if none | [`Table::cancel`] | confirm | `PutItem` |
//! | unlink | `ACCOUNT#…` `LINK#…` · `IDENTITY#…` `OWNER` · `ACCOUNT#…` `EVENT#…` | `GetItem`, then `TransactWriteItems`: update · delete · put; when not linked `UpdateItem` | [`Table::unlink`] | unlink, account-policy | `GetItem`, `UpdateItem`, `DeleteItem`, `PutItem` |
//! | exempt from the requirement | `ACCOUNT#…` `LINK#…` · `ACCOUNT#…` `EVENT#…` | `TransactWriteItems`: update · put | [`Table::exempt`], [`Table::end_exemption`] | account-policy | `UpdateItem`, `PutItem` |
//! | whom an identity belongs to | `IDENTITY#…` `OWNER` | `GetItem`, strongly consistent | [`Table::read_owner`] | callback | `GetItem` |
//! | hand out a ticket | `IDENTITY#…` `OWNER` · `TICKET#…` `TICKET` | `TransactWriteItems`: check · put | [`Table::write_ticket`] | callback | `ConditionCheckItem`, `PutItem` |
//! | hand out a ticket, the label changed | the same · `ACCOUNT#…` `LINK#…` | `TransactWriteItems`: update · put · update | [`Table::write_ticket`] | callback | `UpdateItem`, `PutItem` |
//! | redeem a ticket | `TICKET#…` `TICKET` | `DeleteItem`, sent once | [`Table::redeem_ticket`] | redeem-ticket | `DeleteItem` |
//!
//! A transaction needs the IAM actions of its parts, none of its own. Nothing scans, and there is no index: each pattern names
//! its items by their keys.
//! [`Table::read_history`] queries, and [`Table::create_if_absent`] makes the table: for the local stack, which no role bounds.
//! [`Table::examine`] describes it, for `infra/doctor`, with the rights of whoever calls that.
//!
//! The IAM policies in `template.yaml` follow the last column line by line.

mod claim;
mod client;
mod commit;
mod connector;
mod error;
mod event;
mod examination;
mod exemption;
mod history;
mod items;
mod keys;
mod owner;
mod provision;
mod read;
mod ticket;
mod transaction;
mod unlink;

use aws_sdk_dynamodb::Client;

use crate::{additional_roots::AdditionalRoots, aws::AwsEnvironment, config::Reader};

pub use self::{
    claim::{AttemptId, CLAIM_RETENTION, ClaimError},
    client::CallLimits,
    commit::{CommitError, CommitToken},
    error::{RequestFailure, TableError},
    event::{EventId, Kind as EventKind},
    examination::TableFault,
    exemption::ExemptionEnded,
    history::HistoryEntry,
    items::{Item, account_record},
    owner::Owner,
    ticket::{NewTicket, TicketError},
    unlink::Unlinked,
};

/// The one table of the service. Cheap to clone: clones share the connections.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// Reads `TABLE_NAME`, `ADDITIONAL_ROOTS` and the variables of [`AwsEnvironment`].
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let name = reader.required("TABLE_NAME").map(str::to_owned);
        let aws = AwsEnvironment::read(reader);
        let additional_roots = reader.additional_roots();
        let limits = reader.call_limits();
        Some(Self {
            client: client::connect(&aws?, &additional_roots, limits),
            name: name?,
        })
    }

    /// The table called `name` in `aws`. Nothing is sent before the first call.
    #[must_use]
    pub fn connect(aws: &AwsEnvironment, name: String, limits: CallLimits) -> Self {
        Self {
            client: client::connect(aws, &AdditionalRoots::default(), limits),
            name,
        }
    }
}

//! Reading what happened to an account, for the local stack and the tests. No function does, and no role of one may query.

use super::{
    Table,
    client::Call,
    error::TableError,
    event::Kind,
    items::{self, Item},
    keys::Key,
};
use crate::{
    clock::{Deadline, Timestamp},
    identity::AccountId,
    link::Actor,
};

/// How many events are read at once.
const PAGE: i32 = 100;

const DOING: &str = "reading the history";

/// An event of an account, as the history tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// At which provider, by its id.
    pub provider: String,
    /// Who did it.
    pub actor: Actor,
    /// Of an exemption: until when.
    pub until: Option<Timestamp>,
}

impl Table {
    /// What happened to `account`, the latest first.
    pub async fn read_history(&self, account: &AccountId, deadline: Deadline) -> Result<Vec<HistoryEntry>, TableError> {
        let (partition, prefix) = Key::events(account).into_parts();
        let mut history = Vec::new();
        let mut next: Option<Item> = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .limit(PAGE)
                .key_condition_expression("pk = :account AND begins_with(sk, :event)")
                .expression_attribute_values(":account", items::text(&partition))
                .expression_attribute_values(":event", items::text(&prefix))
                .set_exclusive_start_key(next)
                .send()
                .in_time(DOING, deadline)
                .await?
                .map_err(|error| TableError::of(DOING, error))?;
            for item in page.items() {
                history.push(items::history_entry(item)?);
            }
            next = page.last_evaluated_key;
            if next.is_none() {
                break;
            }
        }
        history.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        Ok(history)
    }
}

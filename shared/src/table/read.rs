//! Reading what is linked.

use super::{Table, client::Call, error::TableError, items, keys::Key};
use crate::{
    clock::Deadline,
    identity::{AccountId, ProviderId},
    link::AccountRecord,
};

impl Table {
    /// What is known of `account` at `provider`, as of now: one strongly consistent read, so that a user who has just linked or
    /// unlinked sees it.
    pub async fn read_account(
        &self,
        account: &AccountId,
        provider: &ProviderId,
        deadline: Deadline,
    ) -> Result<AccountRecord, TableError> {
        let doing = "reading the link";
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(Key::link(account, provider).into_attributes()))
            .consistent_read(true)
            .send()
            .in_time(doing, deadline)
            .await?
            .map_err(|error| TableError::of(doing, error))?;
        answer
            .item()
            .map_or(Ok(AccountRecord::default()), items::account_record)
    }
}

//! Whom an identity belongs to.

use super::{Table, client::Call, error::TableError, items, keys::Key};
use crate::{
    clock::Deadline,
    identity::{AccountId, EmailAddress, Identity},
};

/// Whom an identity belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub account: AccountId,
    /// The e-mail label as it was stated last.
    pub email: Option<EmailAddress>,
}

impl Table {
    /// Whom `identity` belongs to, as of now: one strongly consistent read, so that who has just linked is let in, and who has just unlinked
    /// is not.
    pub async fn read_owner(&self, identity: &Identity, deadline: Deadline) -> Result<Option<Owner>, TableError> {
        let doing = "reading the owner";
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(Key::owner(identity).into_attributes()))
            .consistent_read(true)
            .send()
            .in_time(doing, deadline)
            .await?
            .map_err(|error| TableError::of(doing, error))?;
        answer.item().map(items::read_owner).transpose()
    }
}

//! Transactions: writes that happen all or not at all, and what stopped them.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::{BuildError, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure::AllOld,
        TransactWriteItem, Update,
    },
};

use super::{
    Table,
    client::Call,
    commit::CommitToken,
    error::{RequestFailure, TableError, passes_with_time},
    items::{Item, milliseconds, text},
    keys::Key,
};
use crate::{
    clock::{Deadline, Timestamp},
    link::{AccountRecord, Link},
};

/// Values for an expression's placeholders.
pub(super) type Values = HashMap<String, AttributeValue>;

/// Names the values of an expression's placeholders.
pub(super) fn values<const N: usize>(named: [(&str, AttributeValue); N]) -> Values {
    named
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Whether a transaction cancelled for `reasons` met nothing but other requests, so that it may succeed a moment later. A
/// failed condition will fail again, and outranks them.
pub(super) fn may_pass_later(reasons: &[CancellationReason]) -> bool {
    codes(reasons).any(|code| code != "None")
        && codes(reasons).all(|code| matches!(code, "None" | "TransactionConflict") || passes_with_time(code))
}

/// The reasons' names: one for each write, in their order.
fn codes(reasons: &[CancellationReason]) -> impl Iterator<Item = &str> {
    reasons.iter().map(|reason| reason.code().unwrap_or("None"))
}

/// The conditions of a transaction that were not met; at least one. Not `Debug`: it holds items, and they name people.
pub(super) struct FailedConditions(Vec<CancellationReason>);

impl FailedConditions {
    /// The failed conditions among `reasons`, when there are any.
    pub(super) fn among(reasons: &[CancellationReason]) -> Option<Self> {
        codes(reasons)
            .any(|code| code == "ConditionalCheckFailed")
            .then(|| Self(reasons.to_vec()))
    }

    /// What stood in the way of the write at `position`, when its condition was not met: the item, empty when there was none.
    pub(super) fn at(&self, position: usize) -> Option<Item> {
        let reason = self
            .0
            .get(position)
            .filter(|reason| reason.code() == Some("ConditionalCheckFailed"))?;
        Some(reason.item().cloned().unwrap_or_default())
    }
}

/// A link as it was read, as the condition of the write that ends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkAsRead<'a> {
    pub(super) link: &'a Link,
    flows_valid_after: Option<Timestamp>,
}

impl<'a> LinkAsRead<'a> {
    /// The link of `record`, while there is one.
    pub(super) fn of(record: &'a AccountRecord) -> Option<Self> {
        let link = record.link.as_ref()?;
        Some(Self {
            link,
            flows_valid_after: record.flows_valid_after,
        })
    }

    /// Holds while nobody has linked, switched or unlinked since: `linked_at` and `flows_valid_after` tell the same identity
    /// linked anew from the link that was read.
    pub(super) fn condition(&self) -> String {
        let valid_after = match self.flows_valid_after {
            None => "attribute_not_exists(flows_valid_after)",
            Some(_) => "flows_valid_after = :read_flows_valid_after",
        };
        format!("issuer = :read_issuer AND subject = :read_subject AND linked_at = :read_linked_at AND {valid_after}")
    }

    /// The values of [`Self::condition`].
    pub(super) fn values(&self) -> Values {
        let mut values = values([
            (":read_issuer", text(&self.link.identity.issuer)),
            (":read_subject", text(&self.link.identity.subject)),
            (":read_linked_at", milliseconds(self.link.linked_at)),
        ]);
        if let Some(instant) = self.flows_valid_after {
            values.insert(":read_flows_valid_after".to_owned(), milliseconds(instant));
        }
        values
    }

    /// What `flows_valid_after` becomes when the link ends at `now`. It never goes back, even when this machine's clock is behind
    /// the one that set it.
    pub(super) fn flows_valid_after_ending(&self, now: Timestamp) -> Timestamp {
        self.flows_valid_after.map_or(now, |before| before.max(now))
    }
}

impl Table {
    /// An update of the item called `key`, which need not exist.
    pub(super) fn update(
        &self,
        key: Key,
        update: &str,
        condition: Option<&str>,
        values: Option<Values>,
    ) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(key.into_attributes()))
            .update_expression(update)
            .set_condition_expression(condition.map(str::to_owned))
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// A write of `item` as a whole.
    pub(super) fn put(
        &self,
        item: Item,
        condition: &str,
        values: Option<Values>,
    ) -> Result<TransactWriteItem, BuildError> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// A condition on the item called `key`, which stays as it is.
    pub(super) fn check(&self, key: Key, condition: &str, values: Values) -> Result<TransactWriteItem, BuildError> {
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key.into_attributes()))
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// The end of the item called `key`.
    pub(super) fn delete(&self, key: Key, condition: &str, values: Values) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(key.into_attributes()))
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Sends `writes` as one transaction. The inner error tells which conditions were not met.
    pub(super) async fn transact(
        &self,
        doing: &'static str,
        writes: Result<Vec<TransactWriteItem>, BuildError>,
        token: CommitToken,
        deadline: Deadline,
    ) -> Result<Result<(), FailedConditions>, TableError> {
        let writes = writes.map_err(|_| TableError::Refused {
            doing,
            cause: RequestFailure::Construction,
        })?;
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .client_request_token(token.to_string())
            .send()
            .in_time(doing, deadline)
            .await?;
        match answer {
            Ok(_) => Ok(Ok(())),
            Err(error) => {
                let reasons = cancellation_reasons(&error).to_vec();
                match FailedConditions::among(&reasons) {
                    Some(failed) => Ok(Err(failed)),
                    None => Err(TableError::of(doing, error).explained_by(&reasons)),
                }
            }
        }
    }
}

fn cancellation_reasons<R>(error: &SdkError<TransactWriteItemsError, R>) -> &[CancellationReason] {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        _ => &[],
    }
}

impl TableError {
    /// This error, now that the cancelled transaction's `reasons` are known.
    fn explained_by(self, reasons: &[CancellationReason]) -> Self {
        match self {
            Self::Refused { doing, .. } if may_pass_later(reasons) && !codes(reasons).any(passes_with_time) => {
                Self::Conflict { doing }
            }
            Self::Refused { doing, cause } if !reasons.is_empty() => {
                let cause = cause.named_after(codes(reasons));
                if may_pass_later(reasons) {
                    Self::Unavailable { doing, cause }
                } else {
                    Self::Refused { doing, cause }
                }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes
            .iter()
            .map(|code| CancellationReason::builder().code(*code).build())
            .collect()
    }

    #[test]
    fn only_what_met_nothing_but_other_requests_may_pass_later() {
        for codes in [
            &["TransactionConflict"][..],
            &["None", "TransactionConflict", "None"],
            &["ThrottlingError", "TransactionConflict"],
            &["None", "ProvisionedThroughputExceeded"],
        ] {
            assert!(may_pass_later(&reasons(codes)), "{codes:?}");
        }
        for codes in [
            &[][..],
            &["None", "None"],
            &["TransactionConflict", "ConditionalCheckFailed"],
            &["TransactionConflict", "ValidationError"],
            &["ItemCollectionSizeLimitExceeded"],
        ] {
            assert!(!may_pass_later(&reasons(codes)), "{codes:?}");
        }
    }

    #[test]
    fn a_cancelled_transaction_is_logged_by_its_reasons() {
        let refused = || TableError::Refused {
            doing: "committing",
            cause: RequestFailure::Answered {
                code: "TransactionCanceledException".to_owned(),
                status: 400,
                request_id: "id".to_owned(),
            },
        };
        for (codes, expected) in [
            (
                &["None", "ValidationError"][..],
                "error None, ValidationError with status 400, request id",
            ),
            (
                &["ThrottlingError"],
                "error ThrottlingError with status 400, request id",
            ),
            (&[], "error TransactionCanceledException with status 400, request id"),
        ] {
            match refused().explained_by(&reasons(codes)) {
                TableError::Refused { cause, .. } | TableError::Unavailable { cause, .. } => {
                    assert_eq!(cause.to_string(), expected);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

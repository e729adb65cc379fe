//! Claiming a flow: whoever writes its id first, and nobody else, goes on with it.

use std::{fmt, time::Duration};

use aws_sdk_dynamodb::{error::SdkError, operation::put_item::PutItemError};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Table,
    client::Call,
    error::TableError,
    items::{attribute, seconds, text},
    keys::Key,
};
use crate::{
    clock::{Deadline, NoRandomness, Randomness, Timestamp, random_bytes},
    flow::{FLOW_LIFETIME, FlowId},
};

/// How long a claim is kept at least: as long as its flow can still be live, and an hour more, since the clock that judges the flow
/// next time may be another machine's.
pub const CLAIM_RETENTION: Duration = FLOW_LIFETIME.saturating_add(Duration::from_hours(1));

/// One callback's attempt to claim, 128 random bits: by it a claim whose answer was lost is known as our own when it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptId([u8; 16]);

impl AttemptId {
    /// A fresh id.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random_bytes(random).map(Self)
    }
}

/// 22 characters of unpadded base64url.
impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Why a flow was not claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another attempt was first.
    #[error("the flow was claimed before")]
    Spent,
    /// The table gave no answer to act on.
    #[error(transparent)]
    Table(TableError),
}

impl Table {
    /// Writes `flow`'s id for the first and only time; of all attempts at most one ever succeeds.
    pub async fn claim(
        &self,
        flow: FlowId,
        attempt: AttemptId,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<(), ClaimError> {
        let doing = "claiming the flow";
        self.client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(Key::claim(flow).into_attributes()))
            .item(attribute::ATTEMPT, text(&attempt))
            .item(attribute::EXPIRES_AT, seconds(now.plus(CLAIM_RETENTION)))
            .condition_expression("attribute_not_exists(pk) OR attempt = :attempt")
            .expression_attribute_values(":attempt", text(&attempt))
            .send()
            .in_time(doing, deadline)
            .await
            .map_err(ClaimError::Table)?
            .map(drop)
            .map_err(|error| match error {
                SdkError::ServiceError(refused)
                    if matches!(refused.err(), PutItemError::ConditionalCheckFailedException(_)) =>
                {
                    ClaimError::Spent
                }
                error => ClaimError::Table(TableError::of(doing, error)),
            })
    }
}

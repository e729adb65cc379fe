//! Whether the table is what `template.yaml` makes: for whoever checks a configuration (`infra/doctor`). No function calls it.

use std::fmt;

use aws_sdk_dynamodb::types::{
    KeyType, PointInTimeRecoveryStatus, ScalarAttributeType, StreamViewType, TableDescription, TableStatus,
    TimeToLiveStatus,
};

use super::{
    Table,
    client::Call,
    error::TableError,
    items::attribute,
    keys::{PK, SK},
};
use crate::clock::Deadline;

/// What a table lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFault {
    /// It is being made, changed or deleted.
    NotActive,
    /// Its keys are others than `pk` and `sk`, both strings.
    Keys,
    /// What has expired is not swept.
    TimeToLive,
    /// It has no stream of new and old images.
    Stream,
    /// It can be deleted by mistake.
    DeletionProtection,
    /// It cannot be restored to a moment ago.
    PointInTimeRecovery,
}

impl TableFault {
    /// Whether everything works all the same, until something is lost.
    #[must_use]
    pub const fn is_about_loss(self) -> bool {
        match self {
            Self::DeletionProtection | Self::PointInTimeRecovery => true,
            Self::NotActive | Self::Keys | Self::TimeToLive | Self::Stream => false,
        }
    }
}

impl fmt::Display for TableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotActive => f.write_str("it is not active"),
            Self::Keys => write!(f, "its keys are not `{PK}` and `{SK}`, both strings"),
            Self::TimeToLive => write!(f, "time to live is not on `{}`", attribute::EXPIRES_AT),
            Self::Stream => f.write_str("it has no stream with new and old images"),
            Self::DeletionProtection => f.write_str("it is not protected against deletion"),
            Self::PointInTimeRecovery => f.write_str("it has no point-in-time recovery"),
        }
    }
}

impl Table {
    /// What the table lacks of what `template.yaml` gives it.
    pub async fn examine(&self, deadline: Deadline) -> Result<Vec<TableFault>, TableError> {
        let doing = "describing the table";
        let described = self
            .client
            .describe_table()
            .table_name(&self.name)
            .send()
            .in_time(doing, deadline)
            .await?
            .map_err(|error| TableError::of(doing, error))?;
        let mut faults = described.table().map_or(vec![TableFault::NotActive], faults_of);
        if !self.sweeps(deadline).await? {
            faults.push(TableFault::TimeToLive);
        }
        if !self.can_be_restored(deadline).await? {
            faults.push(TableFault::PointInTimeRecovery);
        }
        Ok(faults)
    }

    async fn sweeps(&self, deadline: Deadline) -> Result<bool, TableError> {
        let doing = "describing the table's time to live";
        let described = self
            .client
            .describe_time_to_live()
            .table_name(&self.name)
            .send()
            .in_time(doing, deadline)
            .await?
            .map_err(|error| TableError::of(doing, error))?;
        Ok(described.time_to_live_description().is_some_and(|time_to_live| {
            let is_on = matches!(
                time_to_live.time_to_live_status(),
                Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
            );
            is_on && time_to_live.attribute_name() == Some(attribute::EXPIRES_AT)
        }))
    }

    async fn can_be_restored(&self, deadline: Deadline) -> Result<bool, TableError> {
        let doing = "describing the table's backups";
        let described = self
            .client
            .describe_continuous_backups()
            .table_name(&self.name)
            .send()
            .in_time(doing, deadline)
            .await?;
        let described = match described {
            Ok(described) => described,
            // A database that knows no backups (an emulator) has none.
            Err(error) => {
                return match TableError::of(doing, error) {
                    TableError::Refused { .. } => Ok(false),
                    other => Err(other),
                };
            }
        };
        let recovery = described
            .continuous_backups_description()
            .and_then(|backups| backups.point_in_time_recovery_description())
            .and_then(|recovery| recovery.point_in_time_recovery_status());
        Ok(recovery == Some(&PointInTimeRecoveryStatus::Enabled))
    }
}

fn faults_of(table: &TableDescription) -> Vec<TableFault> {
    let key = |name: &str, key_type: KeyType| {
        let is_key = table
            .key_schema()
            .iter()
            .any(|element| element.attribute_name() == name && *element.key_type() == key_type);
        let is_string = table
            .attribute_definitions()
            .iter()
            .any(|defined| defined.attribute_name() == name && *defined.attribute_type() == ScalarAttributeType::S);
        is_key && is_string
    };
    let has_stream = table.stream_specification().is_some_and(|stream| {
        stream.stream_enabled() && stream.stream_view_type() == Some(&StreamViewType::NewAndOldImages)
    });
    [
        (
            TableFault::NotActive,
            table.table_status() == Some(&TableStatus::Active),
        ),
        (TableFault::Keys, key(PK, KeyType::Hash) && key(SK, KeyType::Range)),
        (TableFault::Stream, has_stream),
        (
            TableFault::DeletionProtection,
            table.deletion_protection_enabled() == Some(true),
        ),
    ]
    .into_iter()
    .filter_map(|(fault, is_well)| (!is_well).then_some(fault))
    .collect()
}

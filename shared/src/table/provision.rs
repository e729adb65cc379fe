//! Making the table, for the local stack and the tests. In the cloud `template.yaml` makes it, with the same keys, TTL and stream.

use aws_sdk_dynamodb::{
    error::{BuildError, SdkError},
    operation::create_table::CreateTableError,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
        StreamViewType, TimeToLiveSpecification,
    },
};

use super::{
    Table,
    client::Call,
    error::{RequestFailure, TableError},
    items::attribute,
    keys::{PK, SK},
};
use crate::clock::Deadline;

const DOING: &str = "creating the table";

impl Table {
    /// Creates the table unless it exists; an existing one is left as it is.
    pub async fn create_if_absent(&self, deadline: Deadline) -> Result<(), TableError> {
        let invalid = |_: BuildError| TableError::Refused {
            doing: DOING,
            cause: RequestFailure::Construction,
        };
        let mut request = self
            .client
            .create_table()
            .table_name(&self.name)
            .billing_mode(BillingMode::PayPerRequest)
            .stream_specification(
                StreamSpecification::builder()
                    .stream_enabled(true)
                    .stream_view_type(StreamViewType::NewAndOldImages)
                    .build()
                    .map_err(invalid)?,
            );
        for (name, key_type) in [(PK, KeyType::Hash), (SK, KeyType::Range)] {
            let definition = AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S);
            let element = KeySchemaElement::builder().attribute_name(name).key_type(key_type);
            request = request
                .attribute_definitions(definition.build().map_err(invalid)?)
                .key_schema(element.build().map_err(invalid)?);
        }
        match request.send().in_time(DOING, deadline).await? {
            Ok(_) => {}
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), CreateTableError::ResourceInUseException(_)) =>
            {
                return Ok(());
            }
            Err(error) => return Err(TableError::of(DOING, error)),
        }

        let ttl = TimeToLiveSpecification::builder()
            .attribute_name(attribute::EXPIRES_AT)
            .enabled(true);
        self.client
            .update_time_to_live()
            .table_name(&self.name)
            .time_to_live_specification(ttl.build().map_err(invalid)?)
            .send()
            .in_time(DOING, deadline)
            .await?
            .map(drop)
            .map_err(|error| TableError::of(DOING, error))
    }
}

//! Making the table.

use serde_json::json;

use crate::world::{World, at, deadline, on_both_engines};

on_both_engines![
    a_table_is_made_as_the_template_makes_it,
    a_table_that_exists_is_left_as_it_is
];

async fn a_table_is_made_as_the_template_makes_it(world: World) {
    let table = world.database.call("DescribeTable", json!({})).await["Table"].take();
    assert_eq!(
        table["KeySchema"],
        json!([{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}])
    );
    assert_eq!(
        table["AttributeDefinitions"],
        json!([{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}])
    );
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(
        table["StreamSpecification"],
        json!({"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    );
    let ttl = world.database.call("DescribeTimeToLive", json!({})).await["TimeToLiveDescription"].take();
    assert_eq!(
        ttl,
        json!({"AttributeName": "expires_at", "TimeToLiveStatus": "ENABLED"})
    );
}

async fn a_table_that_exists_is_left_as_it_is(world: World) {
    world.link("alice", "maria", at(0)).await;
    let before = world.database.items().await;

    world.table.create_if_absent(deadline()).await.unwrap();

    assert_eq!(world.database.items().await, before);
}

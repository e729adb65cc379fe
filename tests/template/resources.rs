//! How the functions run, and what the table is.

use std::{collections::BTreeSet, time::Duration};

use account_linking::http::request::REQUEST_BUDGET;
use serde_json::{Value, json};

use crate::document::{self, workspace};

#[test]
fn every_function_is_built_from_its_crate_for_arm64() {
    let template = document::read("template.yaml");
    let folders = std::fs::read_dir(workspace().join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap());
    let crates: BTreeSet<_> = folders
        .filter(|folder| folder.path().join("Cargo.toml").is_file())
        .map(|folder| folder.file_name().into_string().unwrap())
        .collect();
    let functions = document::functions(&template);
    assert_eq!(
        functions.keys().copied().map(str::to_owned).collect::<BTreeSet<_>>(),
        crates
    );
    for (name, function) in functions {
        assert_eq!(function.build_method, "rust-cargolambda", "{name}");
        assert_eq!(function.properties["Runtime"], "provided.al2023", "{name}");
        assert_eq!(function.properties["Handler"], "bootstrap", "{name}");
        assert_eq!(
            function.properties["Architectures"],
            json!([{"Ref": "Architecture"}]),
            "{name}"
        );
    }
    assert_eq!(template["Parameters"]["Architecture"]["Default"], "arm64");
}

#[test]
fn lambda_ends_a_call_only_after_the_function_has_given_it_up() {
    let template = document::read("template.yaml");
    for (name, function) in document::functions(&template) {
        let timeout = Duration::from_secs(function.properties["Timeout"].as_u64().unwrap());
        assert!(timeout > REQUEST_BUDGET + Duration::from_secs(1), "{name}");
    }
}

#[test]
fn what_browsers_and_servers_call_has_measured_memory_and_a_reserve_of_its_own() {
    let template = document::read("template.yaml");
    for (name, function) in document::functions(&template) {
        let (memory, reserve) = match name {
            // Nobody waits for it, and its schedule calls it once at a time.
            "rotate-flow-keys" => (128, json!({"Ref": "AWS::NoValue"})),
            "account-policy" | "redeem-ticket" => (256, reserve_unless_zero("ReservesForServers", "ServerConcurrency")),
            _ => (256, reserve_unless_zero("ReservesForBrowsers", "BrowserConcurrency")),
        };
        assert_eq!(function.properties["MemorySize"], memory, "{name}");
        assert_eq!(function.properties["ReservedConcurrentExecutions"], reserve, "{name}");
    }
}

fn reserve_unless_zero(condition: &str, parameter: &str) -> Value {
    json!({"If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]})
}

#[test]
fn every_function_logs_to_a_group_of_its_own_that_forgets() {
    let template = document::read("template.yaml");
    let mut groups = BTreeSet::new();
    for (name, function) in document::functions(&template) {
        let group = function.properties["LoggingConfig"]["LogGroup"]["Ref"]
            .as_str()
            .unwrap()
            .to_owned();
        let resource = &template["Resources"][&group];
        assert_eq!(resource["Type"], "AWS::Logs::LogGroup", "{name}");
        assert_eq!(
            resource["Properties"]["RetentionInDays"],
            json!({"Ref": "LogRetentionDays"}),
            "{name}"
        );
        assert_eq!(
            resource["Properties"]["KmsKeyId"],
            json!({"GetAtt": "DataKey.Arn"}),
            "{name}"
        );
        let may_write = json!({
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": { "GetAtt": format!("{group}.Arn") }
        });
        assert!(function.statements(&template).contains(&&may_write), "{name}");
        assert!(groups.insert(group), "{name} shares its log group");
        assert_eq!(function.properties["LoggingConfig"]["LogFormat"], "JSON", "{name}");
    }
    assert!(template["Parameters"]["LogRetentionDays"]["AllowedValues"].is_array());
}

#[test]
fn the_table_is_encrypted_recoverable_and_followed_and_outlives_the_stack() {
    let template = document::read("template.yaml");
    let [(_, table)] = document::resources(&template, "AWS::DynamoDB::Table").collect::<Vec<_>>()[..] else {
        panic!("there is one table")
    };
    assert_eq!(table["DeletionPolicy"], "Retain");
    assert_eq!(table["UpdateReplacePolicy"], "Retain");
    assert_eq!(
        table["Properties"],
        json!({
            "BillingMode": "PAY_PER_REQUEST",
            "DeletionProtectionEnabled": true,
            "SSESpecification": {
                "SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": { "GetAtt": "DataKey.Arn" }
            },
            "AttributeDefinitions": [
                { "AttributeName": "pk", "AttributeType": "S" },
                { "AttributeName": "sk", "AttributeType": "S" },
            ],
            "KeySchema": [
                { "AttributeName": "pk", "KeyType": "HASH" },
                { "AttributeName": "sk", "KeyType": "RANGE" },
            ],
            "TimeToLiveSpecification": { "AttributeName": "expires_at", "Enabled": true },
            "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
            "StreamSpecification": { "StreamViewType": "NEW_AND_OLD_IMAGES" },
        })
    );
}

#[test]
fn the_key_of_what_is_kept_is_renewed_and_outlives_the_stack() {
    let template = document::read("template.yaml");
    let key = &template["Resources"]["DataKey"];
    assert_eq!(key["DeletionPolicy"], "Retain");
    assert_eq!(key["UpdateReplacePolicy"], "Retain");
    assert_eq!(key["Properties"]["EnableKeyRotation"], true);
}

#[test]
fn every_function_is_traced_and_deployed_gradually_behind_an_alias() {
    let template = document::read("template.yaml");
    for (name, function) in document::functions(&template) {
        assert_eq!(function.properties["Tracing"], "Active", "{name}");
        assert_eq!(function.properties["AutoPublishAlias"], "live", "{name}");
        let deployment = &function.properties["DeploymentPreference"];
        assert_eq!(deployment["Type"], "Canary10Percent5Minutes", "{name}");
        assert_eq!(deployment["Enabled"], json!({"Ref": "GradualDeployment"}), "{name}");
    }
}

#[test]
fn secrets_are_encrypted_and_none_is_written_down_in_the_template() {
    let template = document::read("template.yaml");
    let mut seen = 0;
    for (name, secret) in document::resources(&template, "AWS::SecretsManager::Secret") {
        let properties = &secret["Properties"];
        assert_eq!(properties["KmsKeyId"], json!({"GetAtt": "DataKey.Arn"}), "{name}");
        assert_eq!(properties["SecretString"], Value::Null, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn the_flow_keys_are_looked_after_more_often_than_a_step_of_a_rotation_lasts() {
    let template = document::read("template.yaml");
    let rotation = &document::functions(&template)["rotate-flow-keys"].properties;
    assert_eq!(
        rotation["Environment"]["Variables"]["FLOW_KEYS_ARN"],
        json!({"GetAtt": "FlowKeys.Id"})
    );
    let schedule = rotation["Events"]["Every5Minutes"]["Properties"]["Schedule"].as_str();
    assert_eq!(schedule, Some("rate(5 minutes)"));
    assert!(Duration::from_mins(5) < rotate_flow_keys::APPENDED_FOR);
}

#[test]
fn no_secret_is_a_variable_and_every_parameter_is_described() {
    let template = document::read("template.yaml");
    for (name, function) in document::functions(&template) {
        for variable in function.variables() {
            assert!(
                !["FLOW_KEYS", "AWS_ACCESS_KEY_ID"].contains(&variable),
                "{name}: {variable}"
            );
        }
    }
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        assert!(parameter["Description"].is_string(), "{name}");
        assert_ne!(
            parameter["NoEcho"],
            Value::Bool(true),
            "{name}: a secret is no parameter"
        );
    }
}

#[test]
fn the_pipe_takes_new_events_and_nothing_else_to_the_bus() {
    let template = document::read("template.yaml");
    let pipe = &template["Resources"]["EventPipe"]["Properties"];
    assert_eq!(pipe["Source"], json!({"GetAtt": "Table.StreamArn"}));
    assert_eq!(pipe["Target"], json!({"GetAtt": "EventBus.Arn"}));
    let [filter] = document::list(&pipe["SourceParameters"]["FilterCriteria"]["Filters"]) else {
        panic!("one filter")
    };
    let pattern: Value = serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap();
    assert_eq!(
        pattern,
        json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "EVENT#"}]}}}})
    );
    let bus = &pipe["TargetParameters"]["EventBridgeEventBusParameters"];
    let documented = document::text("docs/events.md");
    for (member, name) in [("Source", "source"), ("DetailType", "detail-type")] {
        let said = format!("\"{name}\": {}", bus[member]);
        assert!(documented.contains(&said), "{said}");
    }
}

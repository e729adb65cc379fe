//! What each function may do: enough, and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::document::{self, Function, list};

/// The actions of `function`'s role on resources that `selects`.
fn actions<'a>(template: &'a Value, function: &Function, selects: impl Fn(&'a Value) -> bool) -> BTreeSet<&'a str> {
    let statements = function.statements(template).into_iter();
    let selected = statements.filter(|statement| selects(&statement["Resource"]));
    selected
        .flat_map(|statement| list(&statement["Action"]))
        .map(|action| action.as_str().unwrap())
        .collect()
}

/// The IAM actions of each function, from the table of access patterns that opens the table's module.
fn documented(module: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = module.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.map(|row| row.trim_end_matches(" |").split(" | ").collect::<Vec<_>>());
    let mut functions = BTreeMap::<_, BTreeSet<_>>::new();
    for row in rows.skip(1) {
        let [.., names, actions] = row.as_slice() else {
            panic!("{row:?}")
        };
        for name in names.split(", ") {
            let actions = actions
                .split(", ")
                .map(|action| format!("dynamodb:{}", action.trim_matches('`')));
            functions.entry(name.to_owned()).or_default().extend(actions);
        }
    }
    functions
}

#[test]
fn each_function_may_do_at_the_table_what_its_access_patterns_need() {
    let template = document::read("template.yaml");
    let documented = documented(&document::text("shared/src/table/mod.rs"));
    for (name, function) in document::functions(&template) {
        let granted = actions(&template, &function, |resource| {
            *resource == json!({"GetAtt": "Table.Arn"})
        });
        let needed = documented.get(name).into_iter().flatten().map(String::as_str).collect();
        assert_eq!(granted, needed, "{name}");
    }
}

#[test]
fn who_starts_a_flow_cannot_reach_the_table() {
    let template = document::read("template.yaml");
    for name in ["start-link", "sign-in"] {
        let function = &document::functions(&template)[name];
        let actions = actions(&template, function, |_| true);
        assert!(
            !actions.iter().any(|action| action.starts_with("dynamodb:")),
            "{name}: {actions:?}"
        );
        assert!(!function.variables().any(|name| name == "TABLE_NAME"), "{name}");
    }
}

#[test]
fn who_seals_or_opens_and_nobody_else_may_read_the_flow_keys() {
    let template = document::read("template.yaml");
    for (name, function) in document::functions(&template) {
        let granted = actions(&template, &function, |resource| {
            *resource == json!({"Ref": "FlowKeysArn"})
        });
        let uses_them = function.variables().any(|name| name == "FLOW_KEYS_ARN");
        let needed = uses_them
            .then_some("secretsmanager:GetSecretValue")
            .into_iter()
            .collect();
        assert_eq!(granted, needed, "{name}");
    }
}

#[test]
fn only_who_talks_to_the_provider_may_use_the_client_s_secrets_and_keys() {
    let template = document::read("template.yaml");
    for (name, function) in document::functions(&template) {
        let secrets = actions(&template, &function, |resource| {
            *resource == json!({"Ref": "ClientSecretArns"})
        });
        let keys = actions(&template, &function, |resource| {
            *resource == json!({"Ref": "ClientKeyArns"})
        });
        let talks = function.variables().any(|name| name == "PROVIDER_TIMEOUT_MS");
        assert_eq!(
            secrets,
            talks.then_some("secretsmanager:GetSecretValue").into_iter().collect(),
            "{name}"
        );
        let needed: &[&str] = if talks { &["kms:GetPublicKey", "kms:Sign"] } else { &[] };
        assert!(keys.iter().eq(needed), "{name}: {keys:?}");
    }
}

#[test]
fn every_function_has_a_role_of_its_own_that_names_what_it_allows() {
    let template = document::read("template.yaml");
    let mut roles = BTreeSet::new();
    for (name, function) in document::functions(&template) {
        assert!(
            roles.insert(function.properties["Role"].to_string()),
            "{name} shares its role"
        );
        assert_eq!(
            function.properties["Policies"],
            Value::Null,
            "{name}: SAM ignores policies beside a role"
        );
        for statement in function.statements(&template) {
            assert_eq!(statement["Effect"], "Allow", "{name}");
            for action in list(&statement["Action"]) {
                assert!(!action.as_str().unwrap().contains('*'), "{name}: {action}");
            }
            for resource in list(&statement["Resource"]) {
                let names_one = resource.get("GetAtt").or(resource.get("Ref")).is_some();
                assert!(names_one, "{name}: {resource}");
            }
        }
    }
    for (name, role) in document::resources(&template, "AWS::IAM::Role") {
        assert_eq!(role["Properties"]["ManagedPolicyArns"], Value::Null, "{name}");
        let assumed_by = role.pointer("/Properties/AssumeRolePolicyDocument/Statement").unwrap();
        let service = match name {
            "EventPipeRole" => "pipes.amazonaws.com",
            _ => "lambda.amazonaws.com",
        };
        let one = json!([{
            "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole"
        }]);
        assert_eq!(*assumed_by, one, "{name}");
    }
}

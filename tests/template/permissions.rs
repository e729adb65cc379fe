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

/// What each function does at the table, from the table of access patterns that opens the table's module.
#[derive(Default)]
struct Patterns {
    /// IAM actions.
    actions: BTreeSet<String>,
    /// What the partition keys begin with: `ACCOUNT#`.
    prefixes: BTreeSet<String>,
}

fn documented(module: &str) -> BTreeMap<String, Patterns> {
    let rows = module.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.map(|row| row.trim_end_matches(" |").split(" | ").collect::<Vec<_>>());
    let mut functions = BTreeMap::<_, Patterns>::new();
    let mut of_row_before = BTreeSet::new();
    for row in rows.skip(1) {
        let [_, keys, .., names, actions] = row.as_slice() else {
            panic!("{row:?}")
        };
        let quoted = keys.split('`').filter_map(|text| text.strip_suffix('…'));
        let mut prefixes: BTreeSet<_> = quoted
            .filter(|key| ["ACCOUNT#", "FLOW#", "IDENTITY#", "TICKET#"].contains(key))
            .map(str::to_owned)
            .collect();
        if keys.starts_with("the same") {
            prefixes.append(&mut of_row_before);
        }
        for name in names.split(", ") {
            let patterns = functions.entry(name.to_owned()).or_default();
            let actions = actions
                .split(", ")
                .map(|action| format!("dynamodb:{}", action.trim_matches('`')));
            patterns.actions.extend(actions);
            patterns.prefixes.extend(prefixes.iter().cloned());
        }
        of_row_before = prefixes;
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
        let patterns = documented.get(name);
        let needed = patterns.into_iter().flat_map(|patterns| &patterns.actions);
        assert!(granted.iter().eq(&needed.collect::<Vec<_>>()), "{name}: {granted:?}");
    }
}

#[test]
fn each_function_reaches_the_items_of_its_access_patterns_and_no_others() {
    let template = document::read("template.yaml");
    let mut documented = documented(&document::text("shared/src/table/mod.rs"));
    for (name, function) in document::functions(&template) {
        let statements = function.statements(&template).into_iter();
        let at_table = statements.filter(|statement| statement["Resource"] == json!({"GetAtt": "Table.Arn"}));
        let conditions: Vec<_> = at_table.map(|statement| &statement["Condition"]).collect();
        let Some(patterns) = documented.remove(name) else {
            assert_eq!(conditions, Vec::<&Value>::new(), "{name}");
            continue;
        };
        // All in one statement: a transaction is judged by all of its keys.
        let keys: Vec<_> = patterns.prefixes.iter().map(|prefix| format!("{prefix}*")).collect();
        let condition = json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}});
        assert_eq!(conditions, [&condition], "{name}");
    }
    assert!(documented.is_empty(), "functions that the template lacks");
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
            *resource == json!({"GetAtt": "FlowKeys.Id"})
        });
        let uses_them = function.variables().any(|name| name == "FLOW_KEYS_ARN");
        let mut needed = BTreeSet::new();
        needed.extend(uses_them.then_some("secretsmanager:GetSecretValue"));
        needed.extend((name == "rotate-flow-keys").then_some("secretsmanager:PutSecretValue"));
        assert_eq!(granted, needed, "{name}");
    }
}

#[test]
fn only_who_talks_to_the_provider_may_use_the_client_s_secrets_and_keys() {
    let template = document::read("template.yaml");
    for (name, function) in document::functions(&template) {
        let talks = function.variables().any(|name| name == "PROVIDER_TIMEOUT_MS");
        for (resource, needed) in [
            (
                json!({"GetAtt": "ClientSecret.Id"}),
                &["secretsmanager:GetSecretValue"][..],
            ),
            (json!({"Ref": "ClientSecretArns"}), &["secretsmanager:GetSecretValue"]),
            (json!({"GetAtt": "ClientKey.Arn"}), &["kms:GetPublicKey", "kms:Sign"]),
            (json!({"Ref": "ClientKeyArns"}), &["kms:GetPublicKey", "kms:Sign"]),
        ] {
            let granted = actions(&template, &function, |granted| *granted == resource);
            let needed = if talks { needed } else { &[] };
            assert!(granted.iter().eq(needed), "{name}: {resource}: {granted:?}");
        }
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
            // X-Ray knows no resources.
            let traces = json!(["xray:PutTelemetryRecords", "xray:PutTraceSegments"]);
            for resource in list(&statement["Resource"]) {
                if statement["Action"] == traces && resource == "*" {
                    continue;
                }
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

#[test]
fn nothing_but_a_key_s_own_policy_says_any_resource() {
    let mut template = document::read("template.yaml");
    let resources = template["Resources"].as_object_mut().unwrap();
    for role in resources
        .values_mut()
        .filter(|resource| resource["Type"] == "AWS::IAM::Role")
    {
        for policy in role["Properties"]["Policies"].as_array_mut().unwrap() {
            let statements = policy["PolicyDocument"]["Statement"].as_array_mut().unwrap();
            statements.retain(|statement| statement["Action"][0] != "xray:PutTelemetryRecords");
        }
    }
    for (name, resource) in resources.iter() {
        if resource["Type"] != "AWS::KMS::Key" {
            assert!(!resource.to_string().contains(r#""Resource":"*""#), "{name}");
            continue;
        }
        // Whoever is not the account itself is bound by a condition.
        for statement in list(&resource["Properties"]["KeyPolicy"]["Statement"]) {
            let administers = statement["Action"] == "kms:*";
            assert_eq!(statement["Condition"].is_object(), !administers, "{statement}");
        }
    }
}

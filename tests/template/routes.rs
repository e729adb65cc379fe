//! One set of routes, written down wherever somebody needs it.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::document::{self, workspace};

/// Method, path and function.
type Routes = BTreeSet<(String, String, String)>;

fn of_template() -> Routes {
    let template = document::read("template.yaml");
    let mut routes = Routes::new();
    for (name, function) in document::functions(&template) {
        for event in function.properties["Events"].as_object().unwrap().values() {
            if name == "rotate-flow-keys" {
                assert_eq!(event["Type"], "Schedule", "{name}");
                continue;
            }
            assert_eq!(event["Type"], "HttpApi", "{name}");
            let properties = &event["Properties"];
            assert_eq!(properties["ApiId"]["Ref"], "Api", "{name}");
            let text = |member: &str| properties[member].as_str().unwrap().to_owned();
            assert!(
                routes.insert((text("Method"), text("Path"), name.to_owned())),
                "{name}: a route comes twice"
            );
        }
    }
    routes
}

#[test]
fn the_contract_has_the_routes_of_the_template() {
    let contract = document::read("infra/openapi.yaml");
    let mut routes = Routes::new();
    for (path, methods) in contract["paths"].as_object().unwrap() {
        for (method, operation) in methods
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "parameters")
        {
            let [function] = document::list(&operation["tags"]) else {
                panic!("{method} {path} has one tag")
            };
            routes.insert((
                method.to_uppercase(),
                path.clone(),
                function.as_str().unwrap().to_owned(),
            ));
        }
    }
    assert_eq!(routes, of_template());
}

#[test]
fn the_local_gateway_has_the_routes_of_the_template() {
    let routes = local_stack::ROUTES.iter().map(|route| {
        let text = |text: &str| text.to_owned();
        (text(route.method.as_str()), text(route.path), text(route.function))
    });
    assert_eq!(routes.collect::<Routes>(), of_template());
}

#[test]
fn cargo_lambda_watch_has_the_routes_of_the_template() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let mut routes = Routes::new();
    for (path, targets) in metadata["metadata"]["lambda"]["watch"]["router"].as_object().unwrap() {
        for target in targets.as_array().unwrap() {
            let text = |member: &str| target[member].as_str().unwrap().to_owned();
            routes.insert((text("method"), path.clone(), text("function")));
        }
    }
    assert_eq!(routes, of_template());
}

#[test]
fn the_same_routes_ask_for_a_signature_everywhere() {
    let template = document::read("template.yaml");
    let mut signed = BTreeSet::new();
    for function in document::functions(&template).values() {
        for event in function.properties["Events"].as_object().unwrap().values() {
            let properties = &event["Properties"];
            if properties["Auth"]["Authorizer"] == "AWS_IAM" {
                let text = |member: &str| properties[member].as_str().unwrap().to_owned();
                signed.insert((text("Method"), text("Path")));
            }
        }
    }
    assert_eq!(
        template["Resources"]["Api"]["Properties"]["Auth"]["EnableIamAuthorizer"],
        true
    );

    let contract = document::read("infra/openapi.yaml");
    let mut of_contract = BTreeSet::new();
    for (path, methods) in contract["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if operation.pointer("/security/0/awsSignature").is_some() {
                of_contract.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert_eq!(of_contract, signed);

    let local = local_stack::ROUTES
        .iter()
        .filter(|route| route.caller == local_stack::Caller::Iam);
    let local = local.map(|route| (route.method.to_string(), route.path.to_owned()));
    assert_eq!(local.collect::<BTreeSet<_>>(), signed);
    assert!(!signed.is_empty());
}

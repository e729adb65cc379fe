//! What the files say, taken apart.

use std::collections::BTreeMap;

pub(crate) use harness::documents::{read, text, workspace};
use serde_json::Value;

/// The functions of `template`, by the names of their crates' folders, with the globals in place.
pub(crate) fn functions(template: &Value) -> BTreeMap<&str, Function> {
    let globals = &template["Globals"]["Function"];
    resources(template, "AWS::Serverless::Function")
        .map(|(_, resource)| {
            let mut properties = globals.clone();
            merge(&mut properties, &resource["Properties"]);
            let name = resource["Properties"]["CodeUri"].as_str().unwrap();
            let name = name.strip_prefix("functions/").unwrap();
            (
                name,
                Function {
                    properties,
                    build_method: resource["Metadata"]["BuildMethod"].clone(),
                },
            )
        })
        .collect()
}

/// One function of the template.
pub(crate) struct Function {
    pub(crate) properties: Value,
    pub(crate) build_method: Value,
}

impl Function {
    /// The names of the variables it gets.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.properties["Environment"]["Variables"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
    }

    /// The statements of its role, those behind a condition included.
    pub(crate) fn statements<'a>(&self, template: &'a Value) -> Vec<&'a Value> {
        let role = self.properties["Role"]["GetAtt"]
            .as_str()
            .unwrap()
            .strip_suffix(".Arn")
            .unwrap();
        let policies = template["Resources"][role]["Properties"]["Policies"]
            .as_array()
            .unwrap();
        let statements = policies
            .iter()
            .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
        statements
            .map(|statement| statement.pointer("/If/1").unwrap_or(statement))
            .collect()
    }
}

/// The resources of one type, with their names.
pub(crate) fn resources<'a>(template: &'a Value, of_type: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let all = template["Resources"].as_object().unwrap().iter();
    all.filter(move |(_, resource)| resource["Type"] == of_type)
        .map(|(name, resource)| (name.as_str(), resource))
}

/// A list, or the one element that AWS takes for a list of one.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Maps are merged as SAM does it: an intrinsic function is written as a map, but replaces what was there.
fn merge(into: &mut Value, from: &Value) {
    let is_intrinsic = |value: &Value| {
        ["GetAtt", "If", "Ref", "Sub"]
            .iter()
            .any(|name| value.get(name).is_some())
    };
    match (into, from) {
        (Value::Object(into), Value::Object(members)) if !is_intrinsic(from) => {
            for (name, value) in members {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

//! Reads the files as JSON values, in which a tag is a member of its own: `!GetAtt Table.Arn` is `{"GetAtt": "Table.Arn"}`.

use std::{collections::BTreeMap, fs, path::Path};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};

/// What this workspace's file at `path` says.
pub(crate) fn read(path: &str) -> Value {
    let text = text(path);
    let documents = Yaml::load_from_str(&text).unwrap();
    let [document] = documents.as_slice() else {
        panic!("{path} is one document")
    };
    value(document)
}

/// The text of this workspace's file at `path`.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

/// The workspace's folder.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

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

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn value(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.0),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(elements) => elements.iter().map(value).collect(),
        Yaml::Mapping(members) => {
            let members = members
                .iter()
                .map(|(name, member)| (name.as_str().unwrap().to_owned(), value(member)));
            Value::Object(members.collect())
        }
        Yaml::Tagged(tag, tagged) => json!({ &tag.suffix: value(tagged) }),
        other => panic!("not resolved: {other:?}"),
    }
}

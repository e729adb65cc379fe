//! Reads the files as JSON values, in which a tag is a member of its own: `!GetAtt Table.Arn` is `{"GetAtt": "Table.Arn"}`.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Value, json};

/// What this workspace's file at `path` says.
pub(crate) fn read(path: &str) -> Value {
    let text = text(path);
    let mut reader = Reader {
        events: Parser::new_from_str(&text),
        anchored: HashMap::new(),
    };
    assert_eq!(reader.next(), Event::StreamStart);
    assert!(matches!(reader.next(), Event::DocumentStart(_)));
    let first = reader.next();
    reader.value(first)
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

/// Puts a document's events together.
struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// What `&name` was put before.
    anchored: HashMap<usize, Value>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Event<'a> {
        let (event, _) = self.events.next_event().unwrap().unwrap();
        event
    }

    fn value(&mut self, first: Event<'a>) -> Value {
        let (value, anchor, tag) = match first {
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style), anchor, tag),
            Event::SequenceStart(anchor, tag) => {
                let mut elements = Vec::new();
                loop {
                    match self.next() {
                        Event::SequenceEnd => break,
                        element => elements.push(self.value(element)),
                    }
                }
                (Value::Array(elements), anchor, tag)
            }
            Event::MappingStart(anchor, tag) => {
                let mut members = serde_json::Map::new();
                loop {
                    let name = match self.next() {
                        Event::MappingEnd => break,
                        Event::Scalar(name, ..) => name.into_owned(),
                        other => panic!("a name is text, not {other:?}"),
                    };
                    let member = self.next();
                    assert_eq!(
                        members.insert(name.clone(), self.value(member)),
                        None,
                        "{name} comes twice"
                    );
                }
                (Value::Object(members), anchor, tag)
            }
            Event::Alias(anchor) => return self.anchored[&anchor].clone(),
            other => panic!("{other:?} begins no value"),
        };
        let value = match tag {
            Some(tag) => json!({ &tag.suffix: value }),
            None => value,
        };
        if anchor != 0 {
            self.anchored.insert(anchor, value.clone());
        }
        value
    }
}

/// A plain scalar of the core schema, as far as our files use it; a quoted one is text.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    match text {
        text if style != ScalarStyle::Plain => json!(text),
        "" | "null" => Value::Null,
        "true" => json!(true),
        "false" => json!(false),
        text => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
    }
}

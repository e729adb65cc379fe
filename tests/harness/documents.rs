//! The workspace's YAML files as JSON values, in which a tag is a member of its own: `!GetAtt Table.Arn` is `{"GetAtt": "Table.Arn"}`.

use std::{collections::HashMap, fs, path::Path};

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Value, json};

/// What this workspace's file at `path` says.
pub fn read(path: &str) -> Value {
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
pub fn text(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).expect("a file of this workspace")
}

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace is around this crate")
}

/// Puts a document's events together.
struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// What `&name` was put before.
    anchored: HashMap<usize, Value>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Event<'a> {
        let event = self.events.next_event().expect("the document ends with its end");
        let (event, _) = event.expect("the file is YAML");
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

//! JSON in which no object names a member twice.
//!
//! RFC 8259 leaves open what a repeated member means, and parsers disagree. What one of them checked, another would use: RFC
//! 7515 section 4 and RFC 7519 section 4 let a receiver refuse such texts, and here they are refused at any depth.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// A text is not one JSON object without repeated members. Says where, and nothing of what stands there.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, nested deeper than 127 levels, something behind its end, or a repeated member.
    #[error("parsing JSON without repeated members")]
    Malformed(#[source] serde_json::Error),
    /// JSON, but no object.
    #[error("parsing JSON: not an object")]
    NotAnObject,
}

/// Parses one JSON object and nothing behind it.
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match serde_json::from_slice(text).map_err(JsonError::Malformed)? {
        Unique(Value::Object(members)) => Ok(members),
        Unique(_) => Err(JsonError::NotAnObject),
    }
}

/// A value all of whose objects name each member once.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = elements.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unique(value))) = entries.next_entry::<String, _>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a repeated member"));
            }
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_each_member_once_is_what_serde_json_reads() {
        let text = r#" {"a":{"b":1},"b":[{"a":null},{"a":true}],"c":-1,"d":18446744073709551615,"e":1.5,"f":"\u00e9\n","":""} "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::from(parse_object(text.as_bytes()).unwrap()), expected);
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_depth_and_however_it_is_written() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"b":[{"c":{"a":1,"a":2}}]}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"":1,"":2}"#,
        ] {
            let error = parse_object(text.as_bytes()).unwrap_err();
            assert!(
                matches!(&error, JsonError::Malformed(cause) if cause.to_string().contains("repeated")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in ["[]", "null", "\"a\"", "1"] {
            assert!(
                matches!(parse_object(text.as_bytes()), Err(JsonError::NotAnObject)),
                "{text}"
            );
        }
        for text in [
            "",
            " ",
            "{",
            "{}{}",
            "{} x",
            "\u{FEFF}{}",
            "{'a':1}",
            r#"{"a":1,}"#,
            r#"{"a":NaN}"#,
            r#"{"a":01}"#,
        ] {
            assert!(
                matches!(parse_object(text.as_bytes()), Err(JsonError::Malformed(_))),
                "{text}"
            );
        }
        assert!(parse_object(b"{\"a\":\"\xFF\"}").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_object(nested(126).as_bytes()).is_ok());
        assert!(parse_object(nested(127).as_bytes()).is_err());
        assert!(parse_object(nested(5000).as_bytes()).is_err());
    }

    #[test]
    fn an_error_says_nothing_of_the_text() {
        for text in [r#"{"secret":1,"secret":2}"#, r#"{"a": secret}"#, r#"{"a":"secret"#] {
            let error = parse_object(text.as_bytes()).unwrap_err();
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }
}

//! `application/x-www-form-urlencoded`, as query strings and bodies carry it.

use std::collections::BTreeMap;

/// Named values, each name at most once.
#[derive(Debug, Default)]
pub(crate) struct Parameters(BTreeMap<String, String>);

/// Why there are no parameters to speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// RFC 6749 section 3.1: a parameter must not come twice.
    #[error("a parameter came twice")]
    Repeated,
    /// The body is something else.
    #[error("the body is not a form")]
    NotAForm,
}

impl Parameters {
    /// Reads `text`. An empty value counts as absent (RFC 6749 section 3.1).
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text).into_owned() {
            if parameters.insert(name, value).is_some() {
                return Err(Unreadable::Repeated);
            }
        }
        parameters.retain(|_, value: &mut String| !value.is_empty());
        Ok(Self(parameters))
    }

    /// The value of `name`, when it came.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_counts_as_absent() {
        let parameters = Parameters::parse(b"state=&code=a%20b").unwrap();
        assert_eq!(parameters.find("state"), None);
        assert_eq!(parameters.find("code"), Some("a b"));
    }

    #[test]
    fn a_repeated_name_is_refused_even_when_one_value_is_empty() {
        for text in ["a=1&a=1", "a=1&a=", "a=1&%61=2"] {
            assert_eq!(
                Parameters::parse(text.as_bytes()).unwrap_err(),
                Unreadable::Repeated,
                "{text}"
            );
        }
    }
}

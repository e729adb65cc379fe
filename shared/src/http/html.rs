//! HTML that text cannot break out of.
//!
//! Markup is made of elements, and their names come from the source code; whatever comes from anywhere else is a text or an
//! attribute's value, and those are escaped here and nowhere else.

use std::fmt::Write;

/// A piece of HTML.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

/// An attribute: its name and its value, not yet escaped.
pub(super) type Attribute<'a> = (&'static str, &'a str);

impl Html {
    /// Text.
    pub(super) fn text(text: &str) -> Self {
        let mut html = Self::default();
        html.push_escaped(text);
        html
    }

    /// An element with its children.
    pub(super) fn element(
        tag: &'static str,
        attributes: &[Attribute<'_>],
        children: impl IntoIterator<Item = Self>,
    ) -> Self {
        let mut html = Self::void(tag, attributes);
        html.0.extend(children.into_iter().map(|child| child.0));
        let _ = write!(html.0, "</{tag}>"); // writing to a String cannot fail
        html
    }

    /// An element that has no content and no end tag, such as `input`.
    pub(super) fn void(tag: &'static str, attributes: &[Attribute<'_>]) -> Self {
        let mut html = Self(format!("<{tag}"));
        for (name, value) in attributes {
            let _ = write!(html.0, " {name}=\"");
            html.push_escaped(value);
            html.0.push('"');
        }
        html.0.push('>');
        html
    }

    /// A style sheet, which must not be escaped and therefore is part of the source code.
    pub(super) fn style(css: &'static str) -> Self {
        Self(format!("<style>{css}</style>"))
    }

    /// A whole document in `language`.
    pub(super) fn document(language: &str, head: Vec<Self>, body: Vec<Self>) -> String {
        let contents = [Self::element("head", &[], head), Self::element("body", &[], body)];
        format!(
            "<!doctype html>{}",
            Self::element("html", &[("lang", language)], contents).0
        )
    }

    fn push_escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = r#"</p><script>alert('x')</script>&lt;" onload="x"#;
    const HARMLESS: &str = "&lt;/p&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;lt;&quot; onload=&quot;x";

    #[test]
    fn text_and_attributes_are_escaped() {
        let html = Html::element("p", &[("title", HOSTILE)], [Html::text(HOSTILE)]);
        assert_eq!(html.0, format!("<p title=\"{HARMLESS}\">{HARMLESS}</p>"));
    }

    #[test]
    fn a_void_element_has_no_end() {
        assert_eq!(
            Html::void("input", &[("name", "a"), ("value", "<")]).0,
            r#"<input name="a" value="&lt;">"#
        );
    }
}

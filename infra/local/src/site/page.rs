//! A page of a development site.

use std::fmt::{self, Write};

use http::{HeaderValue, StatusCode, header};

use super::{Language, Response, response};

/// Text on its way into HTML: between tags or in a quoted attribute.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            other => f.write_char(other),
        })
    }
}

/// The origin of an absolute URL, the part before its path; of anything else, nothing.
pub(crate) fn origin_of(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "";
    };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    &url[..scheme.len() + "://".len() + authority]
}

/// A whole page.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) status: StatusCode,
    pub(crate) language: Language,
    /// The site's name, beside the title.
    pub(crate) site: &'a str,
    pub(crate) title: &'a str,
    /// HTML for the head beyond the site's own style.
    pub(crate) head: &'a str,
    /// HTML under the main heading.
    pub(crate) main: &'a str,
    /// HTML below the main part.
    pub(crate) foot: &'a str,
    /// Where the forms of the page may lead, besides the site itself: other origins on the way of their redirects.
    pub(crate) form_targets: &'a str,
}

impl Page<'_> {
    /// The page as an answer, under a policy that lets it load only what its own site serves.
    pub(crate) fn respond(&self) -> Response {
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self' {}; base-uri 'none'; frame-ancestors 'none'",
            self.form_targets,
        );
        let Ok(policy) = HeaderValue::from_str(&policy) else {
            return response::status_only(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let headers = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/html; charset=utf-8"),
            ),
            (header::CONTENT_SECURITY_POLICY, policy),
        ];
        response::with(self.status, &headers, self.html())
    }

    fn html(&self) -> String {
        format!(
            r#"<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title} – {site}</title>
<link rel="stylesheet" href="/site.css">
{head}</head>
<body>
<header><p>{site}</p></header>
<main>
<h1>{title}</h1>
{main}</main>
{foot}</body>
</html>
"#,
            language = self.language.tag(),
            title = Text(self.title),
            site = Text(self.site),
            head = self.head,
            main = self.main,
            foot = self.foot,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_ends_where_the_path_begins() {
        assert_eq!(
            origin_of("http://magento.localhost:8080/authorize?x"),
            "http://magento.localhost:8080"
        );
        assert_eq!(origin_of("https://id.example"), "https://id.example");
        assert_eq!(origin_of("/user"), "");
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            Text(r#"<a href="x" id='y'>&"#).to_string(),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;"
        );
    }
}

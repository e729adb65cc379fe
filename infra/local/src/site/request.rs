//! A request to a development site.

use account_linking::http::same_origin;
use axum::body::Bytes;
use http::{HeaderMap, HeaderName, Method, header, request::Parts};

use super::{Language, Parameters, Unreadable};

/// A request whose body has been read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// Takes up what the server received.
    pub(crate) fn new(parts: Parts, body: Bytes) -> Self {
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
        }
    }

    /// The parameters of the query string.
    pub(crate) fn query(&self) -> Result<Parameters, Unreadable> {
        Parameters::parse(self.query.as_bytes())
    }

    /// The fields of a form post.
    pub(crate) fn form(&self) -> Result<Parameters, Unreadable> {
        let media_type = self
            .header(&header::CONTENT_TYPE)
            .and_then(|value| value.split(';').next())
            .map(str::trim);
        if !media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
            return Err(Unreadable::NotAForm);
        }
        Parameters::parse(&self.body)
    }

    /// The first value of a header, when it is text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first cookie of exactly this name.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// The language that the browser asks for.
    pub(crate) fn accepted_language(&self) -> Language {
        Language::of(&self.headers)
    }

    /// Whether a page of `origin` sent this. A form of ours that another site could post would sign its visitor in as somebody
    /// else.
    pub(crate) fn comes_from(&self, origin: &str) -> bool {
        same_origin::check(&self.headers, origin).is_ok()
    }
}

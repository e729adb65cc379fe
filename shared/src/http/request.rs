//! A request, taken apart once: everything behind this works with types.

use std::time::Duration;

use http::{
    HeaderMap, Method,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde_json::{Map, Value};

use crate::{clock::Deadline, jose::unique_json::parse_object, telemetry::Invocation};

/// How long a request may take from its start (contract section 7). Lambda's own time-out is 10 s.
pub const REQUEST_BUDGET: Duration = Duration::from_millis(7500);

/// The longest query that is read (contract section 9).
pub const MAX_QUERY_BYTES: usize = 8 * 1024;

/// The longest body that is read (contract section 9).
const MAX_BODY_BYTES: usize = 4 * 1024;

/// API Gateway's ids have 16 characters, an UUID 36.
const LONGEST_ID: usize = 64;

/// The request is not one a well-meaning client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedRequest {
    /// No route of this function has this method and path.
    #[error("the method or path is none of this function's")]
    Route,
    /// The query is longer than 8 KiB.
    #[error("the query is too long")]
    QueryTooLong,
    /// The body is longer than 4 KiB.
    #[error("the body is too long")]
    BodyTooLong,
    /// The body is not `application/x-www-form-urlencoded`.
    #[error("the body is not a form")]
    NotAForm,
    /// The body is not an `application/json` object without repeated members.
    #[error("the body is not a JSON object")]
    NotAJsonObject,
    /// A parameter came twice (RFC 6749 section 3.1).
    #[error("the parameter {0} came more than once")]
    Repeated(&'static str),
    /// A parameter has a value it cannot have.
    #[error("the parameter {0} has no meaning")]
    Meaningless(&'static str),
    /// The callback was not opened by a person's own navigation.
    #[error("the request is a prefetch, or not for a document")]
    NotANavigation,
}

/// One request, whoever hands it over: Lambda, the local gateway or a test.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// What support finds it by in the log.
    pub id: String,
    /// The moment by which it must be answered.
    pub deadline: Deadline,
    /// Who signed it, on a route whose callers the gateway verifies (AWS IAM): an ARN; in the local stack an access key id.
    pub iam_caller: Option<String>,
    /// What Lambda says of it, for the log.
    pub invocation: Invocation,
    path: String,
    query: String,
    body: Vec<u8>,
}

/// A request's id as it stands in a URL, where anything may stand: what cannot be one is none.
#[must_use]
pub fn id_in_url(text: &str) -> Option<&str> {
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte);
    ((1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_ours)).then_some(text)
}

impl Request {
    /// Takes `request` over; its time begins now.
    pub fn new(request: http::Request<impl AsRef<[u8]>>, id: String) -> Self {
        let (head, body) = request.into_parts();
        let (path, query) = (
            head.uri.path().to_owned(),
            head.uri.query().unwrap_or_default().to_owned(),
        );
        Self::from_parts(head.method, path, query, head.headers, body.as_ref().to_vec(), id)
    }

    /// Takes a request over of which the path and the query may be any text; its time begins now.
    #[must_use]
    pub fn from_parts(
        method: Method,
        path: String,
        query: String,
        headers: HeaderMap,
        body: Vec<u8>,
        id: String,
    ) -> Self {
        Self {
            method,
            headers,
            id,
            deadline: Deadline::within(REQUEST_BUDGET),
            iam_caller: None,
            invocation: Invocation::default(),
            path,
            query,
            body,
        }
    }

    /// Checks that this is one of `methods` on `/sso/{provider}/{function}` and within the bounds of section 9; answers the path's
    /// provider.
    pub fn route(&self, methods: &[Method], function: &str) -> Result<&str, MalformedRequest> {
        match self.segments()?[..] {
            [provider, name] if name == function && methods.contains(&self.method) => Ok(provider),
            _ => Err(MalformedRequest::Route),
        }
    }

    /// Checks the bounds of section 9; answers the segments of the path behind `/sso/`, as they came.
    pub fn segments(&self) -> Result<Vec<&str>, MalformedRequest> {
        if self.query.len() > MAX_QUERY_BYTES {
            return Err(MalformedRequest::QueryTooLong);
        }
        if self.body.len() > MAX_BODY_BYTES {
            return Err(MalformedRequest::BodyTooLong);
        }
        let path = self.path.strip_prefix("/sso/").ok_or(MalformedRequest::Route)?;
        Ok(path.split('/').collect())
    }

    /// The query as it came.
    #[must_use]
    pub fn raw_query(&self) -> &str {
        &self.query
    }

    /// The query's parameters.
    #[must_use]
    pub fn query(&self) -> Parameters {
        Parameters::parse(self.query.as_bytes())
    }

    /// The form's fields.
    pub fn form(&self) -> Result<Parameters, MalformedRequest> {
        let media_type = self
            .headers
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or_default());
        let is_form = |text: &str| media_type_is(text, "application/x-www-form-urlencoded");
        // An empty form needs no type.
        if media_type.is_some_and(|text| !is_form(text)) || (media_type.is_none() && !self.body.is_empty()) {
            return Err(MalformedRequest::NotAForm);
        }
        Ok(Parameters::parse(&self.body))
    }

    /// The members of the JSON object that is the body.
    pub fn json_object(&self) -> Result<Map<String, Value>, MalformedRequest> {
        let media_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !media_type.is_some_and(|text| media_type_is(text, "application/json")) {
            return Err(MalformedRequest::NotAJsonObject);
        }
        parse_object(&self.body).map_err(|_| MalformedRequest::NotAJsonObject)
    }

    /// Whether the caller names `media_type` among those it takes.
    #[must_use]
    pub fn accepts(&self, media_type: &str) -> bool {
        let values = self
            .headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|range| media_type_is(range, media_type))
    }

    /// Refuses a prefetch and whatever else is not a person's browser opening a document. A browser that says nothing is believed.
    pub fn check_is_navigation(&self) -> Result<(), MalformedRequest> {
        let destinations = self.headers.get_all("sec-fetch-dest");
        let elsewhere = destinations
            .iter()
            .any(|destination| destination.as_bytes() != b"document");
        if self.headers.contains_key("sec-purpose") || elsewhere {
            return Err(MalformedRequest::NotANavigation);
        }
        Ok(())
    }
}

/// Whether `text`, a media type that may have parameters, is `expected`.
fn media_type_is(text: &str, expected: &str) -> bool {
    text.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case(expected)
}

/// The parameters of a query or a form.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The value of `name`; none when it did not come. Names nobody asks for are ignored.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, MalformedRequest> {
        let mut values = self
            .0
            .iter()
            .filter(|(other, _)| other == name)
            .map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(MalformedRequest::Repeated(name)),
        }
    }

    /// The value of `name` as `parse` reads it, or the default when it did not come.
    pub fn one_of<T: Default>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, MalformedRequest> {
        match self.one(name)? {
            None => Ok(T::default()),
            Some(value) => parse(value).ok_or(MalformedRequest::Meaningless(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, headers: &[(&'static str, &str)], body: &str) -> Request {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Request::new(request.body(body.to_owned()).unwrap(), "id".to_owned())
    }

    #[test]
    fn an_id_in_a_url_holds_nothing_but_what_ids_are_made_of() {
        for id in [
            "JKJaXmPLvHcESHA=",
            "8b1c2f4e-6a55-4c3e-9d21-0f3b7a9c1d2e",
            "q83vASNFZ4mrze8B",
            &"a".repeat(64),
        ] {
            assert_eq!(id_in_url(id), Some(id));
        }
        for text in ["", "a b", "<b>", "call +49 30 1234", "é", &"a".repeat(65)] {
            assert_eq!(id_in_url(text), None, "{text}");
        }
    }

    #[test]
    fn a_route_is_its_exact_path() {
        let route = |uri: &str| {
            request("GET", uri, &[], "")
                .route(&[Method::GET], "status")
                .map(str::to_owned)
        };
        assert_eq!(route("/sso/magento/status").unwrap(), "magento");
        assert_eq!(route("https://a.example/sso/magento/status?x").unwrap(), "magento");
        for uri in [
            "/sso//magento/status",
            "/sso/magento/status/",
            "/sso/magento//status",
            "/sso/magento/x/status",
            "/sso/status",
            "/SSO/magento/status",
            "/sso/magento/Status",
            "/prod/sso/magento/status",
            "/sso/magento/status%20",
        ] {
            assert_eq!(route(uri), Err(MalformedRequest::Route), "{uri}");
        }
        let post = request("POST", "/sso/magento/status", &[], "");
        assert_eq!(post.route(&[Method::GET], "status"), Err(MalformedRequest::Route));
    }

    #[test]
    fn query_and_body_are_bounded() {
        let at = |query: usize, body: usize| {
            let uri = format!("/sso/magento/status?{}", "q".repeat(query));
            request("GET", &uri, &[], &"b".repeat(body))
                .route(&[Method::GET], "status")
                .map(drop)
        };
        assert_eq!(at(8192, 4096), Ok(()));
        assert_eq!(at(8193, 0), Err(MalformedRequest::QueryTooLong));
        assert_eq!(at(0, 4097), Err(MalformedRequest::BodyTooLong));
    }

    #[test]
    fn a_known_field_comes_once_and_unknown_ones_are_ignored() {
        let form = request(
            "POST",
            "/",
            &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            "a=1&b=&b=2&c=%2B+",
        );
        let form = form.form().unwrap();
        assert_eq!(form.one("a"), Ok(Some("1")));
        assert_eq!(form.one("b"), Err(MalformedRequest::Repeated("b")));
        assert_eq!(form.one("c"), Ok(Some("+ ")));
        assert_eq!(form.one("d"), Ok(None));
        assert_eq!(form.one_of("d", |_| None::<bool>), Ok(false));
        assert_eq!(
            form.one_of("a", |_| None::<bool>),
            Err(MalformedRequest::Meaningless("a"))
        );
    }

    #[test]
    fn only_a_form_is_a_form() {
        let form = |headers: &[(&'static str, &str)], body: &str| request("POST", "/", headers, body).form().map(drop);
        assert_eq!(form(&[], ""), Ok(()));
        assert_eq!(form(&[], "a=1"), Err(MalformedRequest::NotAForm));
        assert_eq!(
            form(&[("content-type", "text/plain")], "a=1"),
            Err(MalformedRequest::NotAForm)
        );
        assert_eq!(
            form(&[("content-type", "multipart/form-data; boundary=x")], ""),
            Err(MalformedRequest::NotAForm)
        );
        assert_eq!(
            form(&[("content-type", "Application/X-WWW-Form-Urlencoded")], "a=1"),
            Ok(())
        );
    }

    #[test]
    fn only_one_json_object_without_repeats_is_a_json_object() {
        let members = |media_type: &str, body: &str| {
            let request = request("PUT", "/", &[("content-type", media_type)], body);
            request.json_object().map(|members| members.len())
        };
        assert_eq!(members("application/json", r#"{"a": 1, "b": {}}"#), Ok(2));
        assert_eq!(members("Application/JSON; charset=utf-8", "{}"), Ok(0));
        for (media_type, body) in [
            ("text/plain", "{}"),
            ("application/jsonp", "{}"),
            ("application/json", ""),
            ("application/json", "[]"),
            ("application/json", "null"),
            ("application/json", "{} {}"),
            ("application/json", r#"{"a": 1, "a": 1}"#),
        ] {
            assert_eq!(
                members(media_type, body),
                Err(MalformedRequest::NotAJsonObject),
                "{body}"
            );
        }
        let untyped = request("PUT", "/", &[], "{}").json_object();
        assert_eq!(untyped.unwrap_err(), MalformedRequest::NotAJsonObject);
    }

    #[test]
    fn what_a_caller_takes_is_read_from_accept() {
        let accepts = |accept: &str| request("GET", "/", &[("accept", accept)], "").accepts("text/html");
        assert!(accepts("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
        assert!(accepts("application/json, TEXT/HTML;q=0.1"));
        assert!(!accepts("*/*"));
        assert!(!accepts("application/json"));
        assert!(!request("GET", "/", &[], "").accepts("text/html"));
    }

    #[test]
    fn only_a_navigation_to_a_document_passes() {
        let passes = |headers: &[(&'static str, &str)]| request("GET", "/", headers, "").check_is_navigation().is_ok();
        assert!(passes(&[]));
        assert!(passes(&[
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate")
        ]));
        for dest in ["iframe", "empty", "image", "", "Document"] {
            assert!(!passes(&[("sec-fetch-dest", dest)]), "{dest}");
        }
        assert!(!passes(&[
            ("sec-purpose", "prefetch;prerender"),
            ("sec-fetch-dest", "document")
        ]));
        assert!(!passes(&[("sec-fetch-dest", "document"), ("sec-fetch-dest", "iframe")]));
    }
}

//! The answers of a development site.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

/// An answer with its whole body.
pub(crate) type Response = http::Response<String>;

/// A cookie for the one host that sets it, out of reach of scripts.
#[derive(Debug)]
pub(crate) struct Cookie<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

impl Cookie<'_> {
    /// Sets the cookie until the browser is closed.
    pub(crate) fn set(&self, response: &mut Response) {
        self.append(response, "");
    }

    /// Sets the cookie for a while.
    pub(crate) fn keep_for(&self, lifetime: Duration, response: &mut Response) {
        self.append(response, &format!("; Max-Age={}", lifetime.as_secs()));
    }

    /// Takes the cookie away.
    pub(crate) fn clear(name: &str, response: &mut Response) {
        Cookie { name, value: "" }.append(response, "; Max-Age=0");
    }

    fn append(&self, response: &mut Response, lifetime: &str) {
        let Self { name, value } = self;
        let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{lifetime}");
        if let Ok(text) = HeaderValue::from_str(&text) {
            response.headers_mut().append(header::SET_COOKIE, text);
        }
    }
}

/// `303 See Other`: whatever the method was, the browser goes on with a `GET`.
pub(crate) fn redirect(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => with(StatusCode::SEE_OTHER, &[(header::LOCATION, location)], String::new()),
        Err(_) => status_only(StatusCode::BAD_REQUEST),
    }
}

/// A JSON document that no cache keeps.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    with(
        status,
        &[(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        body.to_string(),
    )
}

/// Only a status; its name is the body.
pub(crate) fn status_only(status: StatusCode) -> Response {
    let text = status.canonical_reason().unwrap_or_default().to_owned();
    with(
        status,
        &[(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))],
        text,
    )
}

/// There is nothing here.
pub(crate) fn not_found() -> Response {
    status_only(StatusCode::NOT_FOUND)
}

/// For browsers that ask every site for an icon: there is none, and nothing is wrong.
pub(crate) fn no_icon() -> Response {
    with(StatusCode::NO_CONTENT, &[], String::new())
}

/// The style of both sites.
pub(crate) fn stylesheet() -> Response {
    file("text/css; charset=utf-8", include_str!("style.css"))
}

/// A file that the site serves as it is.
pub(crate) fn file(media_type: &'static str, content: &str) -> Response {
    with(
        StatusCode::OK,
        &[(header::CONTENT_TYPE, HeaderValue::from_static(media_type))],
        content.to_owned(),
    )
}

/// An answer with the headers that every answer of these sites carries.
pub(super) fn with(status: StatusCode, headers: &[(HeaderName, HeaderValue)], body: String) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: that would blank the `Origin` of the site's own forms.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

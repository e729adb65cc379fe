//! Answers: redirects, JSON, pages, problem documents (RFC 9457), and the headers that every one of them carries.

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use serde::Serialize;

use super::{page, problem::ErrorCode, request::Request, texts::Language};
use crate::{
    config::{PageUrl, Site},
    flow::ReturnTarget,
};

/// Seconds after which another try makes sense when the database did not answer.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// `303 See Other` to `location`: the browser goes there with `GET`, never taking a form along (RFC 9110 section 15.4.4).
#[must_use]
pub fn see_other(location: &str) -> Response<String> {
    let mut response = Response::new(String::new());
    match HeaderValue::from_str(location) {
        Ok(location) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, location);
        }
        // Every location is built from configuration and percent-encoded values; one that is no header value was not.
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

/// `200 OK` with a JSON body.
#[must_use]
pub fn json(body: &impl Serialize) -> Response<String> {
    with_json(StatusCode::OK, "application/json", body)
}

/// `204 No Content`.
#[must_use]
pub fn no_content() -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn with_json(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Response<String> {
    // Our bodies are structs of strings, numbers and booleans, which always have a JSON form.
    let mut response = Response::new(serde_json::to_string(body).unwrap_or_default());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Adds a `Set-Cookie`.
pub fn set_cookie(response: &mut Response<String>, cookie: &str) {
    // Names and values are ASCII by construction: fixed text, base64url.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// The page of ours that says what `code` means and what to do now.
#[must_use]
pub fn error_page(site: &Site, request: &Request, code: ErrorCode) -> Response<String> {
    let mut response = page::error(
        code,
        Language::of(&request.headers),
        site.settings.as_str(),
        &request.id,
    );
    retry_later(&mut response, code);
    response
}

/// Where a flow ends: the page of `target`, told the outcome.
#[must_use]
pub fn back_to(site: &Site, target: ReturnTarget, outcome: &str, provider: &str) -> String {
    site.page(target).with(&[("sso", outcome), ("provider", provider)])
}

/// `page`, told why nothing came of `request`; where it sends the user to support, with what to name there.
#[must_use]
pub fn refused_to(page: &PageUrl, code: ErrorCode, provider: &str, request: &Request) -> String {
    let mut told = vec![("sso", code.as_str()), ("provider", provider)];
    if code.names_support() {
        told.push(("request_id", &request.id));
    }
    page.with(&told)
}

/// The sign-in page, which leads back to `target`.
#[must_use]
pub fn sign_in_and_return(site: &Site, target: ReturnTarget) -> String {
    site.sign_in.with(&[("return_to", target.as_str())])
}

/// The sign-in page, which asks for a fresh sign-in and leads back to `target`.
#[must_use]
pub fn reauthenticate(site: &Site, target: ReturnTarget) -> String {
    site.sign_in
        .with(&[("reauthenticate", "1"), ("return_to", target.as_str())])
}

/// A problem document (RFC 9457).
#[must_use]
pub fn problem(site: &Site, request: &Request, code: ErrorCode) -> Response<String> {
    #[derive(Serialize)]
    struct Problem<'a> {
        r#type: String,
        title: &'a str,
        status: u16,
        detail: &'a str,
        code: &'static str,
        request_id: &'a str,
    }
    let text = Language::of(&request.headers).texts().code(code);
    let mut response = with_json(
        code.status(),
        "application/problem+json",
        &Problem {
            r#type: format!("{}/sso/errors/{code}", site.origin),
            title: &text.title,
            status: code.status().as_u16(),
            detail: &text.next_step,
            code: code.as_str(),
            request_id: &request.id,
        },
    );
    retry_later(&mut response, code);
    response
}

fn retry_later(response: &mut Response<String>, code: ErrorCode) {
    if code == ErrorCode::TemporarilyUnavailable {
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
}

/// `response` with the headers that every answer carries (contract section 2). A `Referrer-Policy` that is there already stays.
#[must_use]
pub fn secured(site: &Site, mut response: Response<String>) -> Response<String> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(REFERRER_POLICY)
        .or_insert(HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if site.origin.starts_with("https:") {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Reader};

    #[test]
    fn strict_transport_security_goes_with_https_alone() {
        for (origin, expected) in [
            ("https://accounts.example", Some("max-age=63072000")),
            ("http://accounts.localhost:8080", None),
        ] {
            let mut environment = Environment::default();
            environment.set("PUBLIC_ORIGIN", origin);
            environment.set("SETTINGS_URL", format!("{origin}/user"));
            environment.set("SIGN_IN_URL", format!("{origin}/sign-in"));
            let site = Site::read(&mut Reader::new(&environment)).unwrap();
            let response = secured(&site, no_content());
            let told = response.headers().get(STRICT_TRANSPORT_SECURITY);
            assert_eq!(told.and_then(|value| value.to_str().ok()), expected, "{origin}");
        }
    }
}

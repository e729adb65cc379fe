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
    use http::{HeaderMap, Method};
    use serde_json::{Value, json};

    use super::*;
    use crate::config::tests::site_at;

    fn site() -> Site {
        site_at("https://accounts.example")
    }

    fn request() -> Request {
        let headers = HeaderMap::new();
        Request::from_parts(
            Method::GET,
            String::new(),
            String::new(),
            headers,
            Vec::new(),
            "request-1".to_owned(),
        )
    }

    fn header<'a>(response: &'a Response<String>, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn strict_transport_security_goes_with_https_alone() {
        for (origin, expected) in [
            ("https://accounts.example", Some("max-age=63072000")),
            ("http://accounts.localhost:8080", None),
        ] {
            let response = secured(&site_at(origin), no_content());
            assert_eq!(header(&response, "strict-transport-security"), expected, "{origin}");
        }
    }

    #[test]
    fn every_answer_is_kept_by_nobody_and_tells_no_other_site_where_it_was() {
        let response = secured(&site(), json(&json!({"a": 1})));
        for (name, expected) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("content-type", "application/json"),
        ] {
            assert_eq!(header(&response, name), Some(expected), "{name}");
        }
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, r#"{"a":1}"#));
        // A page that posts a form must be named as where it comes from.
        let mut page = no_content();
        page.headers_mut()
            .insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        let page = secured(&site(), page);
        assert_eq!(header(&page, "referrer-policy"), Some("same-origin"));
        assert_eq!((page.status(), &**page.body()), (StatusCode::NO_CONTENT, ""));
    }

    #[test]
    fn a_redirect_is_303_with_nothing_to_read_and_leads_nowhere_that_is_no_header() {
        let response = see_other("https://id.example/authorize?state=a");
        assert_eq!((response.status(), &**response.body()), (StatusCode::SEE_OTHER, ""));
        assert_eq!(
            header(&response, "location"),
            Some("https://id.example/authorize?state=a")
        );
        let split = see_other("https://id.example/\r\nSet-Cookie: a=b");
        assert_eq!(split.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(split.headers().is_empty(), "{split:?}");
    }

    #[test]
    fn cookies_are_added_to_those_that_are_set_already() {
        let mut response = no_content();
        for cookie in ["a=b; Path=/", "c=d; Path=/", "e=\r\nf"] {
            set_cookie(&mut response, cookie);
        }
        let set: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(set, ["a=b; Path=/", "c=d; Path=/"]);
    }

    #[test]
    fn a_problem_document_says_what_what_now_and_by_which_id_it_is_found() {
        let (site, request) = (site(), request());
        for code in ErrorCode::ALL {
            let response = problem(&site, &request, *code);
            assert_eq!(response.status(), code.status());
            assert_eq!(header(&response, "content-type"), Some("application/problem+json"));
            let later = *code == ErrorCode::TemporarilyUnavailable;
            assert_eq!(header(&response, "retry-after"), later.then_some("2"), "{code}");
            let body: Value = serde_json::from_str(response.body()).unwrap();
            let text = Language::of(&request.headers).texts().code(*code);
            let expected = json!({
                "type": format!("https://accounts.example/sso/errors/{}", code.as_str()),
                "title": text.title,
                "status": code.status().as_u16(),
                "detail": text.next_step,
                "code": code.as_str(),
                "request_id": "request-1",
            });
            assert_eq!(body, expected);
        }
    }

    #[test]
    fn a_page_of_ours_has_the_status_of_its_code_and_says_when_to_come_back() {
        let (site, request) = (site(), request());
        for code in ErrorCode::ALL {
            let response = error_page(&site, &request, *code);
            assert_eq!(response.status(), code.status());
            let later = *code == ErrorCode::TemporarilyUnavailable;
            assert_eq!(header(&response, "retry-after"), later.then_some("2"), "{code}");
            assert!(response.body().contains("request-1"), "{code}");
        }
    }

    #[test]
    fn a_way_back_is_a_configured_page_and_says_no_more_than_it_must() {
        let (site, request) = (site(), request());
        assert_eq!(
            back_to(&site, ReturnTarget::Settings, "linked", "magento"),
            "https://accounts.example/user?tab=sso&sso=linked&provider=magento"
        );
        assert_eq!(
            back_to(&site, ReturnTarget::Onboarding, "linked", "magento"),
            "https://accounts.example/welcome?sso=linked&provider=magento"
        );
        assert_eq!(
            sign_in_and_return(&site, ReturnTarget::Onboarding),
            "https://accounts.example/sign-in?return_to=onboarding"
        );
        assert_eq!(
            reauthenticate(&site, ReturnTarget::Settings),
            "https://accounts.example/sign-in?reauthenticate=1&return_to=settings"
        );
        // Whoever is sent to support can name the request there; nobody else is told its id.
        let support = [
            "provider_refused",
            "identity_invalid",
            "identity_in_use",
            "internal_error",
        ];
        for code in ErrorCode::ALL {
            let id = if support.contains(&code.as_str()) {
                "&request_id=request-1"
            } else {
                ""
            };
            assert_eq!(
                refused_to(&site.sign_in, *code, "magento", &request),
                format!("https://accounts.example/sign-in?sso={code}&provider=magento{id}")
            );
        }
    }
}

//! The gateway: what Amazon API Gateway's HTTP API does before a function sees a request.
//!
//! Routes match by method and exact path, case and slashes included; there is no implied `HEAD`. Like the quotas of an HTTP
//! API, request line and header values may have 10,240 bytes together and a body 10 MB. What exceeds them, or has no route,
//! never reaches a function. How the service words `431` is not documented; `404` and `413` are as it answers them.

use std::{future::Future, pin::Pin, sync::OnceLock};

use account_linking::{
    clock::{Clock, Randomness, SystemClock, random_bytes},
    http::request::Request,
};
use axum::body::{Body, to_bytes};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use serde_json::json;

use crate::{functions::Functions, sigv4::LocalCaller};

const MAX_HEAD_LEN: usize = 10_240;
const MAX_BODY_LEN: usize = 10 * 1024 * 1024;

/// A row of the contract's table of endpoints (section 2).
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, in which a `{name}` stands for one segment.
    pub path: &'static str,
    /// Who may call it.
    pub caller: Caller,
    /// The function that answers.
    pub function: &'static str,
    respond: for<'a> fn(&'a Functions, &'a Request) -> Answer<'a>,
}

/// Whom the gateway lets through to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Anybody: the function itself looks at the session.
    Browser,
    /// Whoever signs with credentials that the gateway knows (AWS Signature Version 4).
    Iam,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Response<String>> + Send + 'a>>;

/// Every route there is.
pub static ROUTES: [Route; 12] = [
    Route {
        method: Method::POST,
        path: "/sso/{provider}/start-link",
        caller: Caller::Browser,
        function: "start-link",
        respond: |functions, request| Box::pin(start_link::respond(&functions.start_link, request)),
    },
    Route {
        method: Method::GET,
        path: "/sso/{provider}/callback",
        caller: Caller::Browser,
        function: "callback",
        respond: |functions, request| Box::pin(callback::respond(&functions.callback, request)),
    },
    Route {
        method: Method::GET,
        path: "/sso/{provider}/status",
        caller: Caller::Browser,
        function: "status",
        respond: |functions, request| Box::pin(status::respond(&functions.status, request)),
    },
    Route {
        method: Method::GET,
        path: "/sso/{provider}/confirm",
        caller: Caller::Browser,
        function: "confirm",
        respond: |functions, request| Box::pin(confirm::respond(&functions.confirm, request)),
    },
    Route {
        method: Method::POST,
        path: "/sso/{provider}/confirm",
        caller: Caller::Browser,
        function: "confirm",
        respond: |functions, request| Box::pin(confirm::respond(&functions.confirm, request)),
    },
    Route {
        method: Method::POST,
        path: "/sso/{provider}/unlink",
        caller: Caller::Browser,
        function: "unlink",
        respond: |functions, request| Box::pin(unlink::respond(&functions.unlink, request)),
    },
    Route {
        method: Method::GET,
        path: "/sso/{provider}/accounts/{account_id}",
        caller: Caller::Iam,
        function: "account-policy",
        respond: |functions, request| Box::pin(account_policy::respond(&functions.account_policy, request)),
    },
    Route {
        method: Method::PUT,
        path: "/sso/{provider}/accounts/{account_id}/exemption",
        caller: Caller::Iam,
        function: "account-policy",
        respond: |functions, request| Box::pin(account_policy::respond(&functions.account_policy, request)),
    },
    Route {
        method: Method::DELETE,
        path: "/sso/{provider}/accounts/{account_id}/exemption",
        caller: Caller::Iam,
        function: "account-policy",
        respond: |functions, request| Box::pin(account_policy::respond(&functions.account_policy, request)),
    },
    Route {
        method: Method::DELETE,
        path: "/sso/{provider}/accounts/{account_id}/link",
        caller: Caller::Iam,
        function: "account-policy",
        respond: |functions, request| Box::pin(account_policy::respond(&functions.account_policy, request)),
    },
    Route {
        method: Method::GET,
        path: "/sso/{provider}/sign-in",
        caller: Caller::Browser,
        function: "sign-in",
        respond: |functions, request| Box::pin(sign_in::respond(&functions.sign_in, request)),
    },
    Route {
        method: Method::POST,
        path: "/sso/tickets/redeem",
        caller: Caller::Iam,
        function: "redeem-ticket",
        respond: |functions, request| Box::pin(redeem_ticket::respond(&functions.redeem_ticket, request)),
    },
];

impl Route {
    /// Whether a request with this method and path is this route's.
    #[must_use]
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        let segment_matches = |(pattern, segment): (&str, &str)| {
            if pattern.starts_with('{') {
                !segment.is_empty()
            } else {
                pattern == segment
            }
        };
        *method == self.method
            && path.split('/').count() == self.path.split('/').count()
            && self.path.split('/').zip(path.split('/')).all(segment_matches)
    }
}

/// The functions once they are connected, behind their routes.
#[derive(Default)]
pub(crate) struct Gateway {
    open: OnceLock<Open>,
}

struct Open {
    functions: Functions,
    iam: LocalCaller,
}

impl Gateway {
    /// From now on `functions` answer, on IAM routes to `iam` alone.
    pub(crate) fn open(&self, functions: Functions, iam: LocalCaller) {
        // Opened once, by whoever starts the stack; a second time would change nothing.
        let _ = self.open.set(Open { functions, iam });
    }

    /// Answers a request under `/sso/`.
    pub(crate) async fn respond(&self, request: http::Request<Body>, random: &dyn Randomness) -> Response<String> {
        let (mut parts, body) = request.into_parts();
        if head_len(&parts) > MAX_HEAD_LEN {
            return message(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Request Header Fields Too Large",
            );
        }
        let Some(route) = ROUTES
            .iter()
            .find(|route| route.matches(&parts.method, parts.uri.path()))
        else {
            return message(StatusCode::NOT_FOUND, "Not Found");
        };
        let Ok(body) = to_bytes(body, MAX_BODY_LEN).await else {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        let (Some(Open { functions, iam }), Ok(id)) = (self.open.get(), random_bytes::<12>(random)) else {
            return message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
        };
        let iam_caller = match route.caller {
            Caller::Browser => None,
            // Whoever signs does it by the machine's clock, wherever the stack's own was moved to.
            Caller::Iam => match iam.verify(&parts, &body, SystemClock.now()) {
                Some(caller) => Some(caller.to_owned()),
                None => return message(StatusCode::FORBIDDEN, "Forbidden"),
            },
        };
        parts.headers = combined(&parts.headers);
        let id = URL_SAFE_NO_PAD.encode(id);
        let mut request = Request::new(http::Request::from_parts(parts, body), id);
        request.iam_caller = iam_caller;
        (route.respond)(functions, &request).await
    }
}

/// The bytes of the request line and the header values.
fn head_len(parts: &Parts) -> usize {
    let line = parts.method.as_str().len() + parts.uri.to_string().len() + " HTTP/1.1".len() + 1;
    line + parts.headers.values().map(HeaderValue::len).sum::<usize>()
}

/// The headers as payload format 2.0 hands them over: values of one name joined by commas, cookies taken apart and put together
/// again.
fn combined(headers: &HeaderMap) -> HeaderMap {
    let mut combined = HeaderMap::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let value = if name == header::COOKIE {
            let cookies = values
                .flat_map(|value| value.split(|byte| *byte == b';'))
                .map(<[u8]>::trim_ascii);
            cookies.collect::<Vec<_>>().join(&b';')
        } else {
            values.collect::<Vec<_>>().join(&b',')
        };
        // Made of header values, it is one.
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            combined.insert(name, value);
        }
    }
    combined
}

/// What the gateway says on its own behalf.
fn message(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(json!({"message": text}).to_string());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn has_route(method: &Method, path: &str) -> bool {
        ROUTES.iter().any(|route| route.matches(method, path))
    }

    #[test]
    fn a_route_matches_its_method_and_its_exact_path() {
        assert!(has_route(&Method::GET, "/sso/magento/status"));
        assert!(has_route(&Method::POST, "/sso/magento/confirm"));
        for path in [
            "/sso/magento/status/",
            "/sso//status",
            "/sso/a/b/status",
            "/sso/magento/Status",
            "/sso/magento/unheard-of",
            "/sso/{provider}",
        ] {
            assert!(!has_route(&Method::GET, path), "{path}");
        }
        for method in [Method::HEAD, Method::OPTIONS, Method::POST, Method::PUT] {
            assert!(!has_route(&method, "/sso/magento/status"), "{method}");
        }
    }

    #[tokio::test]
    async fn what_has_no_route_is_not_found_in_the_words_of_the_service() {
        let random = account_linking::clock::SystemRandomness::default();
        let request = http::Request::get("/sso/magento/unheard-of")
            .body(Body::empty())
            .unwrap();
        let response = Gateway::default().respond(request, &random).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.body(), r#"{"message":"Not Found"}"#);
    }

    #[tokio::test]
    async fn a_head_beyond_the_quota_goes_no_further() {
        let random = account_linking::clock::SystemRandomness::default();
        // `GET /sso/magento/status HTTP/1.1` has 32 bytes.
        for (value, expected) in [
            (10_208, StatusCode::SERVICE_UNAVAILABLE),
            (10_209, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        ] {
            let request = http::Request::get("/sso/magento/status").header("cookie", "c".repeat(value));
            let response = Gateway::default()
                .respond(request.body(Body::empty()).unwrap(), &random)
                .await;
            assert_eq!(response.status(), expected);
        }
    }

    #[test]
    fn headers_are_combined_as_a_function_gets_them() {
        let headers: HeaderMap = [("cookie", "a=1; b=2"), ("x", "1"), ("cookie", "c=3"), ("x", "2")]
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let combined = combined(&headers);
        assert_eq!(combined["cookie"], "a=1;b=2;c=3");
        assert_eq!(combined["x"], "1,2");
        assert_eq!(combined.len(), 2);
    }
}

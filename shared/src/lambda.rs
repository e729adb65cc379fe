//! Lambda's own way to hand over a request: the one place that knows its events.
//!
//! An event is read here, and not by `lambda_http`, which makes a URI of it and panics where a client put a character that no URI
//! may have: a bare `"` or `<` in the query would end the process. Here path and query stay the text that they are.

use std::{
    collections::HashMap,
    convert::Infallible,
    error::Error,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response,
    header::{COOKIE, SET_COOKIE},
};
use lambda_http::{
    lambda_runtime::{self, Context, Diagnostic, LambdaEvent},
    service_fn,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    http::request::Request,
    telemetry::{Invocation, TraceId, cause_of},
};

/// An event of an HTTP API (payload format 2.0), as far as it matters here. It has no `Debug`: it holds cookies and codes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    raw_path: String,
    raw_query_string: Option<String>,
    headers: HashMap<String, String>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: bool,
    request_context: RequestContext,
}

#[derive(Deserialize)]
struct RequestContext {
    http: HttpContext,
    authorizer: Option<Authorizer>,
}

#[derive(Deserialize)]
struct HttpContext {
    method: String,
}

#[derive(Deserialize)]
struct Authorizer {
    iam: Option<IamAuthorizer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IamAuthorizer {
    user_arn: Option<String>,
}

/// What API Gateway makes a response of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    headers: HashMap<String, String>,
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

/// The request that `event` tells of. `None` when it cannot come from API Gateway, which has checked method and encoding.
fn request(event: Event, context: Context, cold_start: bool) -> Option<Request> {
    let method = Method::from_bytes(event.request_context.http.method.as_bytes()).ok()?;
    let body = event.body.unwrap_or_default();
    let body = if event.is_base64_encoded {
        STANDARD.decode(body).ok()?
    } else {
        body.into_bytes()
    };
    // A header that is none is left out. Cookies come apart, and in no header.
    let headers = event.headers.iter().filter_map(|(name, value)| {
        Some((
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        ))
    });
    let mut headers: HeaderMap = headers.collect();
    if let Some(cookies) = event.cookies {
        headers.remove(COOKIE);
        if let Ok(cookies) = HeaderValue::from_bytes(cookies.join("; ").as_bytes()) {
            headers.insert(COOKIE, cookies);
        }
    }
    let query = event.raw_query_string.unwrap_or_default();
    let invocation = invocation(&context, cold_start);
    let mut request = Request::from_parts(method, event.raw_path, query, headers, body, context.request_id);
    request.invocation = invocation;
    request.iam_caller = event
        .request_context
        .authorizer
        .and_then(|authorizer| authorizer.iam?.user_arn);
    Some(request)
}

/// `response`, whose headers are ASCII by construction, in API Gateway's words.
fn answer(response: Response<String>) -> Answer {
    let (head, body) = response.into_parts();
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let others = head.headers.iter().filter(|(name, _)| *name != SET_COOKIE);
    Answer {
        status_code: head.status.as_u16(),
        headers: others.map(|(name, value)| (name.to_string(), text(value))).collect(),
        cookies: head.headers.get_all(SET_COOKIE).iter().map(text).collect(),
        body,
        is_base64_encoded: false,
    }
}

/// Answers events for as long as the environment lives.
///
/// `respond` cannot fail: whatever happens, it answers.
pub async fn serve(respond: impl AsyncFn(Request) -> Response<String>) -> ExitCode {
    let (respond, warm) = (&respond, &AtomicBool::new(false));
    let handler = service_fn(async |event: LambdaEvent<Event>| {
        let cold_start = !warm.swap(true, Ordering::Relaxed);
        let response = match request(event.payload, event.context, cold_start) {
            Some(request) => respond(request).await,
            None => Response::builder().status(400).body(String::new()).unwrap_or_default(),
        };
        Ok::<_, Infallible>(answer(response))
    });
    match lambda_runtime::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        // The runtime API has gone away, and the environment with it.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs on every event of a schedule for as long as the environment lives.
///
/// `run` gets the event, Lambda's request id and what else Lambda says. What fails is counted by Lambda, which says so to whoever asked.
pub async fn serve_schedule<T: DeserializeOwned, E: Error>(
    run: impl AsyncFn(T, String, Invocation) -> Result<(), E>,
) -> ExitCode {
    let (run, warm) = (&run, &AtomicBool::new(false));
    let handler = service_fn(async |event: LambdaEvent<T>| {
        let id = event.context.request_id.clone();
        let cold_start = !warm.swap(true, Ordering::Relaxed);
        let outcome = run(event.payload, id, invocation(&event.context, cold_start)).await;
        outcome.map_err(|error| Diagnostic {
            error_type: "Failed".to_owned(),
            error_message: cause_of(&error),
        })
    });
    match lambda_runtime::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        // The runtime API has gone away, and the environment with it.
        Err(_) => ExitCode::FAILURE,
    }
}

/// What `context` says beside the event.
fn invocation(context: &Context, cold_start: bool) -> Invocation {
    Invocation {
        function_name: Some(context.env_config.function_name.clone()),
        trace_id: context.xray_trace_id.as_deref().and_then(TraceId::of_header),
        cold_start,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lambda_runtime::Config;
    use serde_json::{Value, json};

    use super::*;

    fn context() -> Context {
        let mut config = Config::default();
        "account-linking-StatusFunction-1A2B".clone_into(&mut config.function_name);
        let mut context = Context::default();
        context.env_config = Arc::new(config);
        context.xray_trace_id =
            Some("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".into());
        context
    }

    #[test]
    fn a_request_knows_its_function_and_its_trace() {
        let request = event("/rawPath", json!("/sso/magento/status")).unwrap();
        let invocation = &request.invocation;
        assert_eq!(
            invocation.function_name.as_deref(),
            Some("account-linking-StatusFunction-1A2B")
        );
        assert_eq!(
            invocation.trace_id,
            TraceId::of_header("Root=1-5759e988-bd862e3fe1be46a994272793")
        );
        assert!(invocation.trace_id.is_some());
    }

    fn event(member: &str, value: Value) -> Option<Request> {
        let mut event = json!({
            "version": "2.0",
            "rawPath": "/sso/magento/callback",
            "rawQueryString": "code=1",
            "headers": {"host": "accounts.example", "x-forwarded-proto": "https"},
            "requestContext": {"http": {"method": "GET"}, "stage": "$default"},
            "isBase64Encoded": false
        });
        *event.pointer_mut(member).unwrap() = value;
        request(serde_json::from_value(event).unwrap(), context(), false)
    }

    #[test]
    fn no_query_path_or_header_is_too_strange_to_be_read() {
        for query in [
            "code=\"",
            "code=<",
            "code=>",
            "code=a b",
            "code=\u{7f}",
            "code=\u{1}",
            "code=é",
            "#",
            "%zz",
        ] {
            assert_eq!(event("/rawQueryString", json!(query)).unwrap().raw_query(), query);
        }
        for path in [
            "",
            "sso",
            "/sso/é \"<\u{0}/callback",
            "/sso/x?state=1#y/callback",
            "/sso/../callback",
            "@evil/sso",
        ] {
            assert!(event("/rawPath", json!(path)).is_some(), "{path}");
        }
        for headers in [
            json!({"host": "a b"}),
            json!({"host": "a:99999"}),
            json!({"x-forwarded-proto": "1"}),
            json!({"user-agent": "\u{1}"}),
            json!({"ü": "x"}),
        ] {
            assert!(event("/headers", headers.clone()).is_some(), "{headers}");
        }
    }
}

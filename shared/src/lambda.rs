//! Lambda's own way to hand over a request: the one place that knows its events.
//!
//! An event is read here, and not by `lambda_http`, which makes a URI of it and panics where a client put a character that no URI
//! may have: a bare `"` or `<` in the query would end the process. Here path and query stay the text that they are.

use std::{
    borrow::Cow,
    error::Error,
    fmt,
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
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use tokio::task::spawn_local;

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
    headers: Headers,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    is_base64_encoded: bool,
    request_context: RequestContext,
}

/// The headers of an event, but for what HTTP does not know as one.
struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderMap::with_capacity(USUAL_HEADERS);
        while let Some((Text(name), Text(value))) = fields.next_entry()? {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(&*name), HeaderValue::try_from(&*value)) {
                headers.append(name, value);
            }
        }
        Ok(Headers(headers))
    }
}

/// How many headers find room without growing: a browser and API Gateway send some twenty.
const USUAL_HEADERS: usize = 24;

/// A text that is not copied out of the event unless it is escaped there.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

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
    #[serde(serialize_with = "as_texts_by_name")]
    headers: HeaderMap,
    #[serde(serialize_with = "as_texts")]
    cookies: Vec<HeaderValue>,
    body: String,
    is_base64_encoded: bool,
}

fn as_texts_by_name<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name.as_str(), text(value))))
}

fn as_texts<S: Serializer>(values: &[HeaderValue], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(text))
}

/// What the service says in a header is ASCII by construction.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// The event is not one of an HTTP API with payload format 2.0. What is wrong with it is not told: it would be told in the event's own words.
#[derive(Debug, PartialEq, Eq)]
struct NotAnHttpEvent;

impl From<NotAnHttpEvent> for Diagnostic {
    fn from(NotAnHttpEvent: NotAnHttpEvent) -> Self {
        Self {
            error_type: "NotAnHttpEvent".to_owned(),
            error_message: "the event is not one of an HTTP API with payload format 2.0".to_owned(),
        }
    }
}

fn read(event: &RawValue) -> Result<Event, NotAnHttpEvent> {
    serde_json::from_str(event.get()).map_err(|_| NotAnHttpEvent)
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
    // Cookies come apart, and in no header.
    let Headers(mut headers) = event.headers;
    if let Some(cookies) = event.cookies {
        headers.remove(COOKIE);
        if let Ok(cookies) = HeaderValue::try_from(cookies.join("; ")) {
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

/// `response` in API Gateway's words.
fn answer(response: Response<String>) -> Answer {
    let (mut head, body) = response.into_parts();
    let cookies = head.headers.get_all(SET_COOKIE).iter().cloned().collect();
    head.headers.remove(SET_COOKIE);
    Answer {
        status_code: head.status.as_u16(),
        headers: head.headers,
        cookies,
        body,
        is_base64_encoded: false,
    }
}

/// Answers events for as long as the environment lives. Needs tokio's `local` runtime.
///
/// `respond` cannot fail: whatever happens, it answers.
pub async fn serve(respond: impl AsyncFn(Request) -> Response<String> + 'static) -> ExitCode {
    as_a_task(async move {
        let (respond, warm) = (&respond, &AtomicBool::new(false));
        // As text: reading for an error that names where it is, `lambda_runtime` notes the path to every member.
        let handler = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
            let cold_start = !warm.swap(true, Ordering::Relaxed);
            let response = match request(read(&event.payload)?, event.context, cold_start) {
                Some(request) => respond(request).await,
                None => Response::builder().status(400).body(String::new()).unwrap_or_default(),
            };
            Ok::<_, NotAnHttpEvent>(answer(response))
        });
        lambda_runtime::run(handler).await
    })
    .await
}

/// Runs on every event of a schedule for as long as the environment lives. Needs tokio's `local` runtime.
///
/// `run` gets the event, Lambda's request id and what else Lambda says. What fails is counted by Lambda, which says so to whoever asked.
pub async fn serve_schedule<T: DeserializeOwned + 'static, E: Error>(
    run: impl AsyncFn(T, String, Invocation) -> Result<(), E> + 'static,
) -> ExitCode {
    as_a_task(async move {
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
        lambda_runtime::run(handler).await
    })
    .await
}

/// Waits for `serving`, which ends when the Runtime API has gone away, and the environment with it.
///
/// A task, because what `main` itself waits for is looked at only after another poll of the kernel, at each answer that comes in.
async fn as_a_task(serving: impl Future<Output = Result<(), lambda_runtime::Error>> + 'static) -> ExitCode {
    match spawn_local(serving).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(_)) | Err(_) => ExitCode::FAILURE,
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
    use serde_json::{Value, json, value::to_raw_value};

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
        request(read(&to_raw_value(&event).unwrap()).unwrap(), context(), false)
    }

    #[test]
    fn cookies_come_apart_and_escaped_text_is_read() {
        let headers = json!({"x-escaped": "\u{e9} \"", "Accept": "a, b", "cookie": "not=these"});
        let mut event = json!({
            "rawPath": "/sso/magento/callback",
            "headers": headers,
            "cookies": ["a=1", "b=2"],
            "body": "Y29kZT0x",
            "isBase64Encoded": true,
            "requestContext": {"http": {"method": "POST"}}
        });
        let read = |event: &Value| read(&to_raw_value(event).unwrap());
        let request = super::request(read(&event).unwrap(), context(), false).unwrap();
        let header = |name| request.headers.get(name).unwrap().as_bytes();
        assert_eq!(header("cookie"), b"a=1; b=2");
        assert_eq!(header("x-escaped"), "\u{e9} \"".as_bytes());
        assert_eq!(header("accept"), b"a, b");
        assert_eq!((request.method.as_str(), request.raw_query()), ("POST", ""));

        event["body"] = json!("not base64");
        assert!(super::request(read(&event).unwrap(), context(), false).is_none());
        event["body"] = json!(1);
        assert_eq!(read(&event).err(), Some(NotAnHttpEvent));
        assert_eq!(read(&json!({"source": "aws.events"})).err(), Some(NotAnHttpEvent));
    }

    #[test]
    fn an_answer_has_its_cookies_apart() {
        let response = Response::builder().status(303).header("location", "/user?sso=linked");
        let response = response.header(SET_COOKIE, "a=1").header(SET_COOKIE, "b=2");
        assert_eq!(
            serde_json::to_value(answer(response.body("text".to_owned()).unwrap())).unwrap(),
            json!({
                "statusCode": 303,
                "headers": {"location": "/user?sso=linked"},
                "cookies": ["a=1", "b=2"],
                "body": "text",
                "isBase64Encoded": false
            })
        );
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

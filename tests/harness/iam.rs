//! Servers and operators: whoever signs requests by AWS Signature Version 4, as the SDKs do.

use std::time::{Duration, SystemTime};

use account_linking::clock::{Clock, SystemClock};
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use http::Method;
use serde_json::Value;

use crate::{
    browser::{Answer, Browser, Outgoing},
    stack::Stack,
};

/// The access key id that the stack knows.
pub const ACCESS_KEY_ID: &str = "AKIATESTS";

/// Where everything is.
pub const REGION: &str = "eu-west-1";

/// Its secret.
pub const SECRET_ACCESS_KEY: &str = "tests' own";

/// Calls `path` at the stack as the caller it knows, with a JSON body or none.
pub async fn calls(stack: &Stack, method: &Method, path: &str, body: Option<&Value>) -> Answer {
    signed(stack, method, path, body, SECRET_ACCESS_KEY).send().await
}

/// What a caller sends who believes that the secret is `secret`. A test may change it.
pub fn signed(stack: &Stack, method: &Method, path: &str, body: Option<&Value>, secret: &str) -> Outgoing {
    signed_at(&stack.browser(), stack.api_origin(), method, path, body, secret)
}

/// The same at any `origin`, written down where `browser`'s exchanges are.
pub fn signed_at(
    browser: &Browser,
    origin: &str,
    method: &Method,
    path: &str,
    body: Option<&Value>,
    secret: &str,
) -> Outgoing {
    let body = body.map(Value::to_string).unwrap_or_default();
    let url = format!("{origin}{path}");
    let outgoing = browser.typing(&url).without_a_browser().method(method.clone());
    let outgoing = outgoing.body("application/json", body.clone());
    let host = origin.trim_start_matches("http://");
    let headers = [("host", host), ("content-type", "application/json")];
    signature("execute-api", method, &url, &headers, body.as_bytes(), secret)
        .into_iter()
        .fold(outgoing, |outgoing, (name, value)| outgoing.header(&name, &value))
}

/// The headers that sign a request to `service` (AWS Signature Version 4), made with `secret`.
pub(crate) fn signature(
    service: &str,
    method: &Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    secret: &str,
) -> Vec<(String, String)> {
    let identity = Credentials::new(ACCESS_KEY_ID, secret, None, None, "tests").into();
    let now = Duration::from_secs(SystemClock.now().unix_seconds().unsigned_abs());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name(service)
        .time(SystemTime::UNIX_EPOCH + now)
        .settings(SigningSettings::default())
        .build()
        .expect("everything is given");
    let body = SignableBody::Bytes(body);
    let signable = SignableRequest::new(method.as_str(), url, headers.iter().copied(), body).expect("a URL");
    let (instructions, _) = sign(signable, &parameters.into())
        .expect("credentials sign")
        .into_parts();
    let headers = instructions.headers();
    headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

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

/// Its secret.
pub const SECRET_ACCESS_KEY: &str = "tests' own";

/// Calls `path` at the stack as the caller it knows, with a JSON body or none.
pub async fn calls(stack: &Stack, method: &Method, path: &str, body: Option<&Value>) -> Answer {
    signed(stack, method, path, body, SECRET_ACCESS_KEY).send().await
}

/// What a caller sends who believes that the secret is `secret`. A test may change it.
pub fn signed(stack: &Stack, method: &Method, path: &str, body: Option<&Value>, secret: &str) -> Outgoing {
    signed_at(&stack.browser(), stack.origin(), method, path, body, secret)
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
    let host = origin.trim_start_matches("http://");
    let outgoing = outgoing.body("application/json", body.clone());

    let identity = Credentials::new(ACCESS_KEY_ID, secret, None, None, "tests").into();
    let now = Duration::from_secs(SystemClock.now().unix_seconds().unsigned_abs());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("execute-api")
        .time(SystemTime::UNIX_EPOCH + now)
        .settings(SigningSettings::default())
        .build()
        .expect("everything is given");
    let headers = [("host", host), ("content-type", "application/json")];
    let signable = SignableRequest::new(
        method.as_str(),
        &url,
        headers.into_iter(),
        SignableBody::Bytes(body.as_bytes()),
    )
    .expect("a URL");
    let (instructions, _) = sign(signable, &parameters.into())
        .expect("credentials sign")
        .into_parts();
    instructions
        .headers()
        .fold(outgoing, |outgoing, (name, value)| outgoing.header(name, value))
}

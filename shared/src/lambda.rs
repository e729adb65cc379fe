//! Lambda's own way to hand over a request: the one place that knows its events.

use std::{convert::Infallible, process::ExitCode};

use http::Response;
use lambda_http::{RequestExt, Service, request::RequestContext};

use crate::http::request::Request;

/// Takes over an HTTP API event (payload format 2.0).
#[must_use]
pub fn request(event: lambda_http::Request) -> Request {
    let id = event
        .lambda_context_ref()
        .map(|context| context.request_id.clone())
        .unwrap_or_default();
    let iam_caller = iam_caller(&event);
    let mut request = Request::new(event, id);
    request.iam_caller = iam_caller;
    request
}

/// Whom API Gateway has verified, on a route with an IAM authorizer.
fn iam_caller(event: &lambda_http::Request) -> Option<String> {
    match event.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.authorizer.as_ref()?.iam.as_ref()?.user_arn.clone(),
        _ => None,
    }
}

/// Answers events for as long as the environment lives.
///
/// The handler cannot fail: whatever happens, it answers.
pub async fn serve<S>(handler: S) -> ExitCode
where
    S: Service<lambda_http::Request, Response = Response<String>, Error = Infallible>,
    S::Future: Send,
{
    match lambda_http::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        // The runtime API has gone away, and the environment with it.
        Err(_) => ExitCode::FAILURE,
    }
}

//! The least that a Lambda function behind an HTTP API can be: it answers 200 and nothing else.
//!
//! It is written as `lambda_http` would have it, and built with the functions' profile for one thread, as they are.

use std::convert::Infallible;

use lambda_http::{Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(service_fn(async |_: Request| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }))
    .await
}

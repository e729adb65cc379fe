//! The least that a Lambda function behind an HTTP API can be: it answers 200 and nothing else.
//!
//! It has the functions' own runtime and profile, so that a ratio to it says what a function does, not how it was built.

use std::convert::Infallible;

use lambda_http::{Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(service_fn(async |_: Request| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }))
    .await
}

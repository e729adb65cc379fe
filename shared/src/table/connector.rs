//! How the SDK reaches DynamoDB: over HTTP/1.1, which is all that DynamoDB speaks, on the stack that everybody else is called through.
//!
//! The SDK's own client would bring HTTP/2, the system's certificates and proxies along. Retries and time-outs stay the SDK's; what is
//! said here is only whether a failure was one of the connection.

use std::{error::Error, time::Duration};

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use http::header::USER_AGENT;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector as TcpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use crate::{
    additional_roots::AdditionalRoots,
    outbound::{self, over_tls, tls_trusting},
};

/// Amazon's own root certificates, to which all of its endpoints lead. Reading the system's certificate directory instead costs
/// more than the rest of a cold start's set-up.
pub(super) const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// A client that trusts Amazon and `additional_roots`, keeps its connections, and takes at most `connect_timeout` for a new one's TCP.
pub(super) fn https_client(additional_roots: &AdditionalRoots, connect_timeout: Duration) -> SharedHttpClient {
    let amazon = AdditionalRoots::parse(AMAZON_ROOTS).unwrap_or_default();
    let tls = tls_trusting(&[amazon.anchors(), additional_roots.anchors()]);
    let mut tcp = TcpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(over_tls(tls, tcp));
    let connector = SharedHttpConnector::new(Connector(client));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Connector(Client<HttpsConnector<TcpConnector>, SdkBody>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        request.headers_mut().insert(USER_AGENT, outbound::USER_AGENT);
        let response = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(failure)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// What is wrong with the connection may pass; what is wrong with what was said over it does not.
fn failure(error: legacy::Error) -> ConnectorError {
    let said = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
    if said.is_some_and(|error| error.is_parse() || error.is_user()) {
        ConnectorError::other(error.into(), None)
    } else {
        ConnectorError::io(error.into())
    }
}

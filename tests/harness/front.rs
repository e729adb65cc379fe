//! A public origin of its own before the local stack, from which the functions' routes lead elsewhere.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{Router, body::Body, extract::State};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{COOKIE, HOST},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use local_stack::Caller;
use tokio::{net::TcpListener, task::JoinHandle};

/// Lambda's own limit is 10 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// The origin while nothing answers there yet.
#[derive(Debug)]
pub struct Front {
    listener: TcpListener,
}

/// The origin at work. It ends with this value.
#[derive(Debug)]
pub struct OpenFront {
    server: JoinHandle<()>,
}

impl Drop for OpenFront {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Upstreams {
    functions: SocketAddr,
    functions_host: Option<HeaderValue>,
    everything_else: SocketAddr,
    client: Client<HttpConnector, Body>,
}

impl Front {
    /// Takes `port`, or a free one for 0.
    pub async fn bind(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("a free port");
        Self { listener }
    }

    /// `PUBLIC_ORIGIN`.
    pub fn origin(&self) -> String {
        let address = self.listener.local_addr().expect("a bound listener has an address");
        format!("http://accounts.localhost:{}", address.port())
    }

    /// Sends what has a route for browsers to `functions`, under the name `functions_host` when they go by one, and `everything_else`
    /// to the local stack.
    pub fn open(self, functions: SocketAddr, functions_host: Option<&str>, everything_else: SocketAddr) -> OpenFront {
        let upstreams = Upstreams {
            functions,
            functions_host: functions_host.map(|host| host.parse().expect("a host is a header's value")),
            everything_else,
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        let router = Router::new().fallback(pass_on).with_state(upstreams);
        let server = tokio::spawn(async move {
            // It never ends in an error: what can be retried is.
            let _ = axum::serve(self.listener, router).await;
        });
        OpenFront { server }
    }
}

/// Joins the values of each name by commas, and the cookies by semicolons, as API Gateway does: what stands behind this front takes
/// only the first.
fn combined(headers: &HeaderMap) -> HeaderMap {
    let names = headers.keys().map(|name| {
        let separator: &[u8] = if name == COOKIE { b"; " } else { b"," };
        let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let value = HeaderValue::from_bytes(&values.join(separator)).expect("made of header values, it is one");
        (name.clone(), value)
    });
    names.collect()
}

async fn pass_on(State(upstreams): State<Upstreams>, mut request: Request<Body>) -> Response<Body> {
    *request.headers_mut() = combined(request.headers());
    let mut routes = local_stack::ROUTES.iter();
    let route = routes.find(|route| route.matches(request.method(), request.uri().path()));
    // Nobody behind checks signatures.
    let upstream = if route.is_some_and(|route| route.caller == Caller::Browser) {
        if let Some(host) = upstreams.functions_host {
            request.headers_mut().insert(HOST, host);
        }
        upstreams.functions
    } else {
        upstreams.everything_else
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = format!("http://{upstream}{target}")
        .parse::<Uri>()
        .expect("it came as a target");
    let answer = tokio::time::timeout(PATIENCE, upstreams.client.request(request)).await;
    match answer {
        Ok(Ok(answer)) => answer.map(Body::new),
        failure => {
            let failure = format!("no answer from {upstream}: {failure:?}; the log of the function may say why");
            let mut answer = Response::new(Body::from(failure));
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        }
    }
}

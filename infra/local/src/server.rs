//! One port, several hosts: which part of the stack a request is for.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use account_linking::clock::Randomness;
use axum::{Router, body::Body, extract::State};
use http::{HeaderValue, StatusCode, header};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    accounts::AccountsSite,
    config::PROVIDER_HOST,
    gateway::Gateway,
    provider::Provider,
    site::{self, Request, Response},
};

/// More than any page of the two sites posts.
const LONGEST_FORM: usize = 64 * 1024;

/// How often a free port is tried for that only one of the two loopback addresses has free.
const PORT_ATTEMPTS: u32 = 16;

/// Tells the servers to stop: when asked to, or when whoever could ask is gone.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(pub(crate) watch::Receiver<bool>);

impl Shutdown {
    /// Ends when the servers are to stop.
    pub(crate) async fn requested(mut self) {
        // An error means that the sender is gone, which says the same.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// The port on the loopback addresses: a browser takes `*.localhost` for either of them.
#[derive(Debug)]
pub(crate) struct Listeners {
    listeners: Vec<TcpListener>,
    pub(crate) port: u16,
}

impl Listeners {
    /// Binds `port`, or a free one for 0.
    pub(crate) async fn bind(port: u16) -> io::Result<Self> {
        let mut attempts = if port == 0 { PORT_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let port = v4.local_addr()?.port();
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
                Ok(v6) => {
                    return Ok(Self {
                        listeners: vec![v4, v6],
                        port,
                    });
                }
                // Somebody else would get half of the browser's requests.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts == 0 => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                // This machine has no IPv6.
                Err(_) => {
                    return Ok(Self {
                        listeners: vec![v4],
                        port,
                    });
                }
            }
        }
    }

    /// Serves `hosts` until the shutdown.
    pub(crate) fn serve(self, hosts: &Arc<Hosts>, shutdown: &Shutdown) -> Vec<JoinHandle<()>> {
        let router = Router::new().fallback(answer).with_state(Arc::clone(hosts));
        let serve = |listener| {
            let (router, shutdown) = (router.clone(), shutdown.clone());
            tokio::spawn(async move {
                // axum's server retries what can be retried, and never ends in an error.
                let _ = axum::serve(listener, router)
                    .with_graceful_shutdown(shutdown.requested())
                    .await;
            })
        };
        self.listeners.into_iter().map(serve).collect()
    }
}

/// The parts of the stack by the host they answer to.
pub(crate) struct Hosts {
    /// The host of `PUBLIC_ORIGIN`.
    pub(crate) public_host: String,
    /// `PUBLIC_ORIGIN`.
    pub(crate) public_origin: String,
    /// What answers to `/sso/*` there.
    pub(crate) gateway: Gateway,
    /// What answers to everything else there.
    pub(crate) accounts: AccountsSite,
    /// Absent when there is another provider.
    pub(crate) provider: Option<Arc<Provider>>,
    pub(crate) random: Arc<dyn Randomness>,
}

async fn answer(State(hosts): State<Arc<Hosts>>, request: http::Request<Body>) -> http::Response<Body> {
    let host = host_of(&request).unwrap_or_default();
    let response = if host.eq_ignore_ascii_case(&hosts.public_host) {
        if request.uri().path().starts_with("/sso/") {
            hosts.gateway.respond(request, &*hosts.random).await
        } else {
            match read(request).await {
                Ok(request) => hosts.accounts.respond(&request).await,
                Err(too_large) => too_large,
            }
        }
    } else if let Some(provider) = hosts
        .provider
        .as_ref()
        .filter(|_| host.eq_ignore_ascii_case(PROVIDER_HOST))
    {
        match read(request).await {
            Ok(request) => provider.respond(&request),
            Err(too_large) => too_large,
        }
    } else {
        misdirected(&hosts.public_origin)
    };
    response.map(Body::from)
}

/// The host that the request names, without its port (RFC 9112 section 3.2).
fn host_of(request: &http::Request<Body>) -> Option<&str> {
    if let Some(host) = request.uri().host() {
        return Some(host);
    }
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    Some(host.rsplit_once(':').map_or(host, |(name, _)| name))
}

/// The request with its body, or the answer to one that is too large.
async fn read(request: http::Request<Body>) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, LONGEST_FORM).await {
        Ok(body) => Ok(Request::new(parts, body)),
        Err(_) => Err(site::status_only(StatusCode::PAYLOAD_TOO_LARGE)),
    }
}

/// For whoever opened `127.0.0.1` or `localhost`: there the cookies would be others'.
fn misdirected(public_origin: &str) -> Response {
    let mut response = Response::new(format!("This host is not served. Open {public_origin}/\n"));
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

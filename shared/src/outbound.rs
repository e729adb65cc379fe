//! The one HTTPS client: provider, JWKS, Secrets Manager and KMS are all called through it.
//!
//! It follows no redirect (a `307` from a token endpoint would post the code to another host), asks no proxy, decompresses
//! nothing, and reads no answer beyond its bound. Nothing is ever sent twice: a code can be redeemed only once. A connection
//! serves the next call to the same origin, but not for long: a Lambda environment is frozen between two requests and does not notice when
//! the other side hangs up (docs/decisions/0008-kept-connections.md).

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{
    HttpConnector,
    dns::{GaiResolver, Name},
};
use rustls::{CipherSuite, ClientConfig, RootCertStore, crypto::ring, pki_types::TrustAnchor};
use tokio::{
    task::JoinSet,
    time::{error::Elapsed, timeout},
};
use tower_service::Service;

use self::kept::KeptConnections;
use crate::additional_roots::AdditionalRoots;

mod kept;

#[cfg(test)]
pub(crate) mod scripted_server;

/// How long connecting may take, TLS included (contract section 9).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest header section of an answer, and the most that is read at once.
const MAX_HEAD_BYTES: usize = 32 * 1024;

pub(crate) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("account-linking/", env!("CARGO_PKG_VERSION")));

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Whether everything around this process is on the same machine (contract section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locality {
    /// The host of `PUBLIC_ORIGIN` is a local one: http is spoken to local hosts, secrets may stand in the configuration.
    Local,
    /// Anything else.
    Deployed,
}

impl Locality {
    /// The locality of a configuration whose `PUBLIC_ORIGIN` has `host`.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        if is_local_host(host) {
            Self::Local
        } else {
            Self::Deployed
        }
    }

    /// Whether this locality lets a URL of `scheme` and `host` be called at all.
    #[must_use]
    pub fn allows(self, scheme: &str, host: &str) -> bool {
        match scheme {
            "https" => true,
            "http" => self == Self::Local && is_local_host(host),
            _ => false,
        }
    }

    /// Whether this locality lets `uri` be called at all: it is absolute, and its scheme and host are allowed.
    #[must_use]
    pub fn allows_uri(self, uri: &Uri) -> bool {
        match (uri.scheme_str(), uri.host()) {
            (Some(scheme), Some(host)) => self.allows(scheme, host),
            _ => false,
        }
    }
}

/// Whether `host` is `localhost` or ends in `.localhost`, in any case.
#[must_use]
pub fn is_local_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// What one call may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The longest body that is read.
    pub max_bytes: usize,
    /// The time from the call to the last byte of its answer.
    pub timeout: Duration,
}

/// Why a call brought no answer.
///
/// Neither the URL nor anything that was sent is in these texts: callers know whom they called.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// Not `https`, and not `http` to a local host in a local configuration; or no URL of a host at all.
    #[error("refusing to call a URL that is not https")]
    InsecureUrl,
    /// The name did not resolve, nobody listened, or TLS could not be agreed on.
    #[error("connecting")]
    Connect(#[source] BoxError),
    /// No connection, or no whole answer, in time.
    #[error("waiting for the answer")]
    TimedOut(#[source] Elapsed),
    /// The body is longer than [`Bounds::max_bytes`].
    #[error("the answer is longer than {max_bytes} bytes")]
    TooLarge {
        /// What would have been read.
        max_bytes: usize,
    },
    /// The connection ended early, or what came is not HTTP.
    #[error("exchanging the request for the answer")]
    Broken(#[source] BoxError),
}

/// Calls servers over HTTP/1.1.
#[derive(Clone)]
pub struct HttpClient {
    locality: Locality,
    connector: HttpsConnector<HttpConnector<Resolver>>,
    kept: KeptConnections,
}

struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// What moves the bytes; ends when this is dropped, and the connection with it.
    _driver: JoinSet<hyper::Result<()>>,
}

impl HttpClient {
    /// A client for a configuration of `locality`, which trusts Mozilla's certificate authorities.
    #[must_use]
    pub fn new(locality: Locality) -> Self {
        Self::trusting(locality, &AdditionalRoots::default())
    }

    /// A client for a configuration of `locality`, which trusts Mozilla's certificate authorities and `additional_roots`.
    #[must_use]
    pub fn trusting(locality: Locality, additional_roots: &AdditionalRoots) -> Self {
        let tls = tls_trusting(&[webpki_roots::TLS_SERVER_ROOTS, additional_roots.anchors()]);
        let mut http = HttpConnector::new_with_resolver(Resolver {
            locality,
            names: GaiResolver::new(),
        });
        http.set_nodelay(true);
        // Which of http and https is allowed is decided in `send`.
        let connector = over_tls(tls, http);
        Self {
            locality,
            connector,
            kept: KeptConnections::default(),
        }
    }

    /// Sends `request` once and reads its answer, whatever its status.
    pub async fn send(&self, request: Request<Vec<u8>>, bounds: Bounds) -> Result<Response<Vec<u8>>, OutboundError> {
        let url = request.uri().clone();
        let (Some(scheme), Some(host)) = (url.scheme_str(), url.host()) else {
            return Err(OutboundError::InsecureUrl);
        };
        if !self.locality.allows(scheme, host) {
            return Err(OutboundError::InsecureUrl);
        }
        // On the heap: a connection in the making would make every future that waits for one some 10 KiB larger.
        let exchange = Box::pin(self.exchange(&url, request, bounds.max_bytes));
        timeout(bounds.timeout, exchange)
            .await
            .map_err(OutboundError::TimedOut)?
    }

    async fn exchange(
        &self,
        url: &Uri,
        request: Request<Vec<u8>>,
        max_bytes: usize,
    ) -> Result<Response<Vec<u8>>, OutboundError> {
        let mut request = on_the_wire(url, request)?;
        if let Some(mut connection) = self.kept.take(url) {
            // The request comes back when the connection was closed, or not idle, before anything of it was written.
            match connection.sender.try_send_request(request).await {
                Ok(answer) => return self.read(url, connection, answer, max_bytes).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(error.into_error())),
                },
            }
        }
        let mut connection = self.connect(url).await?;
        let answer = connection.sender.send_request(request).await.map_err(broken)?;
        self.read(url, connection, answer, max_bytes).await
    }

    async fn connect(&self, url: &Uri) -> Result<Connection, OutboundError> {
        let mut connector = self.connector.clone();
        let connecting = async {
            poll_fn(|context| connector.poll_ready(context)).await?;
            connector.call(url.clone()).await
        };
        let stream = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(OutboundError::TimedOut)?
            .map_err(OutboundError::Connect)?;

        let (sender, connection) = http1::Builder::new()
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(stream)
            .await
            .map_err(broken)?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        Ok(Connection {
            sender,
            _driver: driver,
        })
    }

    /// Reads the whole of `answer`, and keeps its connection. One whose answer is not read to its end, or not in time, is dropped.
    async fn read(
        &self,
        url: &Uri,
        connection: Connection,
        answer: Response<Incoming>,
        max_bytes: usize,
    ) -> Result<Response<Vec<u8>>, OutboundError> {
        let (head, body) = answer.into_parts();
        let body = read(body, max_bytes).await?;
        self.kept.keep(url, connection);
        Ok(Response::from_parts(head, body))
    }
}

/// TLS 1.2 and 1.3 on *ring*, with the servers that `anchors` vouch for.
///
/// AES-128 with SHA-256 is preferred to AES-256 with SHA-384, as by browsers: processors have instructions for SHA-256 and none for SHA-384, and a
/// handshake takes dozens.
pub(crate) fn tls_trusting(anchors: &[&[TrustAnchor<'static>]]) -> ClientConfig {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    });
    #[expect(
        clippy::expect_used,
        reason = "ring's own provider has the cipher suites of TLS 1.2 and 1.3"
    )]
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("a provider with cipher suites")
        .with_root_certificates(RootCertStore {
            roots: anchors.concat(),
        })
        .with_no_client_auth()
}

/// Connections by `tcp`, for HTTP/1.1; over `tls` where the URL is https.
pub(crate) fn over_tls<R>(tls: ClientConfig, mut tcp: HttpConnector<R>) -> HttpsConnector<HttpConnector<R>> {
    tcp.enforce_http(false);
    HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp)
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("locality", &self.locality)
            .finish_non_exhaustive()
    }
}

fn broken(error: impl Into<BoxError>) -> OutboundError {
    OutboundError::Broken(error.into())
}

/// The request in origin form (RFC 9112 section 3.2.1), with the headers every call has.
fn on_the_wire(url: &Uri, request: Request<Vec<u8>>) -> Result<Request<Full<Bytes>>, OutboundError> {
    let (mut head, body) = request.into_parts();
    head.uri = url
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .parse()
        .map_err(broken)?;
    head.headers
        .insert(header::HOST, host_header(url).ok_or(OutboundError::InsecureUrl)?);
    head.headers
        .insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    head.headers.insert(header::USER_AGENT, USER_AGENT);
    Ok(Request::from_parts(head, Full::from(body)))
}

/// The `Host` field for `url` (RFC 9110 section 7.2): its host, and its port where that is not the scheme's own.
#[must_use]
pub fn host_header(url: &Uri) -> Option<HeaderValue> {
    let default_port = if url.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let host = url.host()?;
    match url.port_u16() {
        Some(port) if port != default_port => HeaderValue::try_from(format!("{host}:{port}")).ok(),
        _ => HeaderValue::from_str(host).ok(),
    }
}

/// The body, of which no more than `max_bytes` are ever held, whatever its `Content-Length` says.
async fn read(body: Incoming, max_bytes: usize) -> Result<Vec<u8>, OutboundError> {
    match Limited::new(body, max_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(OutboundError::TooLarge { max_bytes }),
        Err(error) => Err(OutboundError::Broken(error)),
    }
}

/// Finds a host's addresses. In a local configuration the local hosts are this machine, without asking anybody: the system's
/// resolver may not know them.
#[derive(Clone)]
struct Resolver {
    locality: Locality,
    names: GaiResolver,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.names.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if self.locality == Locality::Local && is_local_host(name.as_str()) {
            // The connector puts the URL's port in place of 0.
            return Box::pin(async { Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))].into_iter()) });
        }
        let addresses = self.names.call(name);
        Box::pin(async { Ok(addresses.await?.collect::<Vec<_>>().into_iter()) })
    }
}

#[cfg(test)]
mod tests;

//! The one HTTPS client: provider, JWKS, Secrets Manager and KMS are all called through it.
//!
//! It follows no redirect (a `307` from a token endpoint would post the code to another host), asks no proxy, decompresses
//! nothing, and reads no answer beyond its bound. Every call has a connection of its own: one that a frozen Lambda environment
//! had kept may be dead, and a code can be redeemed only once.

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
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::{
    task::JoinSet,
    time::{error::Elapsed, timeout},
};
use tower_service::Service;

#[cfg(test)]
pub(crate) mod scripted_server;

/// How long connecting may take, TLS included (contract section 9).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The most that is read at once: an answer's header section is at most this long.
const READ_BUFFER_BYTES: usize = 32 * 1024;

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("account-linking/", env!("CARGO_PKG_VERSION")));

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
}

impl HttpClient {
    /// A client for a configuration of `locality`, which trusts Mozilla's certificate authorities.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "ring has the cipher suites of TLS 1.2 and 1.3")]
    pub fn new(locality: Locality) -> Self {
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        #[expect(
            clippy::expect_used,
            reason = "ring's own provider has the cipher suites of TLS 1.2 and 1.3"
        )]
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("a provider with cipher suites")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = HttpConnector::new_with_resolver(Resolver {
            locality,
            names: GaiResolver::new(),
        });
        http.enforce_http(false); // `https` is allowed too; which of the two is decided in `send`
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Self { locality, connector }
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
        let request = on_the_wire(url, request)?;
        let mut connector = self.connector.clone();
        let connecting = async {
            poll_fn(|context| connector.poll_ready(context)).await?;
            connector.call(url.clone()).await
        };
        let stream = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(OutboundError::TimedOut)?
            .map_err(OutboundError::Connect)?;

        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(READ_BUFFER_BYTES)
            .handshake(stream)
            .await
            .map_err(broken)?;
        // Dropped with this future, and the connection with it: nothing goes on in a frozen environment.
        let mut driver = JoinSet::new();
        driver.spawn(connection);

        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        Ok(Response::from_parts(head, read(body, max_bytes).await?))
    }
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
pub(crate) fn host_header(url: &Uri) -> Option<HeaderValue> {
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
mod tests {
    use super::{
        scripted_server::{Answer, ScriptedServer},
        *,
    };
    use crate::clock::Deadline;

    const BOUNDS: Bounds = Bounds {
        max_bytes: 1000,
        timeout: Duration::from_secs(5),
    };

    async fn get(url: &str, bounds: Bounds) -> Result<Response<Vec<u8>>, OutboundError> {
        let request = Request::get(url).body(Vec::new()).unwrap();
        HttpClient::new(Locality::Local).send(request, bounds).await
    }

    /// What a server that always gives `answer` makes of one call.
    async fn ask(answer: Answer) -> Result<Response<Vec<u8>>, OutboundError> {
        let server = ScriptedServer::start([answer]).await;
        let outcome = get(&server.url("/"), BOUNDS).await;
        assert_eq!(server.hits(), 1, "nothing is ever sent twice");
        outcome
    }

    #[test]
    fn only_localhost_and_the_names_below_it_are_local() {
        for host in ["localhost", "LOCALHOST", "magento.localhost", "a.b.localhost"] {
            assert_eq!(Locality::of_host(host), Locality::Local, "{host}");
        }
        for host in [
            "",
            "localhost.example",
            "notlocalhost",
            "127.0.0.1",
            "[::1]",
            "localhost.",
        ] {
            assert_eq!(Locality::of_host(host), Locality::Deployed, "{host}");
        }
    }

    #[test]
    fn http_is_allowed_to_local_hosts_in_a_local_configuration_alone() {
        assert!(Locality::Deployed.allows("https", "magento.example"));
        assert!(Locality::Local.allows("http", "magento.localhost"));
        assert!(!Locality::Local.allows("http", "magento.example"));
        assert!(!Locality::Deployed.allows("http", "magento.localhost"));
        assert!(!Locality::Local.allows("ftp", "localhost"));
    }

    #[tokio::test]
    async fn a_plain_call_has_its_host_and_asks_for_no_compression() {
        let server = ScriptedServer::start([Answer::json(200, "{}")]).await;
        let answer = get(&server.url("/path?query=1"), BOUNDS).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.body().as_slice()),
            (200, b"{}".as_slice())
        );
        let request = &server.requests()[0];
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("GET", "/path?query=1")
        );
        assert_eq!(request.header("host").unwrap(), server.authority());
        assert_eq!(request.header("accept-encoding").unwrap(), "identity");
        assert!(request.header("user-agent").unwrap().starts_with("account-linking/"));
    }

    #[tokio::test]
    async fn a_post_carries_its_body() {
        let server = ScriptedServer::start([Answer::json(200, "{}")]).await;
        let request = Request::post(server.url("/")).body(b"name=a+b".to_vec()).unwrap();
        HttpClient::new(Locality::Local).send(request, BOUNDS).await.unwrap();
        assert_eq!(server.requests()[0].method, "POST");
        assert_eq!(server.requests()[0].form(), [("name".to_owned(), "a b".to_owned())]);
    }

    #[tokio::test]
    async fn an_insecure_url_is_never_called() {
        let server = ScriptedServer::start([Answer::new(200, "text/plain", "reached")]).await;
        let port = server.port();
        for url in [
            format!("http://127.0.0.1:{port}/"),
            format!("http://[::1]:{port}/"),
            "/relative".to_owned(),
        ] {
            assert!(
                matches!(get(&url, BOUNDS).await, Err(OutboundError::InsecureUrl)),
                "{url}"
            );
        }
        let request = Request::get(server.url("/")).body(Vec::new()).unwrap();
        let deployed = HttpClient::new(Locality::Deployed).send(request, BOUNDS).await;
        assert!(matches!(deployed, Err(OutboundError::InsecureUrl)));
        assert_eq!(server.hits(), 0);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let elsewhere = ScriptedServer::start([Answer::new(200, "text/plain", "followed")]).await;
        for status in [301, 302, 303, 307, 308] {
            let head = format!(
                "HTTP/1.1 {status} Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
                elsewhere.url("/")
            );
            assert_eq!(
                ask(Answer::Bytes(head.into_bytes())).await.unwrap().status().as_u16(),
                status
            );
        }
        assert_eq!(elsewhere.hits(), 0);
    }

    #[tokio::test]
    async fn a_compressed_answer_stays_compressed() {
        let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00";
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\n".to_vec();
        bytes.extend(gzip);
        assert_eq!(ask(Answer::Bytes(bytes)).await.unwrap().body(), gzip);
    }

    #[tokio::test]
    async fn a_body_may_be_as_long_as_its_bound_and_no_longer() {
        let body = "x".repeat(1000);
        assert_eq!(
            ask(Answer::new(200, "text/plain", &body)).await.unwrap().body().len(),
            1000
        );
        let too_long = ask(Answer::new(200, "text/plain", &format!("{body}x"))).await;
        assert!(
            matches!(too_long, Err(OutboundError::TooLarge { max_bytes: 1000 })),
            "{too_long:?}"
        );
    }

    #[tokio::test]
    async fn a_flood_is_cut_off_however_it_is_framed() {
        for framing in [
            "Content-Length: 99999999999",
            "Transfer-Encoding: chunked",
            "Connection: close",
        ] {
            let outcome = ask(Answer::flood(framing)).await;
            assert!(
                matches!(outcome, Err(OutboundError::TooLarge { .. })),
                "{framing}: {outcome:?}"
            );
        }
    }

    #[tokio::test]
    async fn endless_headers_are_cut_off() {
        let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
        head.extend("X-Filler: x\r\n".repeat(10_000).bytes());
        assert!(matches!(ask(Answer::Bytes(head)).await, Err(OutboundError::Broken(_))));
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_is_broken() {
        let truncated = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec();
        for answer in [
            Answer::Bytes(truncated),
            Answer::Bytes(b"\0\0\0 no HTTP\r\n\r\n".to_vec()),
            Answer::Hangup,
        ] {
            let outcome = ask(answer).await;
            assert!(matches!(outcome, Err(OutboundError::Broken(_))), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_left_when_the_time_is_up() {
        let server = ScriptedServer::start([Answer::Silence]).await;
        let url = server.url("/");
        let (outcome, ()) = tokio::join!(get(&url, BOUNDS), server.stop_time_when_asked());
        assert!(matches!(outcome, Err(OutboundError::TimedOut(_))), "{outcome:?}");
        assert_eq!(server.hits(), 1);
    }

    #[tokio::test]
    async fn a_server_that_stops_halfway_is_left_when_the_time_is_up() {
        let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec();
        let server = ScriptedServer::start([Answer::ThenSilence(half)]).await;
        let url = server.url("/");
        let (outcome, ()) = tokio::join!(get(&url, BOUNDS), server.stop_time_when_asked());
        assert!(matches!(outcome, Err(OutboundError::TimedOut(_))), "{outcome:?}");
    }

    #[tokio::test]
    async fn nobody_listening_is_a_failure_to_connect() {
        let server = ScriptedServer::start([]).await;
        let url = server.url("/");
        server.stop().await;
        assert!(matches!(get(&url, BOUNDS).await, Err(OutboundError::Connect(_))));
    }

    #[tokio::test]
    async fn a_server_that_does_not_speak_tls_is_a_failure_to_connect() {
        let server = ScriptedServer::start([Answer::new(200, "text/plain", "plain")]).await;
        let url = server.url("/?code=secret").replacen("http:", "https:", 1);
        let error = get(&url, BOUNDS).await.unwrap_err();
        assert!(matches!(error, OutboundError::Connect(_)), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("secret"));
    }

    #[tokio::test(start_paused = true)]
    async fn connecting_is_given_up_after_two_seconds() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let deadline = Deadline::within(Duration::from_secs(10));
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        assert!(matches!(get(&url, BOUNDS).await, Err(OutboundError::TimedOut(_))));
        let left = deadline.left();
        assert!(
            (Duration::from_millis(7900)..=Duration::from_secs(8)).contains(&left),
            "{left:?}"
        );
    }
}

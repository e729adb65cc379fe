//! A proxy before a database: it counts the calls, and plays what goes wrong between us and the database.
//!
//! Without instructions it passes every call on. A test says in advance what shall happen to the next calls of one operation.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

/// How long a test waits for a call that it expects.
const PATIENCE: Duration = Duration::from_secs(30);

/// What shall happen to a call.
#[derive(Debug)]
pub enum Fate {
    /// It is passed on, and its answer back.
    Pass,
    /// It is answered by the proxy: an HTTP status and DynamoDB's JSON. The database never sees it.
    Answer(StatusCode, Value),
    /// The connection breaks before the database sees it.
    LoseRequest,
    /// The database does it, and the connection breaks before the answer.
    LoseAnswer,
    /// Nothing ever comes back; the database never sees it.
    Hang,
    /// The database does it, and nothing comes back as long as somebody waits for it.
    Delay,
    /// It waits until the test lets it pass. A test that goes away breaks the connection: the database never sees it.
    Hold(Hold),
    /// The database does it, and the answer waits until the test lets it pass.
    HoldAnswer(Hold),
}

impl Fate {
    /// What DynamoDB answers when it throttles.
    pub fn throttled() -> Self {
        Self::error("ThrottlingException")
    }

    /// What DynamoDB answers a transaction of which each write has the reason given by its name.
    pub fn cancelled(reasons: &[&str]) -> Self {
        let reasons: Vec<_> = reasons.iter().map(|reason| json!({"Code": reason})).collect();
        Self::Answer(
            StatusCode::BAD_REQUEST,
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "CancellationReasons": reasons,
                "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
            }),
        )
    }

    /// One of DynamoDB's errors, by its name.
    pub fn error(name: &str) -> Self {
        let answer = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": "played"});
        Self::Answer(StatusCode::BAD_REQUEST, answer)
    }

    /// A call that waits in the proxy, and what the test holds of it.
    pub fn hold() -> (Self, Held) {
        let (waiting, held) = Hold::new();
        (Self::Hold(waiting), held)
    }

    /// A call that was carried out and whose answer waits in the proxy, and what the test holds of it.
    pub fn hold_answer() -> (Self, Held) {
        let (waiting, held) = Hold::new();
        (Self::HoldAnswer(waiting), held)
    }
}

/// The proxy's end of a call that waits.
#[derive(Debug)]
pub struct Hold {
    arrive: oneshot::Sender<()>,
    released: oneshot::Receiver<()>,
}

impl Hold {
    fn new() -> (Self, Held) {
        let (arrive, arrived) = oneshot::channel();
        let (release, released) = oneshot::channel();
        (Self { arrive, released }, Held { arrived, release })
    }

    /// Waits until the test lets it pass.
    async fn wait(self) -> Result<(), Broken> {
        // Who no longer waits for it will not let it pass either.
        let _ = self.arrive.send(());
        self.released.await.map_err(|_| Broken)
    }
}

/// The test's end of a call that waits.
#[derive(Debug)]
pub struct Held {
    arrived: oneshot::Receiver<()>,
    release: oneshot::Sender<()>,
}

impl Held {
    /// Waits until the call is at the proxy, does `meanwhile`, and lets the call pass.
    pub async fn meanwhile<T>(self, meanwhile: impl Future<Output = T>) -> T {
        let release = self.arrived().await;
        let done = meanwhile.await;
        release.send(()).expect("the call still waits");
        done
    }

    /// Waits until the call is at the proxy, where it stays until what comes back is sent to or dropped.
    pub async fn arrived(self) -> oneshot::Sender<()> {
        let arrived = tokio::time::timeout(PATIENCE, self.arrived).await;
        arrived
            .expect("the call comes to the proxy in time")
            .expect("the proxy lives");
        self.release
    }
}

/// A proxy before one database. It ends with this value.
#[derive(Debug)]
pub struct DatabaseProxy {
    /// Where it listens.
    pub endpoint: String,
    script: Arc<Mutex<Script>>,
    server: JoinHandle<()>,
}

/// A call as it came to the proxy.
#[derive(Clone, Debug)]
pub struct Call {
    /// DynamoDB's name for what is asked: `GetItem`, `TransactWriteItems`, …; the path of a call to anybody else.
    pub operation: String,
    /// DynamoDB's JSON.
    pub request: Value,
}

#[derive(Debug, Default)]
struct Script {
    calls: Vec<Call>,
    connections: usize,
    fates: HashMap<String, VecDeque<Fate>>,
}

impl DatabaseProxy {
    /// Starts a proxy that passes calls on to `upstream`.
    pub async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let script = Arc::<Mutex<Script>>::default();
        let server = tokio::spawn(serve(listener, upstream.to_owned(), script.clone()));
        Self {
            endpoint: format!("http://{address}"),
            script,
            server,
        }
    }

    /// Decides about the next calls of `operation` (`GetItem`, `TransactWriteItems`, …), each in turn. Later ones pass.
    pub fn next(&self, operation: &str, fates: impl IntoIterator<Item = Fate>) {
        lock(&self.script)
            .fates
            .entry(operation.to_owned())
            .or_default()
            .extend(fates);
    }

    /// Takes back what was decided and has not happened.
    pub fn forget(&self) {
        lock(&self.script).fates.clear();
    }

    /// The calls since this was last asked, in order, whatever became of them.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut lock(&self.script).calls)
    }

    /// The operations of [`Self::calls`].
    pub fn operations(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.operation).collect()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        lock(&self.script).connections
    }
}

impl Drop for DatabaseProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, upstream: String, script: Arc<Mutex<Script>>) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut connections = JoinSet::new(); // ends with this task
    while let Ok((stream, _)) = listener.accept().await {
        lock(&script).connections += 1;
        let (client, upstream, script) = (client.clone(), upstream.clone(), script.clone());
        connections.spawn(async move {
            let service = service_fn(|request| answer(&client, &upstream, &script, request));
            // A connection that a fate broke off ends with an error: that is its purpose.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// The connection is to break.
#[derive(Debug, thiserror::Error)]
#[error("the connection breaks")]
struct Broken;

async fn answer(
    client: &Client<HttpConnector, Full<Bytes>>,
    upstream: &str,
    script: &Mutex<Script>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Broken> {
    let (request, call) = receive(request).await?;
    let fate = {
        let mut script = lock(script);
        let fate = script
            .fates
            .get_mut(&call.operation)
            .and_then(VecDeque::pop_front)
            .unwrap_or(Fate::Pass);
        script.calls.push(call);
        fate
    };
    match fate {
        Fate::Pass => forward(client, upstream, request).await,
        Fate::Answer(status, body) => Response::builder()
            .status(status)
            .header("content-type", "application/x-amz-json-1.0")
            .body(Full::from(body.to_string()))
            .map_err(|_| Broken),
        Fate::LoseRequest => Err(Broken),
        Fate::LoseAnswer => {
            forward(client, upstream, request).await?;
            Err(Broken)
        }
        fate @ (Fate::Hang | Fate::Delay) => {
            if matches!(fate, Fate::Delay) {
                forward(client, upstream, request).await?;
            }
            let never: Infallible = std::future::pending().await;
            match never {}
        }
        Fate::Hold(hold) => {
            hold.wait().await?;
            forward(client, upstream, request).await
        }
        Fate::HoldAnswer(hold) => {
            let answer = forward(client, upstream, request).await?;
            hold.wait().await?;
            Ok(answer)
        }
    }
}

/// The whole request, and what it asks for.
async fn receive(request: Request<Incoming>) -> Result<(Request<Bytes>, Call), Broken> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let operation = match target.rsplit_once('.') {
        Some((_, operation)) => operation,
        None => parts.uri.path(),
    };
    let call = Call {
        operation: operation.to_owned(),
        request: serde_json::from_slice(&body).unwrap_or_default(),
    };
    Ok((Request::from_parts(parts, body), call))
}

async fn forward(
    client: &Client<HttpConnector, Full<Bytes>>,
    upstream: &str,
    request: Request<Bytes>,
) -> Result<Response<Full<Bytes>>, Broken> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = format!("{upstream}{path}").parse().map_err(|_| Broken)?;
    let response = client
        .request(Request::from_parts(parts, Full::from(body)))
        .await
        .map_err(|_| Broken)?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    Ok(Response::from_parts(parts, Full::from(body)))
}

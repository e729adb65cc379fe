//! A real listener on this machine that answers what a test tells it to, misbehaviour included.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    pin::pin,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and answers the connection's next request, too.
    ThenNext(Vec<u8>),
    /// Sends these bytes and leaves the connection open.
    ThenSilence(Vec<u8>),
    /// Sends the first and then the second over and over, for as long as they are read.
    Flood(Vec<u8>, Vec<u8>),
    /// Closes the connection.
    Hangup,
    /// Leaves the connection open.
    Silence,
}

impl Answer {
    /// A well-formed answer, after which the connection is closed, as it says.
    pub(crate) fn new(status: u16, content_type: &str, body: &str) -> Self {
        Self::Bytes(well_formed(status, content_type, body, "Connection: close\r\n"))
    }

    /// A JSON answer whose connection stays for the next request.
    pub(crate) fn then_next(status: u16, body: &str) -> Self {
        Self::ThenNext(well_formed(status, "application/json", body, ""))
    }

    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::new(status, "application/json", body)
    }

    /// An endless body behind the header field `framing`.
    pub(crate) fn flood(framing: &str) -> Self {
        let piece = "x".repeat(4096);
        let piece = if framing.contains("chunked") {
            format!("1000\r\n{piece}\r\n")
        } else {
            piece
        };
        Self::Flood(
            format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").into_bytes(),
            piece.into_bytes(),
        )
    }
}

fn well_formed(status: u16, content_type: &str, body: &str, more: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{more}\r\n{body}")
        .into_bytes()
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Which connection it came over, counted from the first.
    pub(crate) connection: usize,
}

impl Received {
    /// The value of the header field `name` (in lower case), when it came exactly once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    /// The body as a form, in the order of its fields.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// Answers each request with the next of its answers; beyond the last, with `500`.
pub(crate) struct ScriptedServer {
    port: u16,
    requests: Arc<Mutex<Vec<Received>>>,
    script: Arc<Mutex<VecDeque<Answer>>>,
    tasks: JoinSet<()>,
}

impl ScriptedServer {
    pub(crate) async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let (requests, script) = (Arc::clone(&requests), Arc::clone(&script));
            async move {
                let mut connections = JoinSet::new();
                for connection in 0.. {
                    let Ok((stream, _)) = listener.accept().await else {
                        return;
                    };
                    let (requests, script) = (Arc::clone(&requests), Arc::clone(&script));
                    connections.spawn(async move { serve(stream, connection, &requests, &script).await });
                }
            }
        });
        Self {
            port,
            requests,
            script,
            tasks,
        }
    }

    /// Adds to the script.
    pub(crate) fn then(&self, answer: Answer) {
        self.script.lock().unwrap().push_back(answer);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `magento.localhost` and the port.
    pub(crate) fn authority(&self) -> String {
        format!("magento.localhost:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority())
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests came.
    pub(crate) fn hits(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// What comes of `call` when the clock stops with the first request, and from there goes from timer to timer: a call that is not
    /// answered ends by its time-out at once.
    pub(crate) async fn without_waiting<T>(&self, call: impl Future<Output = T>) -> T {
        let mut call = pin!(call);
        tokio::select! {
            outcome = &mut call => return outcome,
            () = self.asked() => tokio::time::pause(),
        }
        call.await
    }

    /// Waits until a request has come.
    pub(crate) async fn asked(&self) {
        while self.hits() == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Closes the listener and every connection.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    requests: &Mutex<Vec<Received>>,
    script: &Mutex<VecDeque<Answer>>,
) {
    while let Some(request) = receive(&mut stream, connection).await {
        requests.lock().unwrap().push(request);
        let answer = script
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or_else(|| Answer::new(500, "text/plain", "script ended"));
        match answer {
            Answer::ThenNext(bytes) => {
                let _ = stream.write_all(&bytes).await;
                continue;
            }
            Answer::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
            }
            Answer::ThenSilence(bytes) => {
                let _ = stream.write_all(&bytes).await;
                std::future::pending::<()>().await;
            }
            Answer::Flood(head, piece) => {
                let mut outcome = stream.write_all(&head).await;
                while outcome.is_ok() {
                    outcome = stream.write_all(&piece).await;
                }
            }
            Answer::Hangup => {}
            Answer::Silence => std::future::pending().await,
        }
        return;
    }
}

/// Reads one request; `None` when what comes is not HTTP.
async fn receive(stream: &mut TcpStream, connection: usize) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_length = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 || !bytes[0].is_ascii_uppercase() {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_length].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut request_line = lines.next()?.split(' ');
    let (method, target) = (request_line.next()?.to_owned(), request_line.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < head_length + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_length..].to_vec()).ok()?;
    Some(Received {
        method,
        target,
        headers,
        body,
        connection,
    })
}

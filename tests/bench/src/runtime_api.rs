//! Lambda's Runtime API, for one process at a time.

use std::{convert::Infallible, io, net::Ipv4Addr, rc::Rc, time::Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::{self, JoinHandle},
};

use crate::process::now;

/// What a process says.
pub(crate) enum Said {
    /// It asks for the next event; the answer goes here.
    Next(oneshot::Sender<String>),
    /// It answers the event it was given.
    Answer { body: String, at: Instant },
    /// It failed.
    Failure(String),
}

/// The server. It ends with this value.
pub(crate) struct RuntimeApi {
    pub(crate) authority: String,
    said: mpsc::UnboundedReceiver<Said>,
    server: JoinHandle<()>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let authority = listener.local_addr()?.to_string();
        let (sender, said) = mpsc::unbounded_channel();
        let server = task::spawn_local(async move {
            let sender = Rc::new(sender);
            while let Ok((stream, _)) = listener.accept().await {
                let sender = Rc::clone(&sender);
                // Without Nagle's algorithm, as Lambda's; where that cannot be had it is only slower.
                let _ = stream.set_nodelay(true);
                task::spawn_local(async move {
                    let answer = service_fn(|request| answer(request, Rc::clone(&sender)));
                    // A process that goes away ends its connection, as it should.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
        });
        Ok(Self {
            authority,
            said,
            server,
        })
    }

    /// What the process says next; `None` never comes while this value lives.
    pub(crate) async fn said(&mut self) -> Option<Said> {
        self.said.recv().await
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    said: Rc<mpsc::UnboundedSender<Said>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let at = now();
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = head.uri.path();
    if path.ends_with("/next") {
        let (give, given) = oneshot::channel();
        // Nobody listens any more once the measurement is over; the process is ended then.
        let _ = said.send(Said::Next(give));
        let event = given.await.unwrap_or_default();
        return Ok(Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", "4102444800000")
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:123456789012:function:bench",
            )
            .header("lambda-runtime-trace-id", "Root=1-5e6b4a90-1234567890abcdef12345678")
            .body(Full::from(event))
            .unwrap_or_default());
    }
    let _ = said.send(if path.ends_with("/response") {
        Said::Answer { body, at }
    } else {
        Said::Failure(format!("{path}: {body}"))
    });
    let mut accepted = Response::new(Full::from(r#"{"status":"OK"}"#));
    *accepted.status_mut() = StatusCode::ACCEPTED;
    Ok(accepted)
}

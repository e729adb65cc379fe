//! The databases a test runs against: the engine that the local stack embeds, and AWS's own DynamoDB Local.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use account_linking::{
    aws::AwsEnvironment,
    clock::{Deadline, SystemRandomness, random_bytes},
    table::{CallLimits, Table},
};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{OnceCell, oneshot},
};

use crate::iam::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, signature};

/// How long an engine may take to start, and a single call of a test's own.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The engine that the local stack embeds, in memory.
    Embedded,
    /// AWS's DynamoDB Local, a Java program: the one that `DYNAMODB_LOCAL_ENDPOINT` names, else one of this process's own, from where
    /// `tests/tools/dynamodb-local.sh install` put it.
    DynamoDbLocal,
}

impl Engine {
    /// Starts it, or joins the one that runs, with a table that no other test has.
    pub async fn start(self) -> Database {
        let (endpoint, shutdown) = match self {
            Self::Embedded => {
                let (endpoint, shutdown) = start_embedded().await;
                (endpoint, Some(shutdown))
            }
            Self::DynamoDbLocal => (dynamodb_local().await, None),
        };
        let database = Database {
            endpoint,
            table_name: fresh_table_name(),
            _shutdown: shutdown,
        };
        database
            .table()
            .create_if_absent(Deadline::within(PATIENCE))
            .await
            .expect("the table is created");
        database
    }
}

/// A database with an empty table. An embedded one ends with this value, DynamoDB Local with the process, what is deployed later.
#[derive(Debug)]
pub struct Database {
    /// Where it listens: `http://127.0.0.1:…`.
    pub endpoint: String,
    /// The table's name.
    pub table_name: String,
    _shutdown: Option<oneshot::Sender<()>>,
}

impl Database {
    /// The table that the functions at `endpoint` were deployed with.
    pub(crate) const fn deployed(endpoint: String, table_name: String) -> Self {
        Self {
            endpoint,
            table_name,
            _shutdown: None,
        }
    }

    /// The table as the functions use it, but with patience: a busy machine must not fail a test.
    pub fn table(&self) -> Table {
        self.table_through(&self.endpoint, patient())
    }

    /// The table as the functions use it, reached at `endpoint`, which leads here.
    pub fn table_through(&self, endpoint: &str, limits: CallLimits) -> Table {
        Table::connect(&aws_environment(endpoint), self.table_name.clone(), limits)
    }

    /// All items, as DynamoDB's JSON, by their keys in order.
    pub async fn items(&self) -> Vec<Value> {
        let mut answer = self.call("Scan", json!({"ConsistentRead": true})).await;
        assert!(
            answer.get("LastEvaluatedKey").is_none(),
            "a test's table fits into one page"
        );
        let Value::Array(mut items) = answer["Items"].take() else {
            panic!("no items in {answer}")
        };
        items.sort_by_key(|item| (item["pk"]["S"].to_string(), item["sk"]["S"].to_string()));
        items
    }

    /// Writes `item`, DynamoDB's JSON, whatever was there.
    pub async fn put(&self, item: Value) {
        self.call("PutItem", json!({"Item": item})).await;
    }

    /// Deletes all items.
    pub async fn clear(&self) {
        for item in self.items().await {
            let key = json!({"pk": item["pk"], "sk": item["sk"]});
            self.call("DeleteItem", json!({"Key": key})).await;
        }
    }

    /// Calls `operation` on the table in DynamoDB's own words, so that a test sees what is there, not what our code makes of it.
    pub async fn call(&self, operation: &str, mut request: Value) -> Value {
        request["TableName"] = json!(self.table_name);
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", &target),
        ];
        let answer = call_aws(&self.endpoint, "dynamodb", &headers, request.to_string()).await;
        serde_json::from_slice(&answer).expect("JSON")
    }
}

/// Posts `body` to `service` of the AWS that is at `endpoint`, and gives its answer.
pub(crate) async fn call_aws(endpoint: &str, service: &str, headers: &[(&str, &str)], body: String) -> Bytes {
    let authority = endpoint.trim_start_matches("http://");
    let headers = [&[("host", authority)], headers].concat();
    let method = Method::POST;
    let signature = signature(service, &method, endpoint, &headers, body.as_bytes(), SECRET_ACCESS_KEY);
    let signature = signature.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = headers.iter().copied().chain(signature).fold(
        Request::builder().method(method).uri(endpoint),
        |request, (name, value)| request.header(name, value),
    );
    let request = request.body(Full::<Bytes>::from(body)).expect("a request");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.expect("AWS answers");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a whole answer").to_bytes();
    assert!(
        status.is_success(),
        "{service}: {status} {}",
        String::from_utf8_lossy(&body)
    );
    body
}

/// The limits of the functions, but with all the time that a test's deadline leaves.
pub fn patient() -> CallLimits {
    CallLimits {
        attempt_timeout: PATIENCE,
        ..CallLimits::default()
    }
}

/// The variables of a function whose AWS is all at `endpoint`. DynamoDB Local takes any alphanumeric key.
pub fn aws_environment(endpoint: &str) -> AwsEnvironment {
    AwsEnvironment::from_lookup(&|name| {
        let value = match name {
            "AWS_REGION" => REGION,
            "AWS_ACCESS_KEY_ID" => ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY" => SECRET_ACCESS_KEY,
            "AWS_ENDPOINT_URL" => endpoint,
            _ => return None,
        };
        Some(value.to_owned())
    })
    .expect("everything required is given")
}

fn fresh_table_name() -> String {
    // Random, since several processes may share one DynamoDB Local.
    let id: [u8; 8] = random_bytes(&SystemRandomness::default()).expect("the system has randomness");
    format!("links-{:016x}", u64::from_be_bytes(id))
}

async fn start_embedded() -> (String, oneshot::Sender<()>) {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    let database = dynoxide::Database::memory().expect("an in-memory database");
    let (shutdown, requested) = oneshot::channel();
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async {
        // Ends with the message or with its sender, whichever goes first.
        let _ = requested.await;
    }));
    (format!("http://{address}"), shutdown)
}

/// The endpoint of DynamoDB Local.
async fn dynamodb_local() -> String {
    static OURS: OnceCell<DynamoDbLocal> = OnceCell::const_new();

    #[expect(
        clippy::disallowed_methods,
        reason = "which database a test run uses is the run's configuration"
    )]
    let given = env::var("DYNAMODB_LOCAL_ENDPOINT");
    match given {
        Ok(endpoint) => endpoint,
        Err(_) => OURS.get_or_init(DynamoDbLocal::start).await.endpoint.clone(),
    }
}

/// A Java process of our own.
#[derive(Debug)]
struct DynamoDbLocal {
    endpoint: String,
    /// The shell that watches over Java. Its standard input closes with this process, however it ends, and it ends Java then.
    _watch: Child,
}

impl DynamoDbLocal {
    const WATCH: &str = r#"java "$@" & java=$!; read -r _; kill $java"#;

    async fn start() -> Self {
        let home = installation();
        let address = free_address();
        let watch = Command::new("sh")
            .args(["-c", Self::WATCH, "dynamodb-local"])
            .arg(format!(
                "-Djava.library.path={}",
                home.join("DynamoDBLocal_lib").display()
            ))
            .arg("-jar")
            .arg(home.join("DynamoDBLocal.jar"))
            .args([
                "-inMemory",
                "-sharedDb",
                "-disableTelemetry",
                "-port",
                &address.port().to_string(),
            ])
            .current_dir(&home) // where it leaves a file
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell and Java");
        let deadline = Deadline::within(PATIENCE);
        while TcpStream::connect(address).await.is_err() {
            assert!(
                !deadline.left().is_zero(),
                "DynamoDB Local did not start; does `java -jar` work in {}?",
                home.display()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self {
            endpoint: format!("http://{address}"),
            _watch: watch,
        }
    }
}

fn installation() -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/dynamodb-local");
    assert!(
        home.join("DynamoDBLocal.jar").exists(),
        "DynamoDB Local is not installed; run tests/tools/dynamodb-local.sh install"
    );
    home
}

/// An address nobody listens at; whoever asks uses it at once.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound listener has an address")
}

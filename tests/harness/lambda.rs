//! The compiled functions behind `cargo lambda watch`, which plays API Gateway and Lambda's Runtime API to them.
//!
//! It differs from API Gateway in what the tests must know: a path without a route is never answered and of several headers of one
//! name only the first arrives, which [`Front`](crate::front::Front) makes good; the path is not percent-decoded, every form is
//! base64, the deadline it gives a call has long passed.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use account_linking::{clock::Deadline, config::Environment};
use tokio::net::TcpStream;

use crate::engines::free_address;

/// The variables of a function, as far as a local one has them (contract section 8), and those that Lambda sets for it.
const VARIABLES: [&str; 24] = [
    "ADDITIONAL_ROOTS",
    "PUBLIC_ORIGIN",
    "SETTINGS_URL",
    "SIGN_IN_URL",
    "SIGN_IN_COMPLETE_URL",
    "ONBOARDING_URL",
    "TABLE_NAME",
    "PROVIDERS",
    "FLOW_KEYS",
    "FLOW_KEYS_ARN",
    "SESSION_ISSUER",
    "SESSION_AUDIENCE",
    "SESSION_JWKS",
    "SESSION_JWKS_URL",
    "SESSION_COOKIE",
    "CONFIRM_LINK",
    "REAUTHENTICATE_AFTER_SECONDS",
    "LINKING_REQUIRED_FROM",
    "PROVIDER_TIMEOUT_MS",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
];

/// A proxy where nobody listens, by every name that clients look for: no function takes one from its environment (contract section 9).
const PROXY: &str = "http://127.0.0.1:9";
const PROXY_VARIABLES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
];

/// How long `cargo lambda watch` may take to listen.
const PATIENCE: Duration = Duration::from_mins(1);

/// The functions at work. They end with this value, or with the process.
#[derive(Debug)]
pub struct LambdaGateway {
    /// Where requests go.
    pub address: SocketAddr,
    _functions: Vec<Child>,
    _gateway: Child,
}

impl LambdaGateway {
    /// Starts every function that `cargo lambda build` has built, with the variables of `environment` and none of this process.
    pub async fn start(environment: &Environment) -> Self {
        let address = free_address();
        let gateway = watched(&workspace().join(".tools/python/bin/cargo-lambda"))
            .args(["lambda", "watch", "--only-lambda-apis", "--disable-cors", "--quiet"])
            .args([
                "--invoke-address",
                &address.ip().to_string(),
                "--invoke-port",
                &address.port().to_string(),
            ])
            .current_dir(workspace())
            .spawn()
            .expect("a shell");
        let deadline = Deadline::within(PATIENCE);
        while TcpStream::connect(address).await.is_err() {
            assert!(
                !deadline.left().is_zero(),
                "cargo lambda watch does not listen; does `make tools` help?"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Only now: a function that finds no Runtime API gives up.
        let start = |(name, bootstrap): (String, PathBuf)| {
            watched(&bootstrap)
                .env_clear()
                .envs(VARIABLES.iter().filter_map(|name| Some((name, environment.get(name)?))))
                .envs(PROXY_VARIABLES.map(|name| (name, PROXY)))
                .env("AWS_LAMBDA_RUNTIME_API", format!("http://{address}/.rt/{name}"))
                .env("AWS_LAMBDA_FUNCTION_NAME", name)
                .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
                .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
                .spawn()
                .expect("a shell")
        };
        Self {
            address,
            _functions: bootstraps().into_iter().filter(has_a_route).map(start).collect(),
            _gateway: gateway,
        }
    }
}

/// Whether a function is one that requests reach; the other is started by a schedule.
fn has_a_route((name, _): &(String, PathBuf)) -> bool {
    name != "rotate-flow-keys"
}

/// The functions by name, and their binaries as `cargo lambda build --release` leaves them.
pub fn bootstraps() -> Vec<(String, PathBuf)> {
    // The test runs from <target>/<profile>/deps.
    let test = env::current_exe().expect("a test knows its own path");
    let built = test.ancestors().nth(3).expect("a target folder").join("lambda");
    let functions = fs::read_dir(workspace().join("functions")).expect("the functions' folder");
    functions
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .map(|folder| {
            let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
            let bootstrap = built.join(&name).join("bootstrap");
            assert!(bootstrap.is_file(), "{name} is not built; does `make build` help?");
            (name, bootstrap)
        })
        .collect()
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests is a folder of the workspace")
}

/// Runs `program`, to which the caller adds arguments and variables, until the shell's standard input closes: with its [`Child`], or
/// with this process, however that ends.
fn watched(program: &Path) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", r#""$@" & child=$!; read -r _; kill $child"#, "watch"])
        .arg(program)
        .stdin(Stdio::piped());
    shell
}

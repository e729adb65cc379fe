//! `oidc-provider`, a certified OpenID provider nobody here wrote, started as Magento.com (see `tests/oidc-provider`).

use std::{collections::BTreeMap, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};

/// What a variant of the provider does differently.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// How ID tokens are signed: `RS256` or `ES256`.
    pub id_token_signed_response_alg: &'static str,
    /// Whether there is a pushed authorization request endpoint (RFC 9126).
    pub pushed_authorization_requests: bool,
}

impl Default for Variant {
    fn default() -> Self {
        Self {
            id_token_signed_response_alg: "RS256",
            pushed_authorization_requests: true,
        }
    }
}

/// The running provider; it ends with this value.
pub struct OidcProvider {
    /// Its issuer identifier, `http://magento.localhost:<port>`.
    pub issuer: String,
    commands: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _child: Child,
}

impl OidcProvider {
    /// Starts the provider on a free port. It knows no client yet.
    pub async fn start(variant: Variant) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/oidc-provider/provider.mjs");
        let pushed = if variant.pushed_authorization_requests {
            "yes"
        } else {
            "no"
        };
        let mut child = Command::new("node")
            .args(["--no-warnings", program])
            .env("ID_TOKEN_SIGNED_RESPONSE_ALG", variant.id_token_signed_response_alg)
            .env("PUSHED_AUTHORIZATION_REQUESTS", pushed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("starting node: {error}"));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped")
        };
        let mut lines = BufReader::new(output).lines();
        let ready = lines.next_line().await.ok().flatten().unwrap_or_default();
        let issuer = ready.strip_prefix("listening on ");
        let issuer = issuer.unwrap_or_else(|| panic!("the provider did not start; does `make tools` help? {ready}"));
        Self {
            issuer: issuer.to_owned(),
            commands: Mutex::new((input, lines)),
            _child: child,
        }
    }

    /// Registers a client with this metadata (OpenID Connect Dynamic Client Registration 1.0 section 2), in place of one with its id.
    pub async fn register(&self, client: Value) {
        let answer = self.command(json!({ "register": client })).await;
        assert_eq!(answer["registered"], client["client_id"]);
    }

    /// How many requests each path has had.
    pub async fn requests(&self) -> BTreeMap<String, u64> {
        let answer = self.command(json!({"requests": true})).await;
        serde_json::from_value(answer).unwrap_or_else(|error| panic!("the provider's counts: {error}"))
    }

    async fn command(&self, command: Value) -> Value {
        let mut commands = self.commands.lock().await;
        let (input, lines) = &mut *commands;
        let written = input.write_all(format!("{command}\n").as_bytes()).await;
        let answer = lines.next_line().await.ok().flatten();
        let answer = answer.unwrap_or_else(|| panic!("the provider has ended: {written:?}"));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error} in {answer}"))
    }
}

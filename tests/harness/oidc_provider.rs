//! `oidc-provider`, a certified OpenID provider nobody here wrote, started as Magento.com (see `tests/oidc-provider`).

use std::{collections::BTreeMap, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};

/// A private key that everybody knows (RFC 7515 appendix A.3), for `private_key_jwt`.
const CLIENT_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

/// The client's name and secret hold what careless encoding would break (RFC 6749 section 2.3.1).
const CLIENT_ID: &str = "accounts+linking:50%";
const CLIENT_SECRET: &str = "a secret/with=every+sort&of%character:in it";

/// What a variant of the provider does differently, and how our client is registered with it.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// How ID tokens are signed: `RS256` or `ES256`.
    pub id_token_signed_response_alg: &'static str,
    /// Whether there is a pushed authorization request endpoint (RFC 9126).
    pub pushed_authorization_requests: bool,
    /// How the client authenticates: `client_secret_basic`, `client_secret_post`, `private_key_jwt`, `none`.
    pub client_authentication: &'static str,
}

impl Default for Variant {
    fn default() -> Self {
        Self {
            id_token_signed_response_alg: "RS256",
            pushed_authorization_requests: true,
            client_authentication: "client_secret_basic",
        }
    }
}

impl Variant {
    /// `PROVIDERS` for the provider at `issuer`: nothing but what discovery cannot tell.
    pub fn providers(self, issuer: &str) -> Value {
        let mut provider = json!({
            "id": "magento",
            "name": "Magento.com",
            "issuer": issuer,
            "client_id": CLIENT_ID,
            "client_authentication": self.client_authentication,
        });
        match self.client_authentication {
            "none" => {}
            "private_key_jwt" => provider["client_key"] = client_key(),
            _ => provider["client_secret"] = json!(CLIENT_SECRET),
        }
        json!([provider])
    }

    /// Our client's metadata (OpenID Connect Dynamic Client Registration 1.0 section 2), when the service is at `origin`.
    pub fn client(self, origin: &str) -> Value {
        let mut client = json!({
            "client_id": CLIENT_ID,
            "redirect_uris": [format!("{origin}/sso/magento/callback")],
            "token_endpoint_auth_method": self.client_authentication,
        });
        match self.client_authentication {
            "none" => {}
            "private_key_jwt" => {
                let mut key = client_key();
                key.as_object_mut().map(|members| members.remove("d"));
                client["jwks"] = json!({"keys": [key]});
            }
            _ => client["client_secret"] = json!(CLIENT_SECRET),
        }
        client
    }
}

fn client_key() -> Value {
    serde_json::from_str(CLIENT_KEY).unwrap_or_else(|error| unreachable!("a literal: {error}"))
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

    /// Registers a client with this metadata, in place of one with its id.
    pub async fn register(&self, client: Value) {
        let answer = self.command(json!({ "register": client })).await;
        assert_eq!(answer["registered"], client["client_id"]);
    }

    /// The person with this subject has another address from now on.
    pub async fn change_email(&self, subject: &str, email: &str) {
        let command = json!({"change_email": {"sub": subject, "email": email}});
        assert_eq!(self.command(command).await["changed"], subject);
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

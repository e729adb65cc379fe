//! The stack as a whole: what is there when it says that it listens, and how it begins and ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::{ExitStatus, Stdio},
};

use account_linking::config::{ConfigError, Environment};
use local_stack::{Stack, StartError};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
};

fn environment(variables: &[(&str, &str)]) -> Environment {
    [("PORT", "0")]
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Status line, headers and body of what `host` at this port answers.
async fn get(port: &str, host: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    response
}

fn port_of(origin: &str) -> String {
    origin.rsplit_once(':').unwrap().1.to_owned()
}

#[tokio::test]
async fn every_part_answers_once_the_stack_has_started() {
    let stack = Stack::start(environment(&[])).await.unwrap();
    let port = port_of(stack.origin());
    assert_eq!(stack.origin(), format!("http://accounts.localhost:{port}"));
    assert_eq!(
        stack.provider_origin(),
        Some(format!("http://magento.localhost:{port}").as_str())
    );

    for (host, path, status, part) in [
        ("accounts.localhost", "/", "303 See Other", "location: /user"),
        ("accounts.localhost", "/sign-in", "200 OK", "alice@example.com"),
        (
            "accounts.localhost",
            "/sso/magento/status",
            "401 Unauthorized",
            "session_required",
        ),
        (
            "accounts.localhost",
            "/sso/nobody/status",
            "404 Not Found",
            "unknown_provider",
        ),
        (
            "accounts.localhost",
            "/sso/magento/unheard-of",
            "404 Not Found",
            r#"{"message":"Not Found"}"#,
        ),
        (
            "magento.localhost",
            "/.well-known/openid-configuration",
            "200 OK",
            "authorization_endpoint",
        ),
        ("magento.localhost", "/sso/magento/status", "404 Not Found", ""),
        ("ACCOUNTS.localhost", "/sign-in", "200 OK", "alice@example.com"),
        ("127.0.0.1", "/", "421 Misdirected Request", "http://accounts.localhost"),
        ("evil.example", "/sign-in", "421 Misdirected Request", ""),
    ] {
        let response = get(&port, host, path).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{host}{path}: {response}"
        );
        assert!(response.contains(part), "{host}{path}: {response}");
    }
    stack.shutdown().await;
    assert!(TcpStream::connect(format!("127.0.0.1:{port}")).await.is_err());
}

#[tokio::test]
async fn every_mistake_is_told_at_once_and_by_name() {
    let wrong = environment(&[
        ("PORT", "http"),
        ("PUBLIC_ORIGIN", "https://accounts.example"),
        ("REAUTHENTICATE_AFTER_SECONDS", "0"),
        ("PROVIDERS", "[]"),
        ("SETTINGS_URL", "/user"),
        ("LINKING_REQUIRED_FROM", "soon"),
    ]);
    let Err(StartError::Configuration(ConfigError(mistakes))) = Stack::start(wrong).await else {
        panic!("it must not start");
    };
    // More than one function may say it, each in its words.
    let mut names: Vec<&str> = mistakes
        .iter()
        .filter_map(|mistake| mistake.split(' ').next())
        .collect();
    names.sort_unstable();
    names.dedup();
    let expected = [
        "LINKING_REQUIRED_FROM",
        "PORT",
        "PROVIDERS",
        "PUBLIC_ORIGIN",
        "REAUTHENTICATE_AFTER_SECONDS",
        "SETTINGS_URL",
    ];
    assert_eq!(names, expected, "{mistakes:#?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let first = Stack::start(environment(&[])).await.unwrap();
    let error = Stack::start(environment(&[("PORT", &port_of(first.origin()))]))
        .await
        .err()
        .unwrap();
    assert!(
        matches!(error, StartError::Listen { .. }) && error.to_string().contains("PORT"),
        "{error}"
    );
}

#[tokio::test]
async fn a_stack_starts_on_what_an_earlier_one_left() {
    let folder = std::env::temp_dir().join(format!("local-stack-data-{}", std::process::id()));
    for _ in 0..2 {
        let stack = Stack::start(environment(&[("DATA_DIR", folder.to_str().unwrap())]))
            .await
            .unwrap();
        stack.shutdown().await;
    }
    assert!(folder.join("dynamodb.sqlite").exists());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn nobody_else_reads_the_keys_that_are_kept() {
    let folder = std::env::temp_dir().join(format!("local-stack-keys-{}", std::process::id()));
    let keys = folder.join("keys.json");
    let start = async || {
        let environment = environment(&[("DATA_DIR", folder.to_str().unwrap())]);
        Stack::start(environment).await.unwrap().shutdown().await;
        fs::metadata(&keys).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(start().await, 0o600);
    // What an earlier stack left, whole or half written, for everybody to read.
    fs::write(folder.join("keys.new"), "half").unwrap();
    for left in [folder.join("keys.new"), keys.clone()] {
        fs::set_permissions(left, Permissions::from_mode(0o644)).unwrap();
    }
    assert_eq!(start().await, 0o600);
    fs::remove_dir_all(folder).unwrap();
}

fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local-stack"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn end_by(signal: &str) -> ExitStatus {
    let mut process = command(&[("PORT", "0")]).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    assert!(line.starts_with("listening on http://accounts.localhost:"), "{line}");
    // A browser that keeps its connection open must not keep the stack.
    let idle = TcpStream::connect(format!("127.0.0.1:{}", port_of(&line)))
        .await
        .unwrap();

    let id = process.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    let status = process.wait().await.unwrap();
    assert_eq!(lines.next_line().await.unwrap(), None, "it says one line and no more");
    drop(idle);
    status
}

#[tokio::test]
async fn the_process_says_where_it_listens_and_ends_well() {
    for signal in ["-INT", "-TERM"] {
        assert_eq!(end_by(signal).await.code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn the_process_refuses_a_wrong_configuration() {
    let wrong = [
        ("PORT", "0"),
        ("REAUTHENTICATE_AFTER_SECONDS", "0"),
        ("LINKING_REQUIRED_FROM", "soon"),
    ];
    let output = command(&wrong).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).unwrap();
    let mut names: Vec<&str> = told.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["LINKING_REQUIRED_FROM", "REAUTHENTICATE_AFTER_SECONDS"],
        "{told}"
    );
}

#[tokio::test]
async fn a_stack_whose_log_nobody_reads_any_more_goes_on() {
    let mut process = command(&[("PORT", "0")]).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let port = port_of(&lines.next_line().await.unwrap().unwrap());
    drop(lines);
    for _ in 0..2 {
        let answer = get(&port, "accounts.localhost", "/sso/magento/status").await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
}

//! Who is measured.

use std::path::{Path, PathBuf};

use crate::{
    process::Subject,
    world::{FLOW_KEYS, FlowFormat, Work, World},
};

/// The empty function, and the three of a linking journey.
pub(crate) fn functions(world: &World) -> Vec<Subject> {
    let given_keys = ("FLOW_KEYS", FLOW_KEYS.to_owned());
    let fetched_keys = (
        "FLOW_KEYS_ARN",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:flow-keys".to_owned(),
    );
    let function = |name, function, work, keys| {
        let mut variables = world.variables();
        variables.push(keys);
        Subject {
            name,
            program: bootstrap(function),
            arguments: Vec::new(),
            variables,
            work,
            is_checked: function != "empty",
            flow_format: FlowFormat::Ours,
        }
    };
    vec![
        function("empty", "empty", Work::Status, given_keys.clone()),
        function("start-link", "start-link", Work::StartLink, given_keys.clone()),
        function(
            "start-link, keys from Secrets Manager",
            "start-link",
            Work::StartLink,
            fetched_keys,
        ),
        function("status", "status", Work::Status, given_keys.clone()),
        function("callback", "callback", Work::Callback, given_keys),
    ]
}

/// The same work in Node and Python.
pub(crate) fn peers(world: &World) -> Vec<Subject> {
    let peer = |name, program: PathBuf, file: &str, work, roots: &[&'static str]| {
        let mut variables = world.variables();
        variables.push(("FLOW_KEYS", FLOW_KEYS.to_owned()));
        variables.push(("NODE_NO_WARNINGS", "1".to_owned())); // the SDK says at every start which Node it will want next year
        let pem = world.upstream.roots.display().to_string();
        variables.extend(roots.iter().map(|name| (*name, pem.clone())));
        let file = folder().join("peers").join(file);
        Subject {
            name,
            program,
            arguments: vec![file.display().to_string()],
            variables,
            work,
            is_checked: true,
            flow_format: FlowFormat::Peers,
        }
    };
    let python = || workspace().join(".tools/peers/bin/python");
    let (node_roots, python_roots) = (["NODE_EXTRA_CA_CERTS"], ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"]);
    vec![
        peer(
            "Node status",
            on_the_path("node"),
            "node/dist/status.mjs",
            Work::Status,
            &node_roots,
        ),
        peer(
            "Node callback",
            on_the_path("node"),
            "node/dist/callback.mjs",
            Work::Callback,
            &node_roots,
        ),
        peer(
            "Python status",
            python(),
            "python/status.py",
            Work::Status,
            &python_roots,
        ),
        peer(
            "Python callback",
            python(),
            "python/callback.py",
            Work::Callback,
            &python_roots,
        ),
    ]
}

/// What `make build` leaves of `function`.
pub(crate) fn bootstrap(function: &str) -> PathBuf {
    workspace().join("target/lambda").join(function).join("bootstrap")
}

/// The names of all functions.
pub(crate) fn all_functions() -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(workspace().join("functions"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn on_the_path(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| program.into())
}

/// `tests/bench`.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The root of the repository.
pub(crate) fn workspace() -> PathBuf {
    folder().join("../..")
}

#!/bin/sh
# Says everything that this machine lacks and that nothing here installs; succeeds when it lacks nothing.
set -u

missing=
need() {
    what=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing
  $what"
}

java_17() {
    major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge 17 ]
}

need "Rust with cargo" cargo --version
need "a C compiler, as cc" cc --version
need "clippy (rustup component add clippy)" cargo clippy --version
need "rustfmt (rustup component add rustfmt)" cargo fmt --version
need "cargo-nextest (cargo install --locked cargo-nextest)" cargo nextest --version
need "Node 20 or newer" node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)'
need "npm" npm --version
need "Python 3.11 or newer with venv" python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
need "Java 17 or newer" java_17

if [ -n "$missing" ]; then
    echo "This machine lacks:$missing" >&2
    exit 1
fi

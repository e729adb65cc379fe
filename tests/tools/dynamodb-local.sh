#!/bin/sh
# AWS's own DynamoDB Local, which the table's tests run against beside the embedded engine.
#
#   dynamodb-local.sh install         unpacks it into .tools/dynamodb-local, unless it is there
#   dynamodb-local.sh with COMMAND…   runs COMMAND with one instance for all its processes, told by DYNAMODB_LOCAL_ENDPOINT
#
# An npm package carries it; only its archive is taken, and no install script runs. Needs npm, Python 3 and Java 17.
set -eu

package=amplify-dynamodb-simulator-2.9.30
sha512=c5379e44bbf311fab2779961ddb1f8734907bd21c79a6843e590ec1c5280439836665e89aa515dbad6908422c7cf1129e91cb5a3b4c1ea7888a17b9002749ec1

root=$(cd "$(dirname "$0")/../.." && pwd)
home=$root/.tools/dynamodb-local

install() {
    if [ "$(cat "$home/package" 2>/dev/null)" = "$package" ]; then
        touch "$home/package" # newer than this script, for make
        return
    fi
    mkdir -p "$root/.tools"
    unpacked=$(mktemp -d "$root/.tools/unpacking.XXXXXX")
    trap 'rm -rf "$unpacked"' EXIT
    (cd "$unpacked" && npm pack --silent "${package%-*}@${package##*-}" >/dev/null)
    echo "$sha512  $unpacked/$package.tgz" | sha512sum --check --quiet
    tar -xzf "$unpacked/$package.tgz" -C "$unpacked" --strip-components=2 package/emulator
    rm "$unpacked/$package.tgz"
    echo "$package" >"$unpacked/package"
    # The folder appears complete or not at all.
    rm -rf "$home"
    mv "$unpacked" "$home"
    trap - EXIT
}

with() {
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    # In its own folder, since it leaves a file where it runs.
    (cd "$home" && exec java -Djava.library.path=DynamoDBLocal_lib -jar DynamoDBLocal.jar \
        -inMemory -sharedDb -disableTelemetry -port "$port" >/dev/null 2>&1 </dev/null) &
    java=$!
    trap 'kill "$java" 2>/dev/null' EXIT
    trap 'exit 130' INT TERM
    until python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null; do
        kill -0 "$java" 2>/dev/null || { echo "DynamoDB Local did not start" >&2; exit 1; }
        sleep 0.2
    done
    DYNAMODB_LOCAL_ENDPOINT=http://127.0.0.1:$port "$@"
}

case ${1-} in
install) install ;;
with)
    shift
    install
    with "$@"
    ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

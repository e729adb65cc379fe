"""Starts the local stack, signs Alice in, and lets schemathesis ask it whatever infra/openapi.yaml allows and forbids."""

import http.client
import os
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

HERE = Path(__file__).parent
WORKSPACE = HERE.parent.parent
ALICE = "acct:7QXW-2LMD#A1"


def session(host: str) -> str:
    """The cookie that the accounts site gives Alice."""
    connection = http.client.HTTPConnection("127.0.0.1", int(host.rsplit(":", 1)[1]))
    form = urllib.parse.urlencode({"return_to": "settings", "account": ALICE})
    headers = {"Host": host, "Origin": f"http://{host}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/sign-in", form, headers)
    return connection.getresponse().getheader("Set-Cookie").split(";")[0]


def main() -> int:
    target = Path(os.environ.get("CARGO_TARGET_DIR", WORKSPACE / "target"))
    caller = {"AWS_ACCESS_KEY_ID": "AKIATESTS", "AWS_SECRET_ACCESS_KEY": "tests' own", "AWS_REGION": "eu-west-1"}
    with subprocess.Popen([target / "debug" / "local-stack"], env={"PORT": "0", **caller}, stdout=subprocess.PIPE) as stack:
        try:
            origin = stack.stdout.readline().decode().removeprefix("listening on ").strip()
            # A stack whose log nobody reads would stop when the pipe is full.
            threading.Thread(target=stack.stdout.read, daemon=True).start()
            host = origin.removeprefix("http://")
            # By address: the system's resolver does not know names under .localhost everywhere.
            address = f"http://127.0.0.1:{host.rsplit(':', 1)[1]}"
            return subprocess.call(
                ["schemathesis", "--config-file", HERE / "schemathesis.toml", "run", WORKSPACE / "infra/openapi.yaml"]
                + ["--url", address, "--header", f"Host: {host}", "--no-color"],
                cwd=HERE,
                env={**os.environ, **caller, "HOST": host, "SESSION": session(host), "PYTHONDONTWRITEBYTECODE": "1"},
            )
        finally:
            stack.terminate()


sys.exit(main())

#!/usr/bin/env python3
"""Asks a deployment what it must answer to anybody; writes nothing, and needs nobody signed in.

    smoke.py URL [PROVIDER]

URL is PUBLIC_ORIGIN, or the API's own before anything leads there. Ends in 1 when an answer is not what it must be.
"""

import http.client
import json
import sys
import urllib.parse

# Whoever asks redeems nothing: the challenge of a verifier that nobody has.
CHALLENGE = "A" * 43


class Deployment:
    def __init__(self, url):
        self.url = urllib.parse.urlsplit(url)

    def ask(self, method, path, headers=None, body=None):
        tls = self.url.scheme == "https"
        # Resolvers need not know the names under localhost.
        host = "127.0.0.1" if self.url.hostname.endswith(".localhost") else self.url.hostname
        connection = (http.client.HTTPSConnection if tls else http.client.HTTPConnection)(host, self.url.port, timeout=15)
        try:
            connection.request(method, path, body, {"Host": self.url.netloc, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def code_of(body):
    try:
        return json.loads(body).get("code")
    except (ValueError, AttributeError):
        return None


def status_wants_a_session(deployment, provider):
    status, headers, body = deployment.ask("GET", f"/sso/{provider}/status", {"Accept": "application/json"})
    return (status, code_of(body), headers["Cache-Control"]) == (401, "session_required", "no-store")


def start_link_refuses_another_origin(deployment, provider):
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": "https://elsewhere.example",
    }
    status, _, body = deployment.ask("POST", f"/sso/{provider}/start-link", headers, "intent=sign-in")
    return (status, code_of(body)) == (403, "cross_origin_request")


def sign_in_leads_to_the_provider(deployment, provider):
    """So the flow's keys could be read, the provider answers discovery and, where it takes pushed requests, knows the client."""
    status, headers, _ = deployment.ask("GET", f"/sso/{provider}/sign-in?challenge={CHALLENGE}", {"Accept": "text/html"})
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(headers["Location"] or "").query)
    return status == 303 and "client_id" in query and "sso" not in query


def servers_must_sign(deployment, _):
    status, _, _ = deployment.ask("POST", "/sso/tickets/redeem", {"Content-Type": "application/json"}, "{}")
    return status == 403


CHECKS = [
    status_wants_a_session,
    start_link_refuses_another_origin,
    sign_in_leads_to_the_provider,
    servers_must_sign,
]


def main(url, provider="magento"):
    failed = False
    for check in CHECKS:
        try:
            passed, why = check(Deployment(url), provider), ""
        except (OSError, http.client.HTTPException) as error:
            passed, why = False, f" ({error})"
        failed |= not passed
        print(f"{'ok   ' if passed else 'WRONG'} {check.__name__.replace('_', ' ')}{why}")
    return failed


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

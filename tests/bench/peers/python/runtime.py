"""Lambda's Runtime API in fifteen lines, and what both functions share."""

import base64
import http.client
import json
import os
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwt
from joserfc.jwk import KeySet


def serve(handle):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    base = "/2018-06-01/runtime/invocation"
    while True:
        connection.request("GET", f"{base}/next")
        response = connection.getresponse()
        event = json.loads(response.read())
        request_id = response.headers["lambda-runtime-aws-request-id"]
        try:
            body, path = json.dumps(handle(event)), "response"
        except Exception as error:
            body, path = json.dumps({"errorMessage": repr(error)}), "error"
        connection.request("POST", f"{base}/{request_id}/{path}", body)
        connection.getresponse().read()


SESSION_KEYS = KeySet.import_key_set(json.loads(os.environ["SESSION_JWKS"]))
SESSION_CLAIMS = jwt.JWTClaimsRegistry(
    leeway=30,
    iss={"essential": True, "value": os.environ["SESSION_ISSUER"]},
    aud={"essential": True, "value": os.environ["SESSION_AUDIENCE"]},
    exp={"essential": True},
)


def cookies(event):
    return dict(cookie.split("=", 1) for cookie in event["cookies"])


def session(kept):
    token = jwt.decode(kept["__Host-accounts-session"], SESSION_KEYS, algorithms=["ES256", "RS256", "EdDSA"])
    SESSION_CLAIMS.validate(token.claims)
    return token.claims


FLOW_KEY = AESGCM(base64.b64decode(os.environ["FLOW_KEYS"]))


def open_sealed(name, sealed):
    data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    return json.loads(FLOW_KEY.decrypt(data[:12], data[12:], name.encode()))


SECURED = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
}


def answer_json(value):
    return {
        "statusCode": 200,
        "headers": SECURED | {"content-type": "application/json"},
        "body": json.dumps(value, separators=(",", ":")),
    }


def see_other(location, set_cookies=()):
    return {"statusCode": 303, "headers": SECURED | {"location": location}, "cookies": list(set_cookies), "body": ""}


def log(**record):
    print(json.dumps({"timestamp": time.time(), "level": "INFO"} | record), flush=True)

"""The callback as one would write it in Python: Authlib redeems, joserfc verifies, one claim, one transaction."""

import json
import os
import time
import uuid
from urllib.parse import parse_qs

import boto3
import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from runtime import cookies, log, open_sealed, see_other, serve, session

database = boto3.client("dynamodb", region_name=os.environ["AWS_REGION"])
provider = json.loads(os.environ["PROVIDERS"])[0]
table = os.environ["TABLE_NAME"]
oauth = OAuth2Session(
    provider["client_id"], provider["client_secret"], token_endpoint_auth_method="client_secret_basic"
)
redirect_uri = f"{os.environ['PUBLIC_ORIGIN']}/sso/{provider['id']}/callback"
keys = KeySet.import_key_set(requests.get(provider["jwks_uri"], timeout=3).json())


def verified(id_token, nonce):
    token = jwt.decode(id_token, keys, algorithms=["ES256"])
    claims = jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": provider["issuer"]},
        aud={"essential": True, "value": provider["client_id"]},
        nonce={"essential": True, "value": nonce},
        exp={"essential": True},
        iat={"essential": True},
    )
    claims.validate(token.claims)
    return token.claims


def handle(event):
    query = {name: value for name, [value] in parse_qs(event["rawQueryString"]).items()}
    kept = cookies(event)
    name = f"__Host-sso-flow-{query['state'][:8]}"
    flow = open_sealed(name, kept[name])
    account = session(kept)
    if (
        flow["state"] != query["state"]
        or flow["started_at"] < (time.time() - 600) * 1000
        or (flow["account"], flow["session"]) != (account["sub"], account["sid"])
    ):
        raise ValueError("flow_unknown")

    database.put_item(
        TableName=table,
        Item={
            "pk": {"S": f"FLOW#{flow['id']}"},
            "sk": {"S": "CLAIM"},
            "expires_at": {"N": str(int(time.time()) + 86_400)},
        },
        ConditionExpression="attribute_not_exists(pk)",
    )
    if query["iss"] != provider["issuer"]:
        raise ValueError("identity_invalid")
    tokens = oauth.fetch_token(
        provider["token_endpoint"],
        code=query["code"],
        code_verifier=flow["code_verifier"],
        redirect_uri=redirect_uri,
        grant_type="authorization_code",
        timeout=3,
    )
    identity = verified(tokens["id_token"], flow["nonce"])
    if not identity["email_verified"] or identity["email"].lower() != account["email"].lower():
        raise ValueError("confirm")

    now = {"N": str(int(time.time() * 1000))}
    database.transact_write_items(
        ClientRequestToken=str(uuid.uuid4()),
        TransactItems=[
            {
                "Update": {
                    "TableName": table,
                    "Key": {"pk": {"S": f"ACCOUNT#{account['sub']}"}, "sk": {"S": f"LINK#{provider['id']}"}},
                    "UpdateExpression": "SET issuer = :issuer, subject = :subject,"
                    " linked_at = if_not_exists(linked_at, :now), email = :email",
                    "ConditionExpression": "(attribute_not_exists(issuer) OR (issuer = :issuer AND subject = :subject))"
                    " AND (attribute_not_exists(flows_valid_after) OR flows_valid_after < :started_at)",
                    "ExpressionAttributeValues": {
                        ":issuer": {"S": identity["iss"]},
                        ":subject": {"S": identity["sub"]},
                        ":email": {"S": identity["email"]},
                        ":now": now,
                        ":started_at": {"N": str(flow["started_at"])},
                    },
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            {
                "Put": {
                    "TableName": table,
                    "Item": {
                        "pk": {"S": f"IDENTITY#{identity['iss']}#{identity['sub']}"},
                        "sk": {"S": "OWNER"},
                        "account_id": {"S": account["sub"]},
                        "email": {"S": identity["email"]},
                    },
                    "ConditionExpression": "attribute_not_exists(pk) OR account_id = :account",
                    "ExpressionAttributeValues": {":account": {"S": account["sub"]}},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            {
                "Put": {
                    "TableName": table,
                    "Item": {
                        "pk": {"S": f"ACCOUNT#{account['sub']}"},
                        "sk": {"S": f"EVENT#{flow['id']}"},
                        "at": now,
                        "kind": {"S": "linked"},
                        "provider": {"S": provider["id"]},
                    },
                    "ConditionExpression": "attribute_not_exists(pk)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
        ],
    )
    log(function="callback", outcome="linked", **{"flow.id": flow["id"]})
    cleared = f"{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
    return see_other(f"{os.environ['SETTINGS_URL']}?sso=linked&provider={provider['id']}", [cleared])


serve(handle)

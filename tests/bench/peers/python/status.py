"""The status endpoint as one would write it in Python: session verified, one strongly consistent read."""

import json
import os
import re
import time
from datetime import datetime, timezone

import boto3

from runtime import answer_json, cookies, log, serve, session

database = boto3.client("dynamodb", region_name=os.environ["AWS_REGION"])
provider = json.loads(os.environ["PROVIDERS"])[0]


def handle(event):
    account = session(cookies(event))
    item = database.get_item(
        TableName=os.environ["TABLE_NAME"],
        Key={"pk": {"S": f"ACCOUNT#{account['sub']}"}, "sk": {"S": f"LINK#{provider['id']}"}},
        ConsistentRead=True,
    ).get("Item")
    link = None
    if item and "issuer" in item:
        linked_at = datetime.fromtimestamp(int(item["linked_at"]["N"]) / 1000, timezone.utc)
        link = {"linked_at": linked_at.isoformat(), "email": re.sub(r"^(.).*@", r"\1***@", item["email"]["S"])}
    outcome = "linked" if link else "not_linked"
    log(function="status", outcome=outcome)
    return answer_json(
        {
            "provider": {"id": provider["id"], "name": provider["name"]},
            "status": outcome,
            "link": link,
            "requirement": {"required": True, "since": "2020-04-01T00:00:00Z", "exempt_until": None},
            "actions": {
                "start_link": f"/sso/{provider['id']}/start-link",
                "unlink": f"/sso/{provider['id']}/unlink",
            },
            "reauthenticate": os.environ["SIGN_IN_URL"] if account["auth_time"] < time.time() - 3600 else None,
        }
    )


serve(handle)

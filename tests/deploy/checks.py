"""What is deployed, seen from AWS's side, once the journeys have gone through it. `deployed.py` runs this."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import unittest

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOYED = json.loads(os.environ["DEPLOYED"])
FUNCTIONS = sorted(folder.parent.name for folder in ROOT.glob("functions/*/Cargo.toml"))


def resources():
    stack = boto3.client("cloudformation").describe_stack_resources(StackName=DEPLOYED["stack_name"])
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in stack["StackResources"]}


@contextlib.contextmanager
def local_stack():
    """The provider, outside of what is deployed."""
    environment = {
        **os.environ,
        "PORT": str(DEPLOYED["stack_port"]),
        "PUBLIC_ORIGIN": DEPLOYED["parameters"]["PublicOrigin"],
        "DATA_DIR": DEPLOYED["data_dir"],
    }
    with subprocess.Popen([ROOT / "target/debug/local-stack"], env=environment, stdout=subprocess.PIPE, text=True) as stack:
        try:
            assert stack.stdout.readline().startswith("listening on "), "the local stack does not start"
            yield
        finally:
            stack.terminate()


def smoke(url):
    return subprocess.run([sys.executable, ROOT / "infra/smoke.py", url], capture_output=True, text=True)


def calls(path, credentials):
    """Calls the API's own domain as a server does, signed unless there are no credentials."""
    request = AWSRequest("GET", f"http://{DEPLOYED['api_host']}{path}", headers={"Host": DEPLOYED["api_host"]})
    if credentials:
        SigV4Auth(credentials, "execute-api", os.environ["AWS_DEFAULT_REGION"]).add_auth(request)
    port = int(DEPLOYED["endpoint"].rsplit(":", 1)[1])
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=15)) as connection:
        connection.request("GET", path, headers=dict(request.headers))
        answer = connection.getresponse()
        return answer.status, answer.read()


class Deployment(unittest.TestCase):
    def test_the_smoke_test_passes_here_and_nowhere_else(self):
        with local_stack():
            here, elsewhere = smoke(f"http://{DEPLOYED['api_host']}"), smoke(DEPLOYED["endpoint"])
        self.assertEqual(here.returncode, 0, here.stdout + here.stderr)
        self.assertNotIn("WRONG", here.stdout)
        self.assertEqual((elsewhere.returncode, elsewhere.stdout.count("WRONG")), (1, 4), elsewhere.stdout)

    def test_servers_must_sign(self):
        account = base64.urlsafe_b64encode(b"nobody").decode().rstrip("=")
        status, body = calls(f"/sso/magento/accounts/{account}", boto3.Session().get_credentials())
        self.assertEqual((status, json.loads(body)["status"]), (200, "not_linked"))
        self.assertEqual(calls(f"/sso/magento/accounts/{account}", None)[0], 403)

    def test_the_key_that_seals_is_the_one_that_the_rotation_made(self):
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=resources()["FlowKeys"])
        self.assertRegex(secret["SecretString"], r"^[A-Za-z0-9+/]{43}=$")

    def test_the_pipe_leads_from_the_stream_of_events_to_the_bus(self):
        names, streams = resources(), boto3.client("dynamodbstreams")
        pipe = boto3.client("pipes").describe_pipe(Name=names["EventPipe"])
        bus = boto3.client("events").describe_event_bus(Name=names["EventBus"])
        [stream] = streams.list_streams(TableName=DEPLOYED["table_name"])["Streams"]
        self.assertEqual(
            (pipe["CurrentState"], pipe["Source"], pipe["Target"]), ("RUNNING", stream["StreamArn"], bus["Arn"])
        )
        events = []
        for shard in streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]:
            iterator = streams.get_shard_iterator(
                StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records = streams.get_records(ShardIterator=iterator)["Records"]
            # What the pipe's filter lets through.
            events += [
                record
                for record in records
                if record["eventName"] == "INSERT" and record["dynamodb"]["Keys"]["sk"]["S"].startswith("EVENT#")
            ]
        self.assertIn("linked", {event["dynamodb"]["NewImage"]["kind"]["S"] for event in events})

    def test_what_every_function_did_is_in_its_log(self):
        logs, names = boto3.client("logs"), resources()
        for function in FUNCTIONS:
            group = names["".join(word.capitalize() for word in function.split("-")) + "Logs"]
            lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
            told = [line for line in lines if f'"function":"{function}"' in line]
            self.assertTrue(told, f"{function} in {group}: {lines[:5]}")


if __name__ == "__main__":
    unittest.main()

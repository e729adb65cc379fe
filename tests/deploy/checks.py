"""What is deployed, seen from AWS's side, once the journeys have gone through it. `deployed.py` runs this."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
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


def local_parameters():
    """The parameters as they were deployed, but for the keys of sessions: outside of the journeys they are at the local stack alone."""
    origin = DEPLOYED["parameters"]["PublicOrigin"].rsplit(":", 1)[0]
    return DEPLOYED["parameters"] | {"SessionJwksUrl": f"{origin}:{DEPLOYED['stack_port']}/.well-known/jwks.json"}


def doctor_of_environment(parameters):
    """What `make doctor` says of these parameters: what each line is about, and all of it."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("".join(f"{name}: {json.dumps(value)}\n" for name, value in parameters.items()))
        file.flush()
        return told(
            subprocess.run(
                [sys.executable, ROOT / "infra/doctor/run.py", DEPLOYED["environment"]],
                env={**os.environ, "PARAMETERS": file.name}, capture_output=True, text=True,
            )
        )


def doctor_of_function(variables, **process):
    """What doctor says of the deployed callback with some variables changed."""
    configuration = boto3.client("lambda").get_function_configuration(FunctionName=resources()["CallbackFunction"])
    configuration = {"Environment": {"Variables": configuration["Environment"]["Variables"] | variables}}
    return told(
        subprocess.run(
            [ROOT / "target/debug/doctor", "-"], env={**os.environ, **process}, input=json.dumps(configuration),
            capture_output=True, text=True,
        )
    )


def told(run):
    lines = [line.partition(":")[0].split(maxsplit=1) for line in run.stdout.splitlines()]
    assert lines, run.stderr
    assert (run.returncode == 1) == any(verdict == "WRONG" for verdict, _ in lines), run.stdout
    return [f"{verdict} {subject}" for verdict, subject in lines], run.stdout


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

    def test_doctor_finds_what_is_deployed_well(self):
        with local_stack():
            lines, text = doctor_of_environment(local_parameters())
        self.assertEqual(
            lines,
            [
                "ok variables",
                "ok flow keys",
                "ok table",
                "ok keys of sessions",
                "ok discovery of magento",
                "ok credential of magento",
                "ok keys of magento",
                "ok clock of magento",
                "ok client authentication of magento",
                "ok redirect URI of magento",
            ],
            text,
        )

    def test_doctor_tells_what_is_wrong_at_aws(self):
        manager, kms = boto3.client("secretsmanager"), boto3.client("kms")
        nonsense = manager.create_secret(Name="nonsense", SecretString="no keys")["ARN"]
        signs = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
        encrypts = kms.create_key()["KeyMetadata"]["Arn"]
        [provider] = json.loads(DEPLOYED["parameters"]["Providers"])
        secret = provider.pop("client_secret_arn")

        def of_provider(**members):
            return {"PROVIDERS": json.dumps([provider | members])}

        by_key = {"client_authentication": "private_key_jwt"}
        cases = [
            ({"FLOW_KEYS_ARN": nonsense}, {}, "WRONG flow keys", "32 bytes in standard base64"),
            ({"FLOW_KEYS_ARN": nonsense + "-gone"}, {}, "WRONG flow keys", "knows no such value"),
            ({}, {"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, "WRONG flow keys", "refused with status"),
            ({}, {"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, "WRONG table", "refused the request"),
            ({"TABLE_NAME": "gone"}, {}, "WRONG table", "ResourceNotFoundException"),
            (of_provider(client_secret_arn=secret + "-gone"), {}, "WRONG credential of magento", "knows no such value"),
            (of_provider(client_key_arn=encrypts, **by_key), {}, "WRONG credential of magento", "KMS refused with status"),
            (of_provider(client_key_arn=signs, **by_key), {}, "ok credential of magento", "of use"),
            (of_provider(client_key_arn=signs, **by_key), {}, "WRONG client authentication of magento", "invalid_client"),
            (of_provider(client_secret_arn=nonsense), {}, "WRONG client authentication of magento", "invalid_client"),
        ]
        with local_stack():
            for variables, process, line, why in cases:
                with self.subTest(line=line, why=why):
                    lines, text = doctor_of_function(variables, **process)
                    self.assertIn(line, lines, text)
                    self.assertIn(why, text)
                    self.assertNotIn("no keys", text)

    def test_a_restored_table_lacks_what_docs_operate_says_and_its_commands_mend_that(self):
        dynamodb, restored = boto3.client("dynamodb"), "account-linking-restored"
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=DEPLOYED["table_name"], TargetTableName=restored, UseLatestRestorableTime=True
        )
        _, text = doctor_of_function({"TABLE_NAME": restored})
        lacks = [line for line in text.splitlines() if "table: " in line and not line.startswith("ok")]
        self.assertEqual(len(lacks), 4, text)
        dynamodb.update_table(
            TableName=restored,
            DeletionProtectionEnabled=True,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        dynamodb.update_time_to_live(
            TableName=restored, TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True}
        )
        dynamodb.update_continuous_backups(
            TableName=restored, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        lines, text = doctor_of_function({"TABLE_NAME": restored})
        self.assertEqual([line for line in lines if line.endswith(" table")], ["ok table"], text)

    def test_the_rotation_begins_when_it_is_asked_for(self):
        begun = subprocess.run(
            ["sam", "remote", "invoke", "RotateFlowKeysFunction", "--config-env", DEPLOYED["environment"],
             "--stack-name", DEPLOYED["stack_name"], "--event", '{"begin": true}'],
            env={**os.environ, "PATH": f"{ROOT / '.tools/python/bin'}:{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"},
            cwd=ROOT, capture_output=True, text=True,
        )
        self.assertEqual(begun.returncode, 0, begun.stderr)
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=resources()["FlowKeys"])["SecretString"]
        self.assertEqual(len(secret.split(",")), 2, begun.stdout + begun.stderr)

    def test_the_same_again_changes_nothing(self):
        before = resources()
        again = subprocess.run(
            [ROOT / "infra/deploy.sh", DEPLOYED["environment"]],
            env={
                **os.environ,
                "PATH": f"{ROOT / '.tools/python/bin'}:{os.environ['PATH']}",
                "SAM_CLI_TELEMETRY": "0",
                "PARAMETERS": DEPLOYED["parameters_file"],
                "SAM_DEPLOY": "--no-confirm-changeset --no-progressbar",
                "ASK": "true",
            },
            capture_output=True, text=True,
        )
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("No changes to deploy", again.stdout + again.stderr)
        self.assertEqual(resources(), before)

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

#!/usr/bin/env python3
"""template.yaml as AWS would run it: deployed to MiniStack, an emulator of AWS, for as long as a command runs.

    deployed.py COMMAND…

It builds and deploys as `make deploy ENV=dev` does, by infra/deploy.sh, makes what MiniStack leaves out, and runs COMMAND,
which finds in DEPLOYED (JSON) where everything is. Emulator and functions end with this process, however it ends.
"""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
ENVIRONMENT = "dev"
STACK = f"account-linking-{ENVIRONMENT}"

# MiniStack takes the credentials that it is started with for those of the account's root. With AUTH it verifies every signature,
# and holds every call of a function against the policies of its role.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTS",
    "AWS_SECRET_ACCESS_KEY": "tests' own",
    "AWS_DEFAULT_REGION": "eu-west-1",
}

# How long MiniStack may take to start, and one call of it.
PATIENCE = 60


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start_emulator(endpoint, port, folder):
    """Starts MiniStack in a session of its own, all of which a shell ends once its standard input closes: with this process."""
    environment = {
        **CREDENTIALS,
        "PATH": os.environ["PATH"],
        "HOME": folder,
        "TMPDIR": folder,
        "S3_DATA_DIR": f"{folder}/s3",
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": CREDENTIALS["AWS_DEFAULT_REGION"],
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # The functions get it too. Only http to localhost is taken by them.
        "AWS_ENDPOINT_URL": endpoint,
    }
    with open(f"{folder}/ministack.log", "wb") as log:
        watch = subprocess.Popen(
            ["/bin/sh", "-c", '"$@" </dev/null & read -r _; kill -s KILL -- -$$', "watch", TOOLS / "ministack/bin/ministack"],
            start_new_session=True,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=PATIENCE).close()
            return watch
        if time.monotonic() > deadline:
            sys.exit(f"MiniStack does not answer:\n{pathlib.Path(folder, 'ministack.log').read_text()}")
        time.sleep(0.1)


def run_deploy(values, folder):
    """Deploys with these parameters. Nobody is there to look at the change set, and smoke.py has nothing to ask before there are routes."""
    parameters_file = folder / "parameters.yaml"
    parameters_file.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items()))
    environment = {
        # Which region it is samconfig.toml says.
        **{name: value for name, value in os.environ.items() if name != "AWS_DEFAULT_REGION"},
        "PATH": f"{TOOLS / 'python/bin'}:{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "PARAMETERS": str(parameters_file),
        "SAM_DEPLOY": "--no-confirm-changeset --no-progressbar",
        "ASK": "true",
    }
    subprocess.run([ROOT / "infra/deploy.sh", ENVIRONMENT], env=environment, check=True, stdout=sys.stderr)
    return parameters_file


def parameters(origin, issuer, client_secret_arn):
    provider = {
        "id": "magento",
        "name": "Magento.com",
        "issuer": issuer,
        "client_id": "account-linking:local",
        "client_authentication": "client_secret_basic",
        "client_secret_arn": client_secret_arn,
    }
    return {
        "Architecture": "x86_64",
        "AlarmsRing": "false",  # MiniStack refuses an alarm on metric math
        "PublicOrigin": origin,
        "SettingsUrl": f"{origin}/user",
        "SignInUrl": f"{origin}/sign-in",
        "SignInCompleteUrl": f"{origin}/sign-in/complete",
        "OnboardingUrl": f"{origin}/onboarding",
        "Providers": json.dumps([provider]),
        "ClientSecretArns": client_secret_arn,
        "ConfirmLink": "when_email_differs",
        "SessionIssuer": origin,
        "SessionAudience": origin,
        "SessionJwksUrl": f"{origin}/.well-known/jwks.json",
    }


def make_routes(aws):
    """Makes of the processed template's Body, which MiniStack ignores, the integrations and routes that API Gateway makes of it."""
    stack = aws.client("cloudformation")
    api = aws.client("apigatewayv2")
    resources = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in stack.describe_stack_resources(StackName=STACK)["StackResources"]
    }
    template = stack.get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    [(name, body)] = [
        (name, resource["Properties"]["Body"])
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::ApiGatewayV2::Api"
    ]
    api_id = resources[name]
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            integration = operation["x-amazon-apigateway-integration"]
            # arn:…:lambda:path/2015-03-31/functions/${…}/invocations, of an alias, whose physical id is its ARN.
            alias = integration["uri"]["Fn::Sub"].split("${")[-1].split("}")[0]
            made = api.create_integration(
                ApiId=api_id,
                IntegrationType=integration["type"].upper(),
                IntegrationUri=resources[alias],
                PayloadFormatVersion=integration["payloadFormatVersion"],
            )
            signed = any("AWS_IAM" in scheme for scheme in operation.get("security", []))
            api.create_route(
                ApiId=api_id,
                RouteKey=f"{method.upper()} {path}",
                Target=f"integrations/{made['IntegrationId']}",
                AuthorizationType="AWS_IAM" if signed else "NONE",
            )
    return api_id, resources


def complete_table(aws, name):
    """Gives the table what MiniStack leaves out when it makes one of a template."""
    dynamodb = aws.client("dynamodb")
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True})
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def deploy(endpoint, folder):
    """Deploys, and tells where everything is."""
    aws = boto3.Session()
    front_port, stack_port = free_ports(2)
    origin, issuer = f"http://accounts.localhost:{front_port}", f"http://magento.localhost:{stack_port}"
    client_secret = secrets.token_urlsafe(32)

    manager = aws.client("secretsmanager")
    client_secret_arn = manager.create_secret(Name="client-secret", SecretString=client_secret)["ARN"]

    values = parameters(origin, issuer, client_secret_arn)
    parameters_file = run_deploy(values, folder)
    api_id, resources = make_routes(aws)
    complete_table(aws, resources["Table"])
    # The local stack's own file: its provider knows the client by this secret.
    (folder / "keys.json").write_text(json.dumps({"client_secret": client_secret}))
    return {
        "endpoint": endpoint,
        "api_host": f"{api_id}.execute-api.{endpoint.removeprefix('http://')}",
        "front_port": front_port,
        "stack_port": stack_port,
        "stack_name": STACK,
        "table_name": resources["Table"],
        "environment": ENVIRONMENT,
        "parameters": values,
        "parameters_file": str(parameters_file),
        "data_dir": str(folder),
    }


def main(command):
    os.environ |= CREDENTIALS
    folder = pathlib.Path(tempfile.mkdtemp(prefix="account-linking-deployed-"))
    (port,) = free_ports(1)
    endpoint = f"http://localhost:{port}"
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    watch = start_emulator(endpoint, port, str(folder))
    try:
        deployed = deploy(endpoint, folder)
        return subprocess.run(command, env={**os.environ, "DEPLOYED": json.dumps(deployed)}).returncode
    finally:
        watch.stdin.close()
        watch.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))

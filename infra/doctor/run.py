#!/usr/bin/env python3
"""Has doctor check what an environment's functions would be given, by template.yaml and infra/environments.

    run.py dev|staging|production [DOCTOR]

What the stack has made is taken from the stack that is deployed; where none is, doctor is told that it looks before the first
deployment. DOCTOR is the program, target/debug/doctor by default. PARAMETERS names a file in the place of the environment's own.
"""

import json
import os
import pathlib
import subprocess
import sys
import tomllib

import boto3
import botocore.exceptions
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Template(yaml.SafeLoader):
    """CloudFormation's YAML: `!Ref X` is {"Ref": "X"}, and so on."""


def intrinsic(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


Template.add_multi_constructor("!", intrinsic)


def read(path):
    return yaml.load((ROOT / path).read_text(), Template)


def session_for(environment):
    """The caller at AWS, in the environment's region."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    return boto3.Session(region_name=config[environment]["global"]["parameters"]["region"])


def stack_resources(session, environment):
    """What the stack has made, by its names in the template; none when it is not there, or nobody may look."""
    try:
        stack = session.client("cloudformation").describe_stack_resources(StackName=f"account-linking-{environment}")
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # there is no such stack
            return {}
        raise
    except botocore.exceptions.NoCredentialsError:
        return {}
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in stack["StackResources"]}


def variables(environment, made):
    """Every variable of any function, but for those that name what is not made yet."""
    template = read("template.yaml")
    values = {name: declared.get("Default", "") for name, declared in template["Parameters"].items()}
    values |= read(os.environ.get("PARAMETERS") or f"infra/environments/{environment}.yaml")
    functions = [each for each in template["Resources"].values() if each["Type"] == "AWS::Serverless::Function"]
    of_functions = [template["Globals"]["Function"]] + [each["Properties"] for each in functions]
    found = {}
    for function in of_functions:
        for name, value in function.get("Environment", {}).get("Variables", {}).items():
            source = value.get("Ref") or value["GetAtt"].removesuffix(".Id")
            if source in values:
                found[name] = str(values[source])
            elif source in made:
                found[name] = made[source]
    return found


def caller(session):
    """The caller's credentials, wherever they come from, as variables: doctor reads nothing else."""
    credentials = session.get_credentials()
    if credentials is None:
        return {}
    credentials = credentials.get_frozen_credentials()
    found = {
        "AWS_REGION": session.region_name,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token,
    }
    return {name: value for name, value in found.items() if value}


def main(environment, doctor=ROOT / "target/debug/doctor"):
    session = session_for(environment)
    made = stack_resources(session, environment)
    configuration = {"Environment": {"Variables": variables(environment, made)}}
    stage = [] if "Table" in made else ["--before-deployment"]
    return subprocess.run(
        [doctor, *stage, "-"], input=json.dumps(configuration), text=True, env={**os.environ, **caller(session)}
    ).returncode


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in ("dev", "staging", "production"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

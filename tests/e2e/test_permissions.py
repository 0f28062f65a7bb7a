"""Each function under its own role: with one permission less it fails, and its log names what was denied.

Needs an emulator that enforces policies (AUTH=true): else that the other tests pass would say nothing about the roles.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests.e2e.stack import Stack, make_prefix, wait_until

CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
DENIED = ("AccessDenied", "access was denied", "Forbidden", "(403)")


@pytest.fixture
def enforcing(stack: Stack) -> Stack:
    if os.environ.get("AUTH") != "true" or not stack.is_local:
        pytest.skip("nothing enforces policies, or they are not to be touched; AUTH=true make up does")
    return stack


@dataclass(frozen=True)
class Case:
    """A function, what is taken from its role, and how to have it use that."""

    function: str
    statement: str
    action: str
    use: Callable[[Stack, str], None]


def create_job(stack: Stack, _: str) -> None:
    answer = stack.call("POST", "/zip-jobs", json={"prefix": make_prefix()})
    assert answer.status_code >= 500, answer.text


def read_a_job(stack: Stack, _: str) -> None:
    answer = stack.call("GET", f"/zip-jobs/{uuid.uuid4()}")
    assert answer.status_code >= 500, answer.text


def make_an_archive(stack: Stack, _: str) -> None:
    prefix = make_prefix()
    try:
        stack.put_objects({f"{prefix}one.txt": b"one"})
        assert "denied" in stack.fail_job(prefix=prefix)
    finally:
        stack.clean_up(prefix)


def settle(stack: Stack, function: str) -> None:
    assert "errorMessage" in invoke(stack, function, {})


def stream(stack: Stack, function: str) -> None:
    answer = invoke(stack, function, {})
    assert answer["statusCode"] == 500, answer
    assert "AccessDenied" in answer["body"]


def aggregate(stack: Stack, function: str) -> None:
    thing = {"key": f"{make_prefix()}none", "versionId": uuid.uuid4().hex, "size": 1, "sequencer": "1"}
    bucket = {"name": stack.outputs["aggregator_source_bucket"]}
    body = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": bucket, "object": thing}}]}
    give_back(stack, function, body)


def load(stack: Stack, function: str) -> None:
    give_back(stack, function, {"bucket": stack.outputs["xapi_bucket"], "key": f"{stack.outputs['xapi_prefix']}none"})


def give_back(stack: Stack, function: str, body: Mapping[str, Any]) -> None:
    record = {"messageId": "one", "receiptHandle": "none", "body": json.dumps(body)}
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))}
    answer = invoke(stack, function, {"Records": [record | {"attributes": attributes}]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "one"}]}


def download(stack: Stack, function: str) -> None:
    name = f"none-{uuid.uuid4().hex}"
    http = {"method": "GET", "path": f"/{name}.csv", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
    event = {"version": "2.0", "rawPath": http["path"], "rawQueryString": "", "headers": {"host": "localhost"}}
    context = {"http": http, "domainName": "localhost", "requestId": "one", "stage": "$default"}
    answer = invoke(stack, function, event | {"requestContext": context, "isBase64Encoded": False})
    assert answer["statusCode"] >= 500, answer


def export(stack: Stack, function: str) -> None:
    event = {"export": uuid.uuid4().hex, "dataset": "none", "format": "csv", "query": "", "owner": "none"}
    assert "errorMessage" in invoke(stack, function, event)


CASES = [
    Case("zip-enqueue", "QueueJobs", "sqs:SendMessage", create_job),
    Case("zip-status", "ReadAndCancelJobs", "dynamodb:GetItem", read_a_job),
    Case("zip-worker", "WriteArchives", "s3:PutObject", make_an_archive),
    Case("zip-settler", "TakeDeadLetters", "sqs:ReceiveMessage", settle),
    Case("csv-streamer", "ReadParameters", "s3:GetObject", stream),
    Case("data-aggregator", "ClaimSources", "dynamodb:PutItem", aggregate),
    Case("xapi-etl", "ReadStatements", "s3:GetObject", load),
    Case("dataset-download", "ListDatasets", "s3:ListBucket", download),
    Case("dataset-export", "WriteExports", "s3:GetObject", export),
]


def invoke(stack: Stack, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the function's answer, or the error that it ended with."""
    answer = stack.functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    payload: dict[str, Any] = json.loads(answer["Payload"].read())
    return payload


def make_client(stack: Stack, service: str) -> Any:
    place = {"endpoint_url": stack.outputs["aws_endpoint_url"], "region_name": stack.outputs["aws_region"]}
    return boto3.client(service, **place, **CREDENTIALS)  # type: ignore[call-overload]


def find_function(stack: Stack, name: str) -> str:
    """Return the deployed name: all functions begin as the streamer's does."""
    return stack.outputs["csv_streamer_function"].removesuffix("csv-streamer") + name


@contextmanager
def without(stack: Stack, function: str, case: Case) -> Iterator[None]:
    """Take an action out of a statement of the function's role while the block lasts."""
    iam = make_client(stack, "iam")
    role = stack.functions.get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
    document = iam.get_role_policy(RoleName=role, PolicyName="function")["PolicyDocument"]
    statements = [take_away(one, case.action) if one["Sid"] == case.statement else one for one in document["Statement"]]
    assert statements != document["Statement"], "the role has no such permission"
    less = {**document, "Statement": [one for one in statements if one["Action"]]}
    iam.put_role_policy(RoleName=role, PolicyName="function", PolicyDocument=json.dumps(less))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="function", PolicyDocument=json.dumps(document))


def take_away(statement: dict[str, Any], action: str) -> dict[str, Any]:
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    return {**statement, "Action": [one for one in actions if one != action]}


def wait_for_denial(stack: Stack, function: str, since: float) -> str:
    """Return the first log line that says what was denied."""
    logs = make_client(stack, "logs")

    def look() -> str | None:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}", startTime=int(since * 1000)
        )
        lines = [event["message"] for page in pages for event in page["events"]]
        return next((line for line in lines if any(word in line for word in DENIED)), None)

    return wait_until(look, f"{function} to log what was denied")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.function)
def test_function_with_a_permission_less_fails_and_says_so(enforcing: Stack, case: Case) -> None:
    function = find_function(enforcing, case.function)
    since = time.time() - 1
    with without(enforcing, function, case):
        case.use(enforcing, function)
    print(wait_for_denial(enforcing, function, since)[:500])


def test_every_functions_role_loses_a_permission_here(enforcing: Stack) -> None:
    prefix = find_function(enforcing, "")
    pages = enforcing.functions.get_paginator("list_functions").paginate()
    names = {one["FunctionName"].removeprefix(prefix) for page in pages for one in page["Functions"]}
    assert names == {case.function for case in CASES}

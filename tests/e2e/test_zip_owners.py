"""Callers with identities of their own, under the emulator's enforcement: none sees, deletes or archives another's.

The deployed functions answer a second API here, which wants signed requests: the stack's own does not tell its callers
apart.
"""

import io
import json
import os
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.stack import Job, Stack, make_prefix, wait_until

ROUTES = {
    "POST /zip-jobs": "zip-enqueue",
    "GET /zip-jobs": "zip-status",
    "GET /zip-jobs/{jobId}": "zip-status",
    "DELETE /zip-jobs/{jobId}": "zip-status",
    "$default": "zip-status",
}
INVOKE = {"Effect": "Allow", "Action": ["execute-api:Invoke", "lambda:InvokeFunction"], "Resource": "*"}
ASSUME = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
SESSION_FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken")


class Signed(requests.auth.AuthBase):
    """Signs requests as one identity."""

    def __init__(self, credentials: Credentials, region: str) -> None:
        self._signer = SigV4Auth(credentials, "execute-api", region)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed = AWSRequest(method=request.method, url=request.url, data=request.body)
        self._signer.add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


@dataclass(frozen=True)
class Caller:
    """One identity at the API."""

    url: str
    auth: Signed | None

    def call(self, method: str, path: str = "", **options: Any) -> requests.Response:
        return requests.request(method, f"{self.url}/zip-jobs{path}", auth=self.auth, timeout=60, **options)

    def create(self, **body: Any) -> str:
        answer = self.call("POST", json=body)
        assert answer.status_code == 202, answer.text
        place = urljoin(answer.url, answer.headers["Location"])
        assert requests.get(place, auth=self.auth, timeout=60).status_code == 200
        job_id: str = answer.json()["jobId"]
        return job_id

    def wait(self, job_id: str) -> Job:
        def look() -> Job | None:
            answer = self.call("GET", f"/{job_id}")
            assert answer.status_code == 200, answer.text
            job: Job = answer.json()
            return None if job["status"] == "PENDING" else job

        return wait_until(look, f"the end of job {job_id}")

    def list_ids(self) -> list[str]:
        return [job["jobId"] for job in self.call("GET", "?limit=100").json()["jobs"]]


@dataclass(frozen=True)
class Callers:
    """Those who call, and what they may archive."""

    ann: Caller
    bob: Caller
    reports: list[Caller]
    """Two sessions of one role."""
    operator: Caller
    nobody: Caller
    prefix: str


@pytest.fixture(scope="module")
def callers(deployed: Stack) -> Iterator[Callers]:
    stack = deployed
    if os.environ.get("AUTH") != "true" or not stack.is_local:
        pytest.skip("nothing enforces policies, or they are not to be touched; AUTH=true make up does")
    place = {"endpoint_url": stack.outputs["aws_endpoint_url"], "region_name": stack.outputs["aws_region"]}

    def make(service: str, **credentials: str) -> Any:
        chosen = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, **place, **chosen)  # type: ignore[call-overload]

    names = {one: stack.outputs["csv_streamer_function"].removesuffix("csv-streamer") + one for one in ROUTES.values()}
    gateway = make("apigatewayv2")
    api = make_api(gateway, stack, names)
    url = f"{stack.outputs['aws_endpoint_url']}/_aws/execute-api/{api}"
    mark, prefix = uuid.uuid4().hex[:8], make_prefix()
    iam, region = make("iam"), place["region_name"]
    role = iam.create_role(RoleName=f"reports-{mark}", Path="/team/", AssumeRolePolicyDocument=write(TRUST))["Role"]
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="calls", PolicyDocument=write(INVOKE))
    users = {name: make_user(iam, f"{name}-{mark}") for name in ("ann", "bob", "operator")}
    ann_keys, ann_arn = users["ann"]
    sessions = [
        make("sts", aws_access_key_id=ann_keys.access_key, aws_secret_access_key=ann_keys.secret_key).assume_role(
            RoleArn=role["Arn"], RoleSessionName=name
        )["Credentials"]
        for name in ("morning", "evening")
    ]
    rules = {"values": {ann_arn: [f"{prefix}ann/"]}, "default": [""]}
    operators = {"iamArns": [users["operator"][1]]}
    with (
        stack.changed_environment(names["zip-enqueue"], ALLOWED_PREFIXES=json.dumps(rules)),
        stack.changed_environment(names["zip-status"], OPERATORS=json.dumps(operators)),
    ):
        yield Callers(
            ann=Caller(url, Signed(ann_keys, region)),
            bob=Caller(url, Signed(users["bob"][0], region)),
            reports=[
                Caller(url, Signed(Credentials(*(one[name] for name in SESSION_FIELDS)), region)) for one in sessions
            ],
            operator=Caller(url, Signed(users["operator"][0], region)),
            nobody=Caller(url, None),
            prefix=prefix,
        )
    stack.delete_versions(stack.source, prefix)
    gateway.delete_api(ApiId=api)


def write(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_user(iam: Any, name: str) -> tuple[Credentials, str]:
    """Return a new user's credentials and ARN."""
    user = iam.create_user(UserName=name)["User"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [INVOKE, ASSUME]})
    iam.put_user_policy(UserName=name, PolicyName="calls", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"]), user["Arn"]


def make_api(gateway: Any, stack: Stack, names: dict[str, str]) -> str:
    """Return the id of an API that wants signed requests for the deployed functions."""
    api: str = gateway.create_api(Name=f"owners-{uuid.uuid4().hex[:8]}", ProtocolType="HTTP")["ApiId"]
    targets = {}
    for role, name in names.items():
        arn = stack.functions.get_function_configuration(FunctionName=name)["FunctionArn"]
        made = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
        )
        targets[role] = f"integrations/{made['IntegrationId']}"
        stack.functions.add_permission(
            FunctionName=name,
            StatementId=f"owners-{api}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
    for route, role in ROUTES.items():
        gateway.create_route(ApiId=api, RouteKey=route, Target=targets[role], AuthorizationType="AWS_IAM")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return api


def test_nobody_is_let_in(callers: Callers) -> None:
    assert callers.nobody.call("GET").status_code == 403


def test_a_job_its_archive_and_its_place_in_lists_are_its_owners_alone(deployed: Stack, callers: Callers) -> None:
    keys = deployed.put_objects({f"{callers.prefix}ann/one.txt": b"ann's"})
    job_id = callers.ann.create(keys=keys)
    job = callers.ann.wait(job_id)
    assert job["status"] == "READY"
    raw = requests.get(job["downloadUrl"], timeout=60).content
    assert zipfile.ZipFile(io.BytesIO(raw)).read("one.txt") == b"ann's"

    for stranger in (callers.bob, *callers.reports):
        absent = stranger.call("GET", f"/{uuid.uuid4()}")
        for method in ("GET", "DELETE"):
            answer = stranger.call(method, f"/{job_id}")
            assert (answer.status_code, answer.text) == (404, absent.text)
        assert job_id not in stranger.list_ids()
    assert callers.ann.wait(job_id)["status"] == "READY", "no stranger's DELETE had any effect"
    wait_until(lambda: job_id in callers.ann.list_ids(), "the job in its owner's list", 10)
    assert callers.operator.call("GET", f"/{job_id}").json()["owner"].rpartition("/")[2].startswith("ann-")
    assert job_id in callers.operator.list_ids()
    assert callers.ann.call("DELETE", f"/{job_id}").json()["status"] == "EXPIRED"
    assert requests.get(job["downloadUrl"], timeout=60).status_code == 404


def test_sessions_of_a_role_share_jobs_and_idempotency_keys(deployed: Stack, callers: Callers) -> None:
    keys = deployed.put_objects({f"{callers.prefix}shared.txt": b"x"})
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    answers = [one.call("POST", json={"keys": keys}, headers=headers).json()["jobId"] for one in callers.reports]
    assert len(set(answers)) == 1
    assert [one.wait(answers[0])["status"] for one in callers.reports] == ["READY"] * 2
    others = callers.bob.call("POST", json={"keys": keys}, headers=headers).json()["jobId"]
    assert others != answers[0]


def test_keys_outside_a_callers_prefixes_are_refused_and_found_in_manifests(deployed: Stack, callers: Callers) -> None:
    own, foreign = f"{callers.prefix}ann/", f"{callers.prefix}bob/"
    deployed.put_objects({f"{own}list": f"{own}one.txt\n{foreign}pay.txt\n".encode(), f"{foreign}pay.txt": b"secret"})
    for body in ({"keys": [f"{foreign}pay.txt"]}, {"prefix": callers.prefix}, {"manifestKey": f"{foreign}list"}):
        answer = callers.ann.call("POST", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "key_not_allowed")
    job = callers.ann.wait(callers.ann.create(manifestKey=f"{own}list", onMissing="skip"))
    assert (job["status"], job["errorCode"]) == ("FAILED", "key_not_allowed")
    assert job["failedKeys"] == [f"{foreign}pay.txt"]
    assert callers.bob.call("POST", json={"keys": [f"{foreign}pay.txt"]}).status_code == 202


def test_pages_of_two_owners_do_not_mix(deployed: Stack, callers: Callers) -> None:
    keys = deployed.put_objects({f"{callers.prefix}ann/page.txt": b"x"})
    made = []
    for _ in range(3):
        made.append(callers.ann.create(keys=keys))
        callers.bob.create(keys=keys)
        time.sleep(0.01)
    wait_until(lambda: set(made) <= set(callers.ann.list_ids()), "the jobs in the list", 10)
    page = callers.ann.call("GET", "?limit=2").json()
    rest = callers.ann.call("GET", "?limit=100", params={"nextToken": page["nextToken"]}).json()
    assert [job["jobId"] for job in page["jobs"]] == made[:0:-1]
    assert rest["jobs"][0]["jobId"] == made[0]
    foreign = callers.bob.call("GET", "?limit=100", params={"nextToken": page["nextToken"]}).json()
    assert not {job["jobId"] for job in foreign["jobs"]} & set(made)

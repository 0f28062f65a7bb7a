"""The HTTP API's responses, end to end."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.stack import ROOT, Stack
from tests.support.tiers import scale

OPENAPI = ROOT / "docs" / "openapi" / "zip-jobs.yaml"
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LONG_KEY = "k" * 1025


def expect_problem(answer: Any, status: int, said: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"]
    assert problem["title"]
    assert said in json.dumps(problem, ensure_ascii=False)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{not json", 400, "JSON"),
        (b"", 400, "JSON"),
        (b"\xff\xfe", 400, "JSON"),
        (b"[]", 400, "object"),
        (b"null", 400, "object"),
        ({}, 400, "keys"),
        ({"keys": []}, 400, "keys"),
        ({"keys": "one.pdf"}, 400, "keys"),
        ({"keys": [""]}, 400, "keys"),
        ({"keys": [1]}, 400, "keys"),
        ({"keys": [None]}, 400, "keys"),
        ({"keys": [LONG_KEY]}, 400, "keys"),
        (b'{"keys": ["\\ud800"]}', 400, "keys"),
        ({"prefix": ""}, 400, "prefix"),
        ({"prefix": 3}, 400, "prefix"),
        ({"manifestKey": ""}, 400, "manifestKey"),
        ({"manifestKey": {}}, 400, "manifestKey"),
        ({"keys": ["a"], "paths": "flat"}, 400, "paths"),
        ({"keys": ["a"], "onMissing": "ignore"}, 400, "onMissing"),
        ({"keys": ["a"], "compression": "zstd"}, 400, "compression"),
        ({"keys": ["a"], "presignTtlSeconds": 59}, 400, "presignTtlSeconds"),
        ({"keys": ["a"], "presignTtlSeconds": 604801}, 400, "presignTtlSeconds"),
        ({"keys": ["a"], "presignTtlSeconds": "3600"}, 400, "presignTtlSeconds"),
        ({"keys": ["a"], "presignTtlSeconds": True}, 400, "presignTtlSeconds"),
        ({"keys": ["a"], "archiveName": "a/b.zip"}, 400, "archiveName"),
        ({"keys": ["a"], "archiveName": "a\\b.zip"}, 400, "archiveName"),
        ({"keys": ["a"], "archiveName": "a\nb.zip"}, 400, "archiveName"),
        ({"keys": ["a"], "archiveName": ""}, 400, "archiveName"),
        ({"keys": ["a"], "targetPrefix": "/zips/"}, 400, "targetPrefix"),
        ({"keys": ["a"], "targetPrefix": ".zip-jobs/"}, 400, "targetPrefix"),
        ({"keys": ["a"], "targetPrefix": LONG_KEY}, 400, "targetPrefix"),
        ({"keys": ["a"], "targetPrefix": "a/../b/"}, 400, "segment"),
        ({"keys": ["a"], "targetPrefix": "a\x07/"}, 400, "control characters"),
        ({"keys": [".zip-jobs/other.json"]}, 403, "key_not_allowed"),
        ({"keys": ["a"], "key": "b"}, 400, "key"),
        ({"keys": ["a"], "sourceBucket": "someone-elses"}, 403, "sourceBucket"),
        ({"keys": ["a"], "targetBucket": "someone-elses"}, 403, "targetBucket"),
        ({"keys": ["a"], "sourceBucket": ""}, 400, "sourceBucket"),
    ],
)
def test_bad_request_is_refused_with_its_reason(stack: Stack, body: Any, status: int, said: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    answer = stack.call("POST", "/zip-jobs", data=data, headers={"Content-Type": "application/json"})

    expect_problem(answer, status, said)


def test_every_wrong_field_is_named_at_once(stack: Stack) -> None:
    answer = stack.call("POST", "/zip-jobs", json={"keys": [""], "paths": "flat", "compression": 1})

    expect_problem(answer, 400, "keys")
    assert {error["field"].split("[")[0].split(".")[0] for error in answer.json()["errors"]} == {
        "keys",
        "paths",
        "compression",
    }


def test_body_beyond_the_limit_is_refused_with_advice(stack: Stack) -> None:
    body = json.dumps({"keys": ["k" * 1000] * 7000})

    answer = stack.call("POST", "/zip-jobs", data=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 413
    if stack.is_local:  # in AWS the gateway answers before the function is asked
        expect_problem(answer, 413, "manifestKey")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("job_id", ["3f2b8c1e-0d5a-4f7b-9a6c-5e4d3c2b1a00", "no-uuid", "%F0%9F%99%82", "x" * 500])
def test_unknown_job_is_not_found(stack: Stack, method: str, job_id: str) -> None:
    expect_problem(stack.call(method, f"/zip-jobs/{job_id}"), 404, "")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=ready", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("nextToken=%21%21", "nextToken"),
    ],
)
def test_bad_list_parameters_are_refused(stack: Stack, query: str, said: str) -> None:
    expect_problem(stack.call("GET", f"/zip-jobs?{query}"), 400, said)


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/elsewhere"), ("POST", "/zip-jobs/x/y")])
def test_unknown_address_is_a_problem_too(stack: Stack, method: str, path: str) -> None:
    expect_problem(stack.call(method, path), 404, "")


def test_accepted_request_says_where_its_job_is(stack: Stack, prefix: str) -> None:
    keys = stack.put_objects({f"{prefix}one.pdf": b"x"})

    answer = stack.call("POST", "/zip-jobs", json={"keys": keys})

    job_id = answer.json()["jobId"]
    stack.created.append(job_id)
    assert answer.status_code == 202
    assert answer.json() == {"jobId": job_id, "status": "PENDING"}
    place = urljoin(answer.url, answer.headers["Location"])
    assert stack.api.get(place, timeout=60).json()["jobId"] == job_id
    assert stack.wait_for_end(job_id)["status"] == "READY"


def test_reference_clients_polling_loop_still_works(stack: Stack, prefix: str) -> None:
    """It names both buckets and knows no other states than PENDING and READY."""
    keys = stack.put_objects({f"{prefix}one.pdf": b"x"})
    request = {"sourceBucket": stack.source, "targetBucket": stack.target, "targetPrefix": "zips/", "keys": keys}
    statuses = []

    job_id = stack.create_job(**request)
    while "READY" not in statuses:
        statuses.append(stack.get_job(job_id)["status"])
        assert statuses[-1] in {"PENDING", "READY"}

    assert stack.get_job(job_id)["targetKey"] == f"zips/{job_id}.zip"


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/zip-jobs"), ("GET", "/zip-jobs"), ("GET", "/zip-jobs/{jobId}"), ("DELETE", "/zip-jobs/{jobId}")],
)
def test_answers_are_as_the_openapi_file_says(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str, path: str, mode: GenerationMode
) -> None:
    monkeypatch.chdir(tmp_path)  # schemathesis keeps notes in the folder that it is started in
    schema = schemathesis.openapi.from_path(str(OPENAPI))
    schema.config.update(base_url=deployed.outputs["api_base"])

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=scale(30, 20), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def call(case: Any) -> None:
        case.call_and_validate(session=deployed.api, checks=CHECKS)

    call()

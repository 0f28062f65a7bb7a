"""Whose job a request makes."""

from typing import Any

import pytest

from tests.unit.api_document import load_event
from tests.unit.zip_enqueue.conftest import Answer, Service
from zip_enqueue import app

BODY = {"keys": ["a", "b"]}
ROLE = "arn:aws:iam::123456789012:role/Reports"


def post_as(service: Service, authorizer: dict[str, Any], key: str | None = "k", body: object = None) -> Answer:
    event = load_event("create_job")
    event["requestContext"]["authorizer"] = authorizer
    return service.post(body or BODY, key=key, event=event)


def as_role(session: str) -> dict[str, Any]:
    arn = f"arn:aws:sts::123456789012:assumed-role/Reports/{session}"
    return {"iam": {"userArn": arn, "userId": f"AROAEXAMPLE:{session}", "accountId": "123456789012"}}


@pytest.mark.parametrize(
    ("event", "owner"),
    [
        ("create_job_iam", "arn:aws:iam::123456789012:user/alice"),
        ("create_job_jwt", "sub:https://issuer.example.com/#user-42"),
        ("create_job", "anonymous"),
    ],
)
def test_a_job_is_stored_under_its_caller(service: Service, event: str, owner: str) -> None:
    service.post(BODY, event=load_event(event))
    assert service.read_job()["owner"] == owner


def test_two_sessions_of_one_role_with_one_key_make_one_job(service: Service) -> None:
    first, second = post_as(service, as_role("ann")), post_as(service, as_role("bob"))
    assert first.body == second.body
    assert service.read_job()["owner"] == ROLE


def test_one_key_of_two_owners_makes_two_jobs_and_tells_nothing(service: Service) -> None:
    first = post_as(service, as_role("ann"))
    second = post_as(service, {"jwt": {"claims": {"sub": ROLE}}}, body={"keys": ["other"]})
    assert (first.status, second.status) == (202, 202)
    assert first.body["jobId"] != second.body["jobId"]


@pytest.mark.parametrize("auth", ["AWS_IAM", "JWT"])
@pytest.mark.parametrize("authorizer", [{}, {"iam": {"userArn": "alice"}}, {"jwt": {"claims": {"sub": 3}}}])
def test_who_cannot_be_told_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch, auth: str, authorizer: dict[str, Any]
) -> None:
    monkeypatch.setenv("API_AUTH", auth)
    app.load_settings.cache_clear()
    answer = post_as(service, authorizer)
    assert (answer.status, answer.body["code"], answer.fields) == (403, "caller_unknown", ["Authorization"])
    assert service.read_jobs() == []

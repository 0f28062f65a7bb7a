"""Who sees which jobs."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.api_document import Event, load_event
from tests.unit.zip_status.conftest import JOB_ID, READY, Answer, Service
from zip_status import app

ISSUER = "https://issuer.example.com/"
OPERATORS = {
    "claims": {"cognito:groups": ["zip-operators"], "scope": ["zip/operate"]},
    "iamArns": ["arn:aws:iam::123456789012:role/service/Operators"],
}


@pytest.fixture(autouse=True)
def operators(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPERATORS", json.dumps(OPERATORS))
    app.load_settings.cache_clear()
    yield
    app.load_settings.cache_clear()


def as_user(name: str, **claims: str) -> dict[str, Any]:
    return {"jwt": {"claims": {"sub": name, "iss": ISSUER, **claims}, "scopes": None}}


def as_role(name: str, session: str = "s") -> dict[str, Any]:
    return {"iam": {"userArn": f"arn:aws:sts::123456789012:assumed-role/{name}/{session}", "userId": f"AROA:{session}"}}


OWNERS = {
    "ann": f"sub:{ISSUER}#ann",
    "bob": f"sub:{ISSUER}#bob",
    "Reports": "arn:aws:iam::123456789012:role/Reports",
}
STRANGERS = [as_user("bob"), as_role("Reports"), as_user("ann", iss="https://elsewhere/"), {}]
OPERATORS_CALLING = [
    as_user("op", **{"cognito:groups": "[zip-operators others]"}),
    as_user("op", scope="openid zip/operate"),
    as_role("Operators", "ann@example.com"),
]


def call(service: Service, event_name: str, authorizer: dict[str, Any], **changes: object) -> Answer:
    event: Event = load_event(event_name) | changes
    event["requestContext"]["authorizer"] = authorizer
    return service.send(event)


def get(service: Service, authorizer: dict[str, Any], job_id: str = JOB_ID) -> Answer:
    return call(service, "get_job", authorizer, pathParameters={"jobId": job_id})


def delete(service: Service, authorizer: dict[str, Any], job_id: str = JOB_ID) -> Answer:
    return call(service, "cancel_job", authorizer, pathParameters={"jobId": job_id})


def list_jobs(service: Service, authorizer: dict[str, Any], **query: str) -> Answer:
    return call(service, "list_jobs", authorizer, queryStringParameters=query)


def list_ids(service: Service, authorizer: dict[str, Any], **query: str) -> list[str]:
    return [job["jobId"] for job in list_jobs(service, authorizer, **query).body["jobs"]]


def put_jobs(service: Service, owner: str | None, ages_hours: list[float]) -> list[str]:
    ids = [str(uuid.uuid4()) for _ in ages_hours]
    for job_id, age in zip(ids, ages_hours, strict=True):
        service.put_job(job_id, timedelta(hours=age), **({} if owner is None else {"owner": owner}))
    return ids


@pytest.mark.parametrize("values", [{}, READY, {"status": "FAILED", "error": "e"}, {"status": "CANCELLED"}])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_anothers_job_is_answered_as_one_that_does_not_exist(
    service: Service, stranger: dict[str, Any], values: dict[str, Any]
) -> None:
    service.put_job(owner=OWNERS["ann"], **values)
    before = service.read_job()
    for ask in (get, delete):
        answer, absent = ask(service, stranger), ask(service, stranger, str(uuid.uuid4()))
        assert answer.status == 404
        assert (answer.text, answer.headers) == (absent.text, absent.headers)
    assert service.read_job() == before, "nothing was cancelled, expired or settled"
    assert list_ids(service, stranger) == []


def test_a_strangers_question_does_not_settle_a_dead_job(service: Service) -> None:
    service.put_job(owner=OWNERS["ann"], leaseExpiresAt=1.5, receives=3)
    assert get(service, as_user("bob")).status == 404
    assert service.read_job()["status"] == "PENDING"
    assert get(service, as_user("ann")).body["status"] == "FAILED"


def test_the_owner_gets_lists_downloads_and_deletes(service: Service) -> None:
    service.put_job(owner=OWNERS["ann"], **READY)
    job = get(service, as_user("ann")).body
    assert job["downloadUrl"].startswith("https://")
    assert "owner" not in job
    assert list_ids(service, as_user("ann")) == [JOB_ID]
    assert delete(service, as_user("ann")).body["status"] == "EXPIRED"


def test_every_session_of_a_role_is_the_owner(service: Service) -> None:
    service.put_job(owner=OWNERS["Reports"])
    for session in ("morning", "evening"):
        assert get(service, as_role("Reports", session)).status == 200
        assert list_ids(service, as_role("Reports", session)) == [JOB_ID]


@pytest.mark.parametrize("operator", OPERATORS_CALLING)
def test_an_operator_sees_every_job_and_whose_it_is(service: Service, operator: dict[str, Any]) -> None:
    ids = [put_jobs(service, owner, [age])[0] for age, owner in enumerate([*OWNERS.values(), None])]
    answer = list_jobs(service, operator)
    assert [job["jobId"] for job in answer.body["jobs"]] == ids
    assert [job.get("owner") for job in answer.body["jobs"]] == [*OWNERS.values(), None]
    assert get(service, operator, ids[0]).body["owner"] == OWNERS["ann"]
    assert delete(service, operator, ids[1]).status == 200


@pytest.mark.parametrize(
    "caller",
    [
        as_user("x", **{"cognito:groups": "[not-zip-operators]"}),
        as_user("x", groups="zip-operators"),
        as_user("x", scope="zip/operate-not"),
        as_role("Operator"),
        {"iam": {"userArn": "arn:aws:iam::123456789012:user/Operators"}},
        {"iam": {"userArn": "arn:aws:sts::210987654321:assumed-role/Operators/s"}},
    ],
)
def test_who_only_looks_like_an_operator_is_none(service: Service, caller: dict[str, Any]) -> None:
    service.put_job(owner=OWNERS["ann"])
    assert get(service, caller).status == 404
    assert list_ids(service, caller) == []


def test_a_job_without_an_owner_is_for_operators_alone_where_callers_are_told_apart(service: Service) -> None:
    service.put_job()
    for caller in (as_user("ann"), as_role("Reports")):
        assert get(service, caller).status == 404
        assert list_ids(service, caller) == []
    assert get(service, OPERATORS_CALLING[0]).status == 200


def test_without_authorization_jobs_without_an_owner_are_everybodys_and_others_are_not(service: Service) -> None:
    ids = put_jobs(service, None, [1]) + put_jobs(service, "anonymous", [2])
    (foreign,) = put_jobs(service, OWNERS["ann"], [0])
    assert list_ids(service, {}) == ids
    assert [get(service, {}, job_id).status for job_id in [*ids, foreign]] == [200, 200, 404]


def test_pages_of_two_owners_do_not_mix_even_with_the_others_token(service: Service) -> None:
    anns, bobs = put_jobs(service, OWNERS["ann"], [1, 3, 5, 30]), put_jobs(service, OWNERS["bob"], [2, 4, 6, 40])
    page = list_jobs(service, as_user("ann"), limit="2").body
    assert [job["jobId"] for job in page["jobs"]] == anns[:2]
    assert list_ids(service, as_user("ann"), limit="2", nextToken=page["nextToken"]) == anns[2:]
    assert list_ids(service, as_user("bob"), nextToken=page["nextToken"]) == bobs[1:]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_an_owners_pages_show_every_job_once(service: Service, limit: int) -> None:
    anns = put_jobs(service, OWNERS["ann"], [0, 1, 25, 26, 100, 600])
    put_jobs(service, OWNERS["bob"], [0, 1, 25, 26])
    seen, query = [], {"limit": str(limit)}
    for _ in range(10):
        body = list_jobs(service, as_user("ann"), **query).body
        seen += [job["jobId"] for job in body["jobs"]]
        if "nextToken" not in body:
            break
        query["nextToken"] = body["nextToken"]
    assert seen == anns


def test_an_owners_jobs_beyond_the_days_listed_are_left_out(service: Service) -> None:
    put_jobs(service, OWNERS["ann"], [32 * 24])
    assert list_jobs(service, as_user("ann")).body == {"jobs": []}


def test_an_ancient_token_is_an_empty_page(service: Service) -> None:
    put_jobs(service, OWNERS["ann"], [1])
    token = "WyIwMDAxLTAxLTAxVDAwOjAwOjAwLjAwMDAwMFoiLCIwYjhmOGE1Mi02ZDFlLTRhNTgtOWE4Yy0xZTBkMmIwZjZhMTEiXQ"
    assert list_jobs(service, as_user("ann"), nextToken=token).body == {"jobs": []}


@pytest.mark.parametrize("caller", [as_user("ann"), OPERATORS_CALLING[0], {}])
def test_a_list_can_be_of_one_status(service: Service, caller: dict[str, Any]) -> None:
    owner = OWNERS["ann"] if caller.get("jwt", {}).get("claims", {}).get("sub") == "ann" else "anonymous"
    ids = [str(uuid.uuid4()) for _ in range(30)]
    for age, job_id in enumerate(ids):
        status = "FAILED" if age % 3 == 0 else "CANCELLED"
        service.put_job(job_id, timedelta(hours=age), owner=owner, status=status, error="e")
    first = list_jobs(service, caller, status="FAILED", limit="6").body
    rest = list_jobs(service, caller, status="FAILED", nextToken=first["nextToken"]).body
    assert [job["jobId"] for job in first["jobs"] + rest["jobs"]] == ids[::3]
    assert "nextToken" not in rest


@pytest.mark.parametrize("query", [{"status": "ready"}, {"status": ""}, {"owner": "bob"}, {"Limit": "3"}, {"": "x"}])
def test_a_parameter_that_would_be_ignored_is_refused(service: Service, query: dict[str, str]) -> None:
    answer = list_jobs(service, as_user("ann"), **query)
    assert (answer.status, answer.body["code"]) == (400, "invalid_parameter")
    assert answer.body["errors"][0]["field"] == (next(iter(query)) or "(no name)")


@pytest.mark.parametrize("auth", ["AWS_IAM", "JWT"])
@pytest.mark.parametrize("authorizer", [{}, {"jwt": {"claims": {}}}, {"jwt": {"claims": {"sub": 3}}}, {"iam": {}}])
def test_who_cannot_be_told_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch, auth: str, authorizer: dict[str, Any]
) -> None:
    monkeypatch.setenv("API_AUTH", auth)
    app.load_settings.cache_clear()
    service.put_job(owner="anonymous")
    for answer in (get(service, authorizer), delete(service, authorizer), list_jobs(service, authorizer)):
        assert (answer.status, answer.body["code"]) == (403, "caller_unknown")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_AUTH", "BASIC"),
        ("OPERATORS", "ops"),
        ("OPERATORS", "[]"),
        ("OPERATORS", '{"claims": {"groups": "ops"}}'),
        ("OPERATORS", '{"claims": {"groups": [""]}}'),
        ("OPERATORS", '{"iamArns": "arn"}'),
        ("OPERATORS", '{"groups": ["ops"]}'),
    ],
)
def test_wrong_settings_answer_nobody(service: Service, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    app.load_settings.cache_clear()
    service.put_job()
    assert get(service, {}).status == 500

"""Which keys a caller may archive."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.unit.api_document import load_event
from tests.unit.zip_enqueue.conftest import Answer, Service, lose_connection
from zip_enqueue import app, clients

RULES = {
    "claim": "team",
    "tag": "team",
    "values": {
        "finance": ["finance/", "shared/"],
        "hr": ["hr/"],
        "all": [""],
        "arn:aws:iam::123456789012:role/batch/Nightly": ["nightly/"],
    },
    "default": ["public/"],
}
type Restrict = Callable[..., None]


@pytest.fixture
def restrict(monkeypatch: pytest.MonkeyPatch) -> Restrict:
    """Give a function that sets ``ALLOWED_PREFIXES``."""

    def act(rules: object = RULES) -> None:
        monkeypatch.setenv("ALLOWED_PREFIXES", rules if isinstance(rules, str) else json.dumps(rules))
        app.load_settings.cache_clear()
        clients._read_tags.cache_clear()

    return act


def post_as(service: Service, authorizer: dict[str, Any], **body: object) -> Answer:
    event = load_event("create_job")
    event["requestContext"]["authorizer"] = authorizer
    return service.post(body, event=event)


def as_user(**claims: object) -> dict[str, Any]:
    return {"jwt": {"claims": {"sub": "user-1", **claims}}}


def as_iam(arn: str) -> dict[str, Any]:
    return {"iam": {"userArn": arn}}


ROLE = as_iam("arn:aws:sts::123456789012:assumed-role/Reports/s")
FINANCE = as_user(team="finance")


@pytest.mark.parametrize(
    ("authorizer", "allowed"),
    [
        (FINANCE, ["finance/", "shared/"]),
        (as_user(team="[finance hr]"), ["finance/", "hr/", "shared/"]),
        (as_user(team=["hr"]), ["hr/"]),
        (as_user(team="sales"), ["public/"]),
        (as_user(), ["public/"]),
        (as_user(team=5), ["public/"]),
        (as_iam("arn:aws:sts::123456789012:assumed-role/Nightly/s"), ["nightly/"]),
        (as_iam("arn:aws:sts::210987654321:assumed-role/Nightly/s"), ["public/"]),
        ({}, ["public/"]),
    ],
)
def test_a_callers_prefixes_follow_from_claim_or_principal(
    service: Service, restrict: Restrict, authorizer: dict[str, Any], allowed: list[str]
) -> None:
    restrict({**RULES, "tag": None})
    for prefix in allowed:
        assert post_as(service, authorizer, keys=[f"{prefix}a.pdf"], prefix=prefix).status == 202
    assert service.read_jobs()[0]["allowedPrefixes"] == allowed
    assert post_as(service, authorizer, keys=["elsewhere/a.pdf"]).body["code"] == "key_not_allowed"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"keys": ["finance/a", "hr/b", "shared/c", "FINANCE/d"]}, ["keys[1]", "keys[3]"]),
        ({"prefix": "hr/"}, ["prefix"]),
        ({"prefix": "fin"}, ["prefix"]),
        ({"prefix": "finance"}, ["prefix"]),
        ({"prefix": "/"}, ["prefix"]),
        ({"manifestKey": "hr/list.txt"}, ["manifestKey"]),
        ({"keys": ["finance/a"], "prefix": "h", "manifestKey": "m"}, ["prefix", "manifestKey"]),
        ({"keys": ["finance/a"], "targetPrefix": "hr/"}, ["targetPrefix"]),
        ({"keys": ["finance/a"], "targetPrefix": "finance"}, ["targetPrefix"]),
    ],
)
def test_what_a_caller_may_not_use_is_refused_by_name(
    service: Service, restrict: Restrict, body: dict[str, object], fields: list[str]
) -> None:
    restrict()
    answer = post_as(service, FINANCE, **body)
    assert (answer.status, answer.body["code"], answer.fields) == (403, "key_not_allowed", fields)
    assert service.read_jobs() == []
    assert service.read_messages() == []


@pytest.mark.parametrize("target", ["zips/", "zips/mine/", "finance/out/"])
def test_archives_go_to_the_default_prefix_or_the_callers_own(
    service: Service, restrict: Restrict, target: str
) -> None:
    restrict()
    assert post_as(service, FINANCE, keys=["finance/a"], targetPrefix=target).status == 202


def test_the_empty_prefix_stands_for_every_key(service: Service, restrict: Restrict) -> None:
    restrict()
    assert post_as(service, as_user(team="all"), keys=["anything"], targetPrefix="any/").status == 202
    assert "allowedPrefixes" not in service.read_job()


def test_without_rules_every_caller_may_archive_every_key(service: Service) -> None:
    assert post_as(service, FINANCE, keys=["hr/a"]).status == 202
    assert "allowedPrefixes" not in service.read_job()


def test_who_has_no_prefix_may_archive_nothing(service: Service, restrict: Restrict) -> None:
    restrict({"claim": "team", "values": {}})
    assert post_as(service, FINANCE, keys=["finance/a"]).status == 403


@pytest.mark.parametrize(
    "body", [{"keys": [".zip-jobs/x.json"]}, {"prefix": ".zip-jobs/"}, {"manifestKey": ".zip-jobs/x"}]
)
def test_the_services_own_objects_are_nobodys_to_archive(service: Service, body: dict[str, object]) -> None:
    answer = service.post(body)
    assert (answer.status, answer.body["code"]) == (403, "key_not_allowed")


def make_role(name: str, **tags: str) -> None:
    boto3.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument="{}", Tags=[{"Key": key, "Value": one} for key, one in tags.items()]
    )


def test_the_tag_of_the_callers_role_decides(service: Service, restrict: Restrict) -> None:
    restrict()
    make_role("Reports", team="hr", other="finance")
    assert post_as(service, ROLE, keys=["hr/a"]).status == 202
    assert post_as(service, ROLE, keys=["finance/a"]).status == 403


def test_the_tag_of_a_user_decides(service: Service, restrict: Restrict) -> None:
    restrict()
    boto3.client("iam").create_user(UserName="alice", Tags=[{"Key": "team", "Value": "finance"}])
    alice = as_iam("arn:aws:iam::123456789012:user/alice")
    assert post_as(service, alice, keys=["finance/a"]).status == 202
    assert post_as(service, alice, keys=["hr/a"]).status == 403


def test_a_role_without_the_tag_has_the_default(service: Service, restrict: Restrict) -> None:
    restrict()
    make_role("Reports", colour="hr")
    assert post_as(service, ROLE, keys=["public/a"]).status == 202


def test_a_namesake_in_another_account_does_not_get_the_roles_tags(service: Service, restrict: Restrict) -> None:
    restrict()
    make_role("Reports", team="hr")
    stranger = as_iam("arn:aws:sts::210987654321:assumed-role/Reports/s")
    assert post_as(service, stranger, keys=["hr/a"]).status == 403


@pytest.mark.parametrize("arn", ["arn:aws:iam::123456789012:root", "arn:aws:sts::123456789012:federated-user/bob"])
def test_identities_that_have_no_tags_have_the_default(service: Service, restrict: Restrict, arn: str) -> None:
    restrict()
    assert post_as(service, as_iam(arn), keys=["public/a"]).status == 202


def test_tags_that_iam_does_not_tell_let_nobody_in(service: Service, restrict: Restrict) -> None:
    restrict()
    clients.get_iam().meta.events.register_first("before-call.iam.ListRoleTags", lambda **_: lose_connection(), "down")
    try:
        assert post_as(service, ROLE, keys=["public/a"]).status == 503
    finally:
        clients.get_iam().meta.events.unregister("before-call.iam.ListRoleTags", unique_id="down")
    assert service.read_jobs() == []


def test_tags_are_asked_for_once_a_minute(service: Service, restrict: Restrict) -> None:
    restrict()
    make_role("Reports", team="hr")
    calls: list[str] = []
    clients.get_iam().meta.events.register("before-call.iam", lambda model, **_: calls.append(model.name), "count")
    for _ in range(3):
        post_as(service, ROLE, keys=["hr/a"])
    clients.get_iam().meta.events.unregister("before-call.iam", unique_id="count")
    assert len(calls) <= 2, "two where a minute ends meanwhile"


@pytest.mark.parametrize(
    "rules",
    [
        "finance/",
        "[]",
        {"values": {"a": "finance/"}},
        {"values": {"a": [1]}},
        {"values": ["a"]},
        {"default": "x"},
        {"claims": "team"},
        {"claim": ["team"]},
    ],
)
def test_rules_that_cannot_be_read_let_nobody_in(service: Service, restrict: Restrict, rules: object) -> None:
    restrict(rules)
    assert post_as(service, FINANCE, keys=["finance/a"]).status == 500

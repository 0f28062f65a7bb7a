import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.tiers import scale
from tests.unit.api_document import load_event
from tests.unit.api_document.api_document import load_document
from tests.unit.zip_enqueue.conftest import Service
from zip_enqueue import app

GOOD = {"keys": ["a"]}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "  ",
        "nothing",
        '{"keys": ["a"]',
        '{"keys": ["a"]} more',
        "[]",
        "null",
        '"keys"',
        "1",
        '{"keys": ["a"], "presignTtlSeconds": NaN}',
        '{"keys": ["a"], "presignTtlSeconds": -Infinity}',
        '{"keys": ["a"], "presignTtlSeconds": ' + "9" * 5000 + "}",
        "[" * 200_000,
        '{"keys":' * 100_000,
        '\ufeff{"keys": ["a"]}',
        "{'keys': ['a']}",
    ],
    ids=range(16),
)
def test_a_body_that_is_no_json_object_is_refused(service: Service, body: str) -> None:
    answer = service.post(body)
    assert (answer.status, answer.fields) == (400, ["body"])
    assert service.read_jobs() == []


def test_a_missing_body_is_refused(service: Service) -> None:
    event = load_event("create_job")
    del event["body"]
    assert service.post(event=event).fields == ["body"]


@pytest.mark.parametrize("body", [base64.b64encode(b'{"keys": ["\xff"]}').decode(), "%%%", "e", "é"])
def test_an_encoded_body_that_is_no_utf8_is_refused(service: Service, body: str) -> None:
    answer = service.post(body, event=load_event("create_job_base64"))
    assert (answer.status, answer.fields) == (400, ["body"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"keys": []}, "keys"),
        ({"keys": "a"}, "keys"),
        ({"keys": None}, "keys"),
        ({"keys": {"0": "a"}}, "keys"),
        ({"keys": ["a", "b", "c", ""]}, "keys[3]"),
        ({"keys": ["a", 1]}, "keys[1]"),
        ({"keys": ["a", None]}, "keys[1]"),
        ({"keys": ["é" * 513]}, "keys[0]"),
        ({"keys": ["\ud800"]}, "keys[0]"),
        ({"prefix": ""}, "prefix"),
        ({"prefix": None}, "prefix"),
        ({"prefix": "x" * 1025}, "prefix"),
        ({"manifestKey": ""}, "manifestKey"),
        ({"manifestKey": ["a"]}, "manifestKey"),
        ({"sourceBucket": ""}, "sourceBucket"),
        ({"sourceBucket": 1}, "sourceBucket"),
        ({"targetBucket": True}, "targetBucket"),
        ({"targetPrefix": ""}, "targetPrefix"),
        ({"targetPrefix": "/zips/"}, "targetPrefix"),
        ({"targetPrefix": ".zip-jobs/"}, "targetPrefix"),
        ({"targetPrefix": ".zip-jobs/a/"}, "targetPrefix"),
        ({"targetPrefix": "x" * 985}, "targetPrefix"),
        ({"targetPrefix": "zips/../up/"}, "targetPrefix"),
        ({"targetPrefix": "../"}, "targetPrefix"),
        ({"targetPrefix": "./zips/"}, "targetPrefix"),
        ({"targetPrefix": "zips/."}, "targetPrefix"),
        ({"targetPrefix": "zips/.."}, "targetPrefix"),
        ({"targetPrefix": "zips/\u0007/"}, "targetPrefix"),
        ({"targetPrefix": "zips/\n"}, "targetPrefix"),
        ({"targetPrefix": "zips/\x7f"}, "targetPrefix"),
        ({"targetPrefix": "zips/\x9f"}, "targetPrefix"),
        ({"targetPrefix": "zips/\u2028"}, "targetPrefix"),
        ({"targetPrefix": "zips/\uffff"}, "targetPrefix"),
        ({"targetPrefix": "x" * 800, "archiveName": "y" * 200}, "targetPrefix"),
        ({"archiveName": ""}, "archiveName"),
        ({"archiveName": "  "}, "archiveName"),
        ({"archiveName": "\u00a0\u3000"}, "archiveName"),
        ({"archiveName": "a\uffff"}, "archiveName"),
        ({"archiveName": "a/b.zip"}, "archiveName"),
        ({"archiveName": "a\\b.zip"}, "archiveName"),
        ({"archiveName": "a\r\nSet-Cookie: b.zip"}, "archiveName"),
        ({"archiveName": "a\x7f.zip"}, "archiveName"),
        ({"archiveName": "a\u202egpj.zip"}, "archiveName"),
        ({"archiveName": "é" * 126}, "archiveName"),
        ({"archiveName": "\udcff"}, "archiveName"),
        ({"paths": "flat"}, "paths"),
        ({"paths": []}, "paths"),
        ({"onMissing": "ignore"}, "onMissing"),
        ({"onUnreadable": ""}, "onUnreadable"),
        ({"onUnreadable": None}, "onUnreadable"),
        ({"onChanged": "latest"}, "onChanged"),
        ({"names": "windows"}, "names"),
        ({"compression": "zstd"}, "compression"),
        ({"compression": None}, "compression"),
        ({"computeCrc": "true"}, "computeCrc"),
        ({"presignTtlSeconds": 59}, "presignTtlSeconds"),
        ({"presignTtlSeconds": 604_801}, "presignTtlSeconds"),
        ({"presignTtlSeconds": 60.5}, "presignTtlSeconds"),
        ({"presignTtlSeconds": 10**400}, "presignTtlSeconds"),
        ({"presignTtlSeconds": "3600"}, "presignTtlSeconds"),
        ({"presignTtlSeconds": True}, "presignTtlSeconds"),
        ({"target_bucket": "target"}, "target_bucket"),
        ({"Keys": ["a"]}, "Keys"),
    ],
)
def test_a_wrong_field_is_named(service: Service, changes: dict[str, Any], field: str) -> None:
    answer = service.post(GOOD | changes)
    assert (answer.status, answer.fields, answer.body["code"]) == (400, [field], "invalid_field")
    assert answer.body["detail"].startswith(f"{field}: ")
    assert service.read_jobs() == []


@pytest.mark.parametrize("body", [{}, {"sourceBucket": "source"}])
def test_a_request_for_nothing_is_refused(service: Service, body: dict[str, str]) -> None:
    answer = service.post(body)
    assert (answer.status, answer.fields) == (400, ["keys"])
    assert "prefix" in answer.body["detail"]


def test_an_exponent_beyond_every_float_is_refused(service: Service) -> None:
    assert service.post('{"keys": ["a"], "presignTtlSeconds": 1e999}').fields == ["presignTtlSeconds"]


def test_all_wrong_fields_are_told_at_once(service: Service) -> None:
    answer = service.post({"paths": 1, "onMissing": 2, "presignTtlSeconds": 3, "more": 4})
    assert answer.fields == ["paths", "onMissing", "presignTtlSeconds", "more", "keys"]
    assert answer.body["detail"].endswith("(and 4 more)")


def test_a_hundred_of_many_wrong_fields_are_told(service: Service) -> None:
    answer = service.post({"keys": [""] * 100_000})
    assert answer.fields[-1] == "keys[99]"
    assert answer.body["detail"].endswith("(and 99999 more)")


def test_a_long_field_name_is_cut(service: Service) -> None:
    (field,) = service.post(GOOD | {"x" * 1_000_000: 1}).fields
    assert len(field) < 200


@pytest.mark.parametrize("name", ["sourceBucket", "targetBucket"])
def test_a_bucket_that_is_not_configured_is_forbidden(service: Service, name: str) -> None:
    answer = service.post(GOOD | {name: "someone-elses"})
    assert (answer.status, answer.fields) == (403, [name])
    assert "other-" not in answer.text, "which buckets there are is not told"
    assert service.read_jobs() == []


def test_a_source_bucket_is_no_target_bucket(service: Service) -> None:
    assert service.post(GOOD | {"targetBucket": "source"}).status == 403


@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_above_the_limit_is_refused_with_advice(
    service: Service, monkeypatch: pytest.MonkeyPatch, encoded: bool
) -> None:
    monkeypatch.setenv("MAX_BODY_BYTES", "1000")
    app.load_settings.cache_clear()
    body = json.dumps({"prefix": "a"}).ljust(1000)
    event = load_event("create_job") | {"isBase64Encoded": encoded}

    def encode(text: str) -> str:
        return base64.b64encode(text.encode()).decode() if encoded else text

    assert service.post(encode(body), event=event).status == 202
    answer = service.post(encode(body + " "), event=event)
    assert answer.status == 413
    assert "prefix" in answer.body["detail"]
    assert "manifestKey" in answer.body["detail"]


def test_the_limit_counts_bytes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BODY_BYTES", "60")
    app.load_settings.cache_clear()
    assert service.post('{"prefix": "' + "é" * 40 + '"}').status == 413


def test_a_body_above_six_megabytes_is_refused(service: Service) -> None:
    assert service.post({"keys": ["x" * 1000] * 6300}).status == 413


def test_a_rejection_is_logged_without_the_callers_values(
    service: Service, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    service.post({"keys": ["secret"], "paths": "secret"})
    (line,) = log_lines()
    assert (line["event"], line["level"], line["status"]) == ("request_rejected", "INFO", 400)
    assert line["reason"].startswith("paths: ")
    assert "secret" not in json.dumps(line)


def test_a_job_and_its_repeat_are_logged(service: Service, log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    job_id = service.post(GOOD, key="k").body["jobId"]
    service.post(GOOD, key="k")
    created, repeated = log_lines()
    assert (created["event"], repeated["event"]) == ("job_created", "job_repeated")
    assert list(created)[:5] == ["level", "ts", "service", "event", "aws_request_id"]
    assert created["job_id"] == repeated["job_id"] == job_id
    assert (created["keys"], created["status"]) == (1, "PENDING")


TEXT = st.text(st.characters(), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(list(load_document()["components"]["schemas"]["ZipJobRequest"]["properties"]))
LIKELY = VALUES | st.sampled_from(["source", "target", "basename", "skip", "deflated", ["a"], 60])


@settings(max_examples=scale(300, 20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=VALUES | st.dictionaries(NAMES | TEXT, LIKELY, max_size=6))
def test_no_json_is_a_fault_of_ours(service: Service, document: object) -> None:
    answer = service.post(json.dumps(document))
    assert answer.status in {202, 400, 403}


@settings(max_examples=scale(200, 20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(st.characters(), max_size=60), encoded=st.booleans(), key=st.none() | TEXT)
def test_no_body_is_a_fault_of_ours(service: Service, body: str, encoded: bool, key: str | None) -> None:
    answer = service.post(body, key=key, event=load_event("create_job") | {"isBase64Encoded": encoded})
    assert answer.status == 400


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"keys": [""]}, "keys[0]: must not be empty"),
        ({"keys": []}, "keys: must have at least one entry"),
        ({"keys": "a"}, "keys: must be a list"),
        ({"keys": [1]}, "keys[0]: must be a text"),
        ({"paths": "flat"}, "paths: must be 'basename', 'relative' or 'full'"),
        ({"computeCrc": 1}, "computeCrc: must be true or false"),
        ({"presignTtlSeconds": "60"}, "presignTtlSeconds: must be a whole number"),
        ({"presignTtlSeconds": 59}, "presignTtlSeconds: must be at least 60"),
        ({"presignTtlSeconds": 604_801}, "presignTtlSeconds: must be at most 604800"),
        ({"key": "a"}, "key: is not a field of this request"),
        ({"onUnreadable": "ask"}, "onUnreadable: must be 'fail' or 'skip'"),
        (
            {"targetPrefix": "a/../b/"},
            "targetPrefix: must not have '.' or '..' as a segment: clients would resolve it, and miss the object",
        ),
    ],
)
def test_a_fault_is_told_in_this_apis_words(service: Service, changes: dict[str, Any], detail: str) -> None:
    assert service.post(GOOD | changes).body["detail"] == detail


@pytest.mark.parametrize("prefix", ["zips", "a.b/", ".../", "..a/", "a../", ".hidden/", "a//b/", "é ü/", "%2e%2e/"])
def test_a_prefix_that_only_looks_odd_is_accepted(service: Service, prefix: str) -> None:
    assert service.post(GOOD | {"targetPrefix": prefix}).status == 202


@pytest.mark.parametrize("prefix", ["/zips/", ".zip-jobs/", "a/../", "./", "zips/\x07"])
def test_a_default_prefix_that_a_request_could_not_name_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv("DST_PREFIX", prefix)
    app.load_settings.cache_clear()
    assert service.post(GOOD).status == 500
    assert service.read_jobs() == []

"""Objects that cannot be archived: found before anything is read, or while the archive is written."""

import io
import json
import threading
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.api_document.api_document import check_schema, load_document
from tests.unit.zip_worker.conftest import Aws
from tests.unit.zip_worker.test_app import deliver
from zip_worker import app, clients
from zip_worker.exceptions import ErrorCode

DOCS = {f"docs/{name}.txt": name.encode() * 10 for name in ("a", "b", "c", "d")}


@pytest.fixture(autouse=True)
def environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_NAME", "jobs")
    monkeypatch.setenv("QUEUE_URL", aws.queue_url)
    monkeypatch.setenv("LEASE_SECONDS", "3")
    monkeypatch.setenv("HEAD_THRESHOLD_KB", "0")
    app._settings.cache_clear()


@pytest.fixture
def calls(aws: Aws) -> list[tuple[str, str]]:
    """The S3 operations that the worker calls, and their keys."""
    del aws  # made first
    found: list[tuple[str, str]] = []
    events = clients.s3_client(30).meta.events
    events.register(
        "before-parameter-build.s3", lambda params, model, **_: found.append((model.name, params.get("Key", "")))
    )
    return found


def raise_if_fatal(monkeypatch: pytest.MonkeyPatch, operations: dict[str, str], keys: set[str]) -> None:
    """Have operations on the source's keys answer an error's code."""
    client = clients.s3_client(30)
    for operation, code in operations.items():
        real = getattr(client, operation)

        def call(real: Callable[..., Any] = real, code: str = code, operation: str = operation, **options: Any) -> Any:
            if options.get("Bucket") == "source" and options["Key"] in keys:
                raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
            return real(**options)

        monkeypatch.setattr(client, operation, call)


def names(aws: Aws) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(aws.archive())) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def read_list(aws: Aws, name: str) -> list[str]:
    item = aws.dynamodb.get_item(TableName="jobs", Key={"jobId": {"S": "job-1"}})["Item"]
    return [value["S"] for value in item[name]["L"]]


COLD = [("head_object", "403"), ("head_object", "400"), ("head_object", "KMS.DisabledException")]


@pytest.mark.parametrize(("operation", "code"), COLD)
@pytest.mark.parametrize("asked", ["keys", "prefix"])
def test_every_unreadable_key_is_named_before_anything_is_read(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, str]], operation: str, code: str, asked: str
) -> None:
    aws.put(DOCS)
    if asked == "keys":
        aws.put_job(keys=list(DOCS))
    else:
        aws.put_job(prefix="docs/")
    raise_if_fatal(monkeypatch, {operation: code}, {"docs/b.txt", "docs/d.txt"})
    assert deliver(aws) == [], "it is not tried again"
    job = aws.job()
    assert job["status"] == "FAILED"
    assert "'docs/b.txt'" in job["error"]
    assert "'docs/d.txt'" in job["error"]
    assert read_list(aws, "failedKeys") == ["docs/b.txt", "docs/d.txt"]
    assert not [key for name, key in calls if name == "GetObject" and key in DOCS]
    assert aws.target_keys() == []


def test_glacier_in_a_listing_is_found_before_anything_is_read(aws: Aws, calls: list[tuple[str, str]]) -> None:
    aws.put(DOCS)
    for key in ("docs/cold-1", "docs/cold-2"):
        aws.s3.put_object(Bucket="source", Key=key, Body=b"cold", StorageClass="GLACIER")
    aws.put_job(prefix="docs/")
    assert deliver(aws) == []
    job = aws.job()
    assert (job["status"], job["errorCode"]) == ("FAILED", "object_archived")
    assert read_list(aws, "failedKeys") == ["docs/cold-1", "docs/cold-2"]
    assert not [key for name, key in calls if name == "GetObject" and key in DOCS]


@pytest.mark.parametrize("policy", [{"onMissing": "skip"}, {"onMissing": "fail", "onUnreadable": "skip"}])
def test_unreadable_objects_are_left_out_where_that_is_asked_for(aws: Aws, policy: dict[str, str]) -> None:
    aws.put(DOCS)
    aws.s3.put_object(Bucket="source", Key="docs/cold", Body=b"cold", StorageClass="DEEP_ARCHIVE")
    aws.put_job(prefix="docs/", **policy)
    assert deliver(aws) == []
    assert (aws.job()["status"], aws.job()["skipped"]) == ("READY", "1")
    assert names(aws) == ["a.txt", "b.txt", "c.txt", "d.txt"]
    assert read_list(aws, "skippedKeys") == ["docs/cold"]


def test_missing_may_be_skipped_and_unreadable_not(aws: Aws) -> None:
    aws.put(DOCS)
    aws.s3.put_object(Bucket="source", Key="docs/cold", Body=b"cold", StorageClass="GLACIER")
    aws.put_job(keys=["docs/gone", "docs/cold", *DOCS], onMissing="skip", onUnreadable="fail")
    assert deliver(aws) == []
    assert aws.job()["errorCode"] == "object_archived"
    assert read_list(aws, "failedKeys") == ["docs/cold"]


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidRequest", "KMS.DisabledException", "InvalidObjectState"])
def test_what_only_reading_tells_names_every_key_too(aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A KMS key that is out of reach lets HeadObject pass."""
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    raise_if_fatal(monkeypatch, {"get_object": code}, {"docs/b.txt", "docs/d.txt"})
    assert deliver(aws) == []
    assert aws.job()["status"] == "FAILED"
    assert read_list(aws, "failedKeys") == ["docs/b.txt", "docs/d.txt"]
    assert (aws.target_keys(), aws.uploads_in_progress()) == ([], 0)


def test_what_only_reading_tells_can_be_left_out_too(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS), onUnreadable="skip")
    raise_if_fatal(monkeypatch, {"get_object": "AccessDenied"}, {"docs/b.txt", "docs/d.txt"})
    assert deliver(aws) == []
    assert (aws.job()["status"], names(aws)) == ("READY", ["a.txt", "c.txt"])
    assert read_list(aws, "skippedKeys") == ["docs/b.txt", "docs/d.txt"]


def after_survey(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do ``action`` once, right before the first read of a source."""
    client = clients.s3_client(30)
    done: list[bool] = []
    real = client.get_object
    lock = threading.Lock()  # sources are read by several threads: the others wait for the action

    def get_object(**options: Any) -> Any:
        if options["Bucket"] == "source":
            with lock:
                if not done:
                    done.append(True)
                    action()
        return real(**options)

    monkeypatch.setattr(client, "get_object", get_object)


def test_an_object_deleted_after_the_survey_is_skipped_and_listed(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS), onMissing="skip")
    after_survey(
        monkeypatch, lambda: [aws.s3.delete_object(Bucket="source", Key=key) for key in ("docs/c.txt", "docs/d.txt")]
    )
    assert deliver(aws) == []
    assert (aws.job()["status"], aws.job()["files"]) == ("READY", "2")
    assert names(aws) == ["a.txt", "b.txt"]
    assert read_list(aws, "skippedKeys") == ["docs/c.txt", "docs/d.txt"]


@pytest.mark.parametrize("policy", [{}, {"onMissing": "skip"}, {"onUnreadable": "skip"}])
def test_a_changed_object_fails_the_job_unless_its_own_setting_says_otherwise(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, policy: dict[str, str]
) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS), **policy)
    after_survey(monkeypatch, lambda: aws.put({"docs/c.txt": b"changed"}))
    assert deliver(aws) == []
    assert (aws.job()["status"], aws.job()["errorCode"]) == ("FAILED", "object_changed")
    assert read_list(aws, "failedKeys") == ["docs/c.txt"]


def test_a_changed_object_is_left_out_where_that_is_asked_for(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS), onChanged="skip")
    after_survey(monkeypatch, lambda: aws.put({"docs/c.txt": b"changed"}))
    assert deliver(aws) == []
    assert (aws.job()["status"], names(aws)) == ("READY", ["a.txt", "b.txt", "d.txt"])


def test_objects_that_keep_disappearing_do_not_keep_a_worker_for_ever(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = {f"docs/{number:02d}": b"x" for number in range(20)}
    aws.put(docs)
    aws.put_job(keys=list(docs), onMissing="skip")
    client = clients.s3_client(30)
    real, left = client.get_object, sorted(docs)

    def get_object(**options: Any) -> Any:
        if options["Bucket"] == "source" and "Range" not in options and options["Key"] == left[-1]:
            aws.s3.delete_object(Bucket="source", Key=left.pop())
        return real(**options)

    monkeypatch.setattr(client, "get_object", get_object)
    assert len(deliver(aws)) == 1
    assert "kept disappearing" in aws.job()["lastError"]
    assert aws.uploads_in_progress() == 0


def test_nothing_left_is_a_failure_with_all_keys(aws: Aws) -> None:
    aws.put_job(keys=["gone-1", "gone-2"], onMissing="skip")
    deliver(aws)
    job = aws.job()
    assert (job["status"], job["errorCode"]) == ("FAILED", "nothing_to_archive")
    assert job["error"] == "nothing to archive: none of the 2 objects exists"
    assert read_list(aws, "failedKeys") == ["gone-1", "gone-2"]


def test_an_empty_manifest_is_called_empty(aws: Aws) -> None:
    aws.put({"lists/m.txt": b"\n\n"})
    aws.put_job(manifestKey="lists/m.txt")
    deliver(aws)
    assert aws.job()["error"] == "nothing to archive: manifest 'lists/m.txt' names no keys"


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_long_list_of_keys_is_an_object_of_its_own(aws: Aws, policy: str) -> None:
    aws.put(DOCS)
    gone = [f"gone/{number:03d}.pdf" for number in range(150)]
    aws.put_job(keys=[*gone, *DOCS], onMissing=policy)
    deliver(aws)
    job = aws.job()
    assert read_list(aws, "skippedKeys" if policy == "skip" else "failedKeys") == gone[:100]
    assert job["keyReportKey"] == "zips/job-1.zip.keys.jsonl"
    raw = aws.s3.get_object(Bucket="target", Key=job["keyReportKey"])["Body"].read()
    lines = [json.loads(line) for line in raw.splitlines()]
    assert lines == [{"key": key, "code": "object_missing", "detail": "does not exist"} for key in gone]
    for key in aws.target_keys():
        tags = aws.s3.get_object_tagging(Bucket="target", Key=key)["TagSet"]
        assert tags == [{"Key": "sluice-zip-jobs", "Value": "archive"}], "it ends with its job"


def test_a_list_that_cannot_be_written_does_not_cost_the_job_its_end(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=[*(f"gone/{number}" for number in range(150)), *DOCS], onMissing="skip")
    client = clients.s3_client(30)
    real = client.put_object

    def put_object(**options: Any) -> Any:
        if options["Key"].endswith(".jsonl"):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
        return real(**options)

    monkeypatch.setattr(client, "put_object", put_object)
    assert deliver(aws) == []
    assert (aws.job()["status"], aws.job()["skipped"]) == ("READY", "150")
    assert "keyReportKey" not in aws.job()


@pytest.mark.parametrize("policy", ["fail", "skip"])
@pytest.mark.parametrize("request_", [{"keys": ["docs/a.txt", "hr/pay.txt"]}, {"manifestKey": "docs/list"}])
def test_keys_outside_the_owners_prefixes_fail_the_job_untouched(
    aws: Aws, calls: list[tuple[str, str]], policy: str, request_: dict[str, Any]
) -> None:
    aws.put(DOCS | {"hr/pay.txt": b"secret", "docs/list": b"docs/a.txt\nhr/pay.txt\nhr/none.txt\n"})
    aws.put_job(**request_, allowedPrefixes=["docs/", "public/"], onMissing=policy)
    deliver(aws)
    job = aws.job()
    assert (job["status"], job["errorCode"]) == ("FAILED", "key_not_allowed")
    assert read_list(aws, "failedKeys")[0] == "hr/pay.txt"
    assert not [key for _, key in calls if key.startswith("hr/")], "whether they exist is not looked at"


def test_a_prefix_leaves_out_the_services_own_objects(aws: Aws) -> None:
    aws.put({".zip-jobs/other.json": b"[]", ".z/a.txt": b"a"})
    aws.put_job(prefix=".z")
    deliver(aws)
    assert names(aws) == ["a.txt"]


def test_the_codes_of_jobs_are_those_of_the_document() -> None:
    assert sorted(load_document()["components"]["schemas"]["ErrorCode"]["enum"]) == sorted(ErrorCode)
    check_schema("object_missing", "components", "schemas", "ErrorCode")

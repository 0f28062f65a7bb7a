import json
import time
import uuid

import pytest

from tests.unit.api_document import load_event
from tests.unit.api_document.api_document import load_document
from tests.unit.zip_enqueue.conftest import Service, lose_connection
from zip_enqueue import app, clients
from zip_enqueue.clients import AwsBackend
from zip_enqueue.job_record import JobRecord
from zip_enqueue.settings import Settings


def test_a_job_is_recorded_listed_and_queued(service: Service) -> None:
    answer = service.post({"keys": ["uploads/a.pdf", "uploads/é.pdf"]})
    job_id = answer.body["jobId"]
    assert (answer.status, answer.body["status"]) == (202, "PENDING")
    assert answer.headers["location"] == f"zip-jobs/{uuid.UUID(job_id)}"
    assert answer.headers["retry-after"] == "2"
    assert service.read_key_list(job_id) == ["uploads/a.pdf", "uploads/é.pdf"]
    assert service.read_messages() == [{"jobId": job_id}]
    job = service.read_job()
    assert job["createdAt"].startswith(job["day"])
    assert float(job["ttl"]) == pytest.approx(time.time() + 30 * 86_400, abs=60)
    del job["createdAt"], job["day"], job["ttl"], job["requestHash"]
    assert job == {
        "jobId": job_id,
        "owner": "anonymous",
        "status": "PENDING",
        "phase": "queued",
        "sourceBucket": "source",
        "targetBucket": "target",
        "targetKey": f"zips/{job_id}.zip",
        "archiveName": f"{job_id}.zip",
        "keyListKey": f".zip-jobs/{job_id}.json",
        "filesTotal": 2,
        "paths": "basename",
        "names": "portable",
        "onMissing": "fail",
        "onUnreadable": "fail",
        "onChanged": "fail",
        "compression": "stored",
        "computeCrc": False,
        "presignTtlSeconds": 86_400,
        "idempotent": False,
    }


def test_every_option_reaches_the_job(service: Service) -> None:
    options = {
        "sourceBucket": "other-source",
        "targetBucket": "other-target",
        "targetPrefix": "out/",
        "keys": ["a/1"],
        "prefix": "a/",
        "manifestKey": "lists/a.txt",
        "archiveName": "année.zip",
        "paths": "relative",
        "onMissing": "skip",
        "compression": "deflated",
        "computeCrc": True,
        "presignTtlSeconds": 60,
    }
    job_id = service.post(options).body["jobId"]
    job = service.read_job()
    assert job["targetKey"] == f"out/{job_id}/année.zip"
    assert service.read_key_list(job_id, "other-target") == ["a/1"]
    assert "filesTotal" not in job, "the worker counts what a prefix and a manifest hold"
    del options["keys"], options["targetPrefix"]
    assert {name: job[name] for name in options} == options


@pytest.mark.parametrize("source", [{"prefix": "a/"}, {"manifestKey": "list.txt"}])
def test_a_job_without_keys_has_no_key_list(service: Service, source: dict[str, str]) -> None:
    assert service.post(source).status == 202
    assert "keyListKey" not in service.read_job()
    assert "Contents" not in service.s3.list_objects_v2(Bucket="target")


@pytest.mark.parametrize(("given", "named"), [("a", "a.zip"), ("A.ZIP", "A.ZIP"), ("a.zip", "a.zip"), ("..", "...zip")])
def test_the_archive_is_called_zip(service: Service, given: str, named: str) -> None:
    service.post({"prefix": "a", "archiveName": given})
    assert service.read_job()["archiveName"] == named


def test_the_configured_prefix_and_lifetime_are_the_defaults(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DST_PREFIX", "bundles/")
    monkeypatch.setenv("PRESIGN_TTL_SECONDS", "120")
    app.load_settings.cache_clear()
    service.post()
    job = service.read_job()
    assert job["targetKey"].startswith("bundles/")
    assert job["presignTtlSeconds"] == 120


def test_a_whole_number_may_be_written_with_a_fraction(service: Service) -> None:
    assert service.post('{"prefix": "a", "presignTtlSeconds": 3600.0}').status == 202
    assert service.read_job()["presignTtlSeconds"] == 3600


def test_a_body_may_come_in_base64_under_any_content_type(service: Service) -> None:
    answer = service.post(event=load_event("create_job_base64"))
    assert answer.status == 202
    assert service.read_key_list(answer.body["jobId"]) == ["uploads/a.pdf", "uploads/b.pdf"]


def test_the_last_of_two_equal_names_counts(service: Service) -> None:
    assert service.post('{"prefix": "a", "prefix": "b"}').status == 202
    assert service.read_job()["prefix"] == "b"


def test_a_hundred_thousand_keys_are_accepted(service: Service) -> None:
    keys = [f"uploads/2026/{number:08}/a-document-of-some-length.pdf" for number in range(100_000)]
    body = json.dumps({"keys": keys}, separators=(",", ":"))
    assert 5_000_000 < len(body) < 6_291_456
    answer = service.post(body)
    assert answer.status == 202
    assert service.read_key_list(answer.body["jobId"]) == keys
    assert len(json.dumps(service.read_job(), default=str)) < 2000


@pytest.mark.parametrize("operation", ["dynamodb.PutItem", "s3.PutObject", "sqs.SendMessage"])
def test_a_failing_service_leaves_no_ghost_and_tells_no_internals(service: Service, operation: str) -> None:
    service.intercept(operation, lose_connection)
    answer = service.post()
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "secret" not in answer.text
    assert service.read_jobs() == []
    assert service.read_messages() == []
    assert service.post().status == 202


@pytest.mark.parametrize("failing", [None, "sqs.SendMessage"])
def test_a_write_whose_answer_was_lost_is_recognised(
    service: Service, monkeypatch: pytest.MonkeyPatch, failing: str | None
) -> None:
    """The SDK repeats such a write by itself, and the second try finds the id taken."""
    write = AwsBackend.create_job

    def write_twice(backend: AwsBackend, item: JobRecord) -> bool:
        write(backend, item)
        return write(backend, item)

    monkeypatch.setattr(AwsBackend, "create_job", write_twice)
    if failing:
        service.intercept(failing, lose_connection)
    assert service.post().status == (503 if failing else 202)
    assert len(service.read_jobs()) == len(service.read_messages()) == (0 if failing else 1)


def test_a_fault_of_ours_is_a_500_that_tells_no_internals(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BODY_BYTES", "plenty")
    app.load_settings.cache_clear()
    answer = service.post()
    assert answer.status == 500
    assert "MAX_BODY_BYTES" not in answer.text


def test_the_documented_examples_are_accepted(service: Service) -> None:
    request = load_document()["paths"]["/zip-jobs"]["post"]["requestBody"]["content"]["application/json"]
    for example in request["examples"].values():
        assert service.post(example["value"]).status == 202


@pytest.mark.usefixtures("service")
def test_an_emulator_is_addressed_by_path() -> None:
    names = {"TABLE_NAME": "t", "QUEUE_URL": "q", "SOURCE_BUCKETS": "s", "TARGET_BUCKETS": "t"}
    assert not Settings.from_environment(names).path_style
    assert Settings.from_environment(names | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}).path_style
    hosts = [
        clients.get_s3(path_style=style).generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "k"})
        for style in (True, False)
    ]
    assert "/bucket/k?" in hosts[0]
    assert "//bucket." in hosts[1]

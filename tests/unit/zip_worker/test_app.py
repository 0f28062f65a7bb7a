"""The handler from SQS event to job item, against moto."""

import io
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.zip_worker.conftest import Aws, Context
from zip_worker import app, clients
from zip_worker.app import lambda_handler
from zip_worker.jobs.table import JobTable
from zip_worker.schemas import Archive


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="zip_worker")


@pytest.fixture(autouse=True)
def environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_NAME", "jobs")
    monkeypatch.setenv("QUEUE_URL", aws.queue_url)
    monkeypatch.setenv("LEASE_SECONDS", "3")
    app._settings.cache_clear()


def deliver(
    aws: Aws, body: str = '{"jobId": "job-1"}', receives: int = 1, context: Context | None = None, send: bool = True
) -> list[str]:
    """Send a message, receive it as Lambda would, run the handler; return the ids that are to come back."""
    if send:
        aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody=body)
    message = aws.sqs.receive_message(QueueUrl=aws.queue_url)["Messages"][0]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }
    answer = lambda_handler({"Records": [record]}, context or Context())
    failures = answer["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failures] in ([], [message["MessageId"]])
    return [failure["itemIdentifier"] for failure in failures]


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "zip_worker"]


def record_hiding(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The visibility timeouts that messages are given, in seconds."""
    hidden: list[int] = []
    monkeypatch.setattr(app, "_change_visibility", lambda _url, _receipt, seconds: hidden.append(seconds))
    return hidden


def fail_reads(monkeypatch: pytest.MonkeyPatch, code: str, on: str = "docs/b.txt") -> None:
    client = clients.s3_client(30)
    real = client.get_object

    def get_object(**options: Any) -> Any:
        if options["Key"] == on:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")
        return real(**options)

    monkeypatch.setattr(client, "get_object", get_object)


DOCS = {"docs/a.txt": b"alpha", "docs/b.txt": b"beta" * 1000, "docs/empty.txt": b""}


def test_job_becomes_ready_with_a_correct_archive(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    assert deliver(aws) == []
    raw = aws.archive()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.txt": b"alpha",
            "b.txt": b"beta" * 1000,
            "empty.txt": b"",
        }
    job = aws.job()
    assert job["status"] == "READY"
    assert job["sizeBytes"] == str(len(raw))
    assert job["crc32"] == f"{zlib.crc32(raw):08x}"
    assert (job["files"], job["skipped"]) == ("3", "0")
    assert "leaseOwner" not in job
    assert aws.target_keys() == ["zips/job-1.zip"], "the key list is gone"
    assert events(caplog) == ["job_started", "job_ready"]


def test_prefix_and_manifest_and_keys_are_joined_without_repeating_what_was_named(aws: Aws) -> None:
    aws.put(DOCS | {"docs/c.txt": b"c", "lists/m.txt": b"docs/b.txt\ndocs/empty.txt\n"})
    aws.put_job(keys=["docs/a.txt"], prefix="docs/", manifestKey="lists/m.txt")
    assert deliver(aws) == []
    with zipfile.ZipFile(io.BytesIO(aws.archive())) as archive:
        assert archive.namelist() == ["a.txt", "b.txt", "empty.txt", "c.txt"]


def test_archive_of_many_parts_equals_its_sources(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_PART_SIZE", str(5 * 2**20))
    monkeypatch.setenv("S3_READ_CHUNK", str(2**20))
    big = bytes(range(256)) * 4096 * 12  # 12 MiB
    aws.put({"big.bin": big, "small.bin": b"x", "big2.bin": big[::-1]})
    aws.put_job(keys=["big.bin", "small.bin", "big2.bin"])
    assert deliver(aws) == []
    with zipfile.ZipFile(io.BytesIO(aws.archive())) as archive:
        assert archive.testzip() is None
        assert archive.read("big.bin") == big
        assert archive.read("big2.bin") == big[::-1]
    assert aws.job()["crc32"] == f"{zlib.crc32(aws.archive()):08x}"
    assert aws.uploads_in_progress() == 0


def test_missing_objects_fail_the_job_with_their_names(aws: Aws) -> None:
    aws.put(DOCS)
    aws.put_job(keys=["docs/a.txt", "docs/gone.txt"])
    assert deliver(aws) == []
    job = aws.job()
    assert job["status"] == "FAILED"
    assert job["error"] == "1 of the objects do not exist: 'docs/gone.txt'"
    assert aws.target_keys() == []


def test_missing_objects_are_skipped_and_listed_when_asked_for(aws: Aws) -> None:
    aws.put(DOCS)
    aws.put_job(keys=["docs/a.txt", "docs/gone.txt"], onMissing="skip")
    assert deliver(aws) == []
    job = aws.job()
    assert (job["status"], job["files"], job["skipped"]) == ("READY", "1", "1")
    assert "docs/gone.txt" in job["skippedKeys"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"prefix": "none/"}, "no objects under prefix 'none/' in bucket source"),
        ({"manifestKey": "none.txt"}, "manifestKey 'none.txt' does not exist"),
    ],
)
def test_job_with_nothing_to_archive_fails_clearly(aws: Aws, changes: dict[str, str], error: str) -> None:
    aws.put_job(**changes)
    assert deliver(aws) == []
    assert aws.job()["status"] == "FAILED"
    assert error in aws.job()["error"]


def test_job_above_the_member_limit_fails(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_MEMBERS", "2")
    aws.put(DOCS)
    aws.put_job(prefix="docs/")
    assert deliver(aws) == []
    assert "more than 2 objects" in aws.job()["error"]


def test_passing_failure_returns_the_message_and_notes_why(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    fail_reads(monkeypatch, "SlowDown")
    hidden = record_hiding(monkeypatch)
    assert len(deliver(aws)) == 1
    assert hidden[-1] == 5, "it comes back soon"
    job = aws.job()
    assert (job["status"], job["phase"]) == ("PENDING", "queued")
    assert job["lastError"] == "GetObject failed: SlowDown"
    assert "leaseOwner" not in job
    assert aws.uploads_in_progress() == 0


def test_job_succeeds_on_the_try_after_a_passing_failure(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    with monkeypatch.context() as patch:
        fail_reads(patch, "SlowDown")
        deliver(aws)
    assert deliver(aws, receives=2) == []
    job = aws.job()
    assert job["status"] == "READY"
    assert "lastError" not in job


def test_last_receive_turns_a_passing_failure_into_failed(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    fail_reads(monkeypatch, "SlowDown")
    assert deliver(aws, receives=3) == []
    assert aws.job()["error"] == "gave up after 3 attempts: GetObject failed: SlowDown"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDenied", "GetObject failed: access was denied"),
        ("403", "GetObject failed: access was denied"),
        ("InvalidObjectState", "must be restored first"),
        ("PreconditionFailed", "'docs/b.txt' was changed or deleted while it was archived"),
    ],
)
def test_failure_that_will_not_pass_fails_the_job_at_once(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, code: str, error: str
) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    fail_reads(monkeypatch, code)
    assert deliver(aws) == []
    assert aws.job()["status"] == "FAILED"
    assert error in aws.job()["error"]
    assert aws.target_keys() == []


def test_second_delivery_of_a_ready_job_does_nothing(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    deliver(aws)
    before = (aws.job(), aws.archive())
    caplog.clear()
    assert deliver(aws, receives=2) == []
    assert (aws.job(), aws.archive()) == before
    assert events(caplog) == ["job_already_ended"]


def test_cancelled_job_is_not_worked_on_and_its_stale_upload_goes(aws: Aws) -> None:
    aws.put_job(status="CANCELLED")
    aws.s3.create_multipart_upload(Bucket="target", Key="zips/job-1.zip")
    assert deliver(aws, receives=2) == []
    assert aws.uploads_in_progress() == 0
    assert aws.job()["status"] == "CANCELLED"


def lease_elsewhere(aws: Aws, message_id: str, seconds: float) -> None:
    aws.dynamodb.update_item(
        TableName="jobs",
        Key={"jobId": {"S": "job-1"}},
        UpdateExpression="SET leaseOwner = :o, leaseExpiresAt = :t, leaseMessageId = :m, receives = :one",
        ExpressionAttributeValues={
            ":o": {"S": "another"},
            ":t": {"N": str(time.time() + seconds)},
            ":m": {"S": message_id},
            ":one": {"N": "1"},
        },
    )


def test_duplicate_message_of_a_leased_job_is_dropped(aws: Aws) -> None:
    aws.put_job(prefix="docs/")
    lease_elsewhere(aws, "another-message", 60)
    assert deliver(aws) == []
    assert aws.job()["leaseOwner"] == "another"


def test_same_message_while_its_lease_lives_comes_back(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put_job(prefix="docs/")
    sent = aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody='{"jobId": "job-1"}')
    leased = time.time()
    lease_elsewhere(aws, sent["MessageId"], 60)
    hidden = record_hiding(monkeypatch)
    assert deliver(aws, send=False, receives=2) == [sent["MessageId"]]
    (seconds,) = hidden
    assert time.time() + seconds >= leased + 60, "until the lease has run out"
    assert seconds <= 61
    assert aws.job()["leaseOwner"] == "another"


def test_expired_lease_is_taken_over_and_the_dead_workers_upload_goes(aws: Aws) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    lease_elsewhere(aws, "m", -1)
    aws.dynamodb.update_item(
        TableName="jobs",
        Key={"jobId": {"S": "job-1"}},
        UpdateExpression="SET attempts = :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    aws.s3.create_multipart_upload(Bucket="target", Key="zips/job-1.zip")
    assert deliver(aws, receives=2) == []
    assert aws.job()["status"] == "READY"
    assert aws.uploads_in_progress() == 0


@pytest.mark.parametrize("body", ["", "not json", "[]", "{}", '{"jobId": 7}', '{"jobId": ""}', "null", "[" * 100_000])
def test_malformed_message_is_returned_on_its_way_to_the_dead_letter_queue(aws: Aws, body: str) -> None:
    record = {
        "messageId": "m",
        "receiptHandle": receipt(aws),
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    assert lambda_handler({"Records": [record]}, Context()) == {"batchItemFailures": [{"itemIdentifier": "m"}]}


def receipt(aws: Aws) -> str:
    aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody="x")
    return aws.sqs.receive_message(QueueUrl=aws.queue_url)["Messages"][0]["ReceiptHandle"]


def test_message_is_returned_soon_when_the_job_table_does_not_answer(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def throttle(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "UpdateItem")

    aws.put_job(prefix="docs/")
    monkeypatch.setattr(clients.dynamodb_client(), "update_item", throttle)
    hidden = record_hiding(monkeypatch)
    assert len(deliver(aws)) == 1
    assert events(caplog) == ["message_failed"]
    assert hidden == [4], "as long as a lease may last, not for the queue's 900 s"
    assert aws.job()["status"] == "PENDING"


def test_message_of_an_unknown_job_is_returned(aws: Aws) -> None:
    assert len(deliver(aws, '{"jobId": "never-made"}')) == 1


def test_malformed_message_does_not_harm_its_neighbour(aws: Aws) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    attributes = {"ApproximateReceiveCount": "1"}
    records = [
        {"messageId": "bad", "receiptHandle": receipt(aws), "body": "?", "attributes": attributes},
        {"messageId": "good", "receiptHandle": receipt(aws), "body": '{"jobId":"job-1"}', "attributes": attributes},
    ]
    assert lambda_handler({"Records": records}, Context()) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert aws.job()["status"] == "READY"


def while_reading(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
    """Call ``do`` once, when the first source object is read."""
    client = clients.s3_client(30)
    real, once = client.get_object, threading.Event()

    def get_object(**options: Any) -> Any:
        if options["Key"].startswith("docs/") and not once.is_set():
            once.set()
            do()
        return real(**options)

    monkeypatch.setattr(client, "get_object", get_object)


def set_status(aws: Aws, status: str) -> None:
    aws.dynamodb.update_item(
        TableName="jobs",
        Key={"jobId": {"S": "job-1"}},
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": status}},
    )


def test_cancel_during_the_work_leaves_no_archive(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    while_reading(monkeypatch, lambda: set_status(aws, "CANCELLED"))
    assert deliver(aws) == []
    assert aws.job()["status"] == "CANCELLED"
    assert not [key for key in aws.target_keys() if key.endswith(".zip")]
    assert aws.uploads_in_progress() == 0
    assert events(caplog)[-1] == "job_cancelled"


@pytest.mark.parametrize("status", ["CANCELLED", "FAILED"])
def test_archive_completed_after_its_job_had_ended_goes_without_a_version_left(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    aws.s3.put_bucket_versioning(Bucket="target", VersioningConfiguration={"Status": "Enabled"})
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    real = JobTable.finish

    def finish_too_late(self: JobTable, job_id: str, archive: Archive) -> bool:
        set_status(aws, status)
        return real(self, job_id, archive)

    monkeypatch.setattr(JobTable, "finish", finish_too_late)
    assert deliver(aws) == []
    assert aws.job()["status"] == status
    versions = aws.s3.list_object_versions(Bucket="target")
    kept = [version["Key"] for version in versions.get("Versions", [])]
    kept += [marker["Key"] for marker in versions.get("DeleteMarkers", [])]
    assert not [key for key in kept if key.endswith(".zip")]


def test_lost_answer_of_the_lease_write_does_not_lock_the_worker_out(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK repeats a write whose answer was lost; the repetition finds the first one's lease."""
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    client = clients.dynamodb_client()
    real = client.update_item

    def write_twice(**options: Any) -> Any:
        if "attempts" in options["UpdateExpression"]:
            real(**options)
        return real(**options)

    monkeypatch.setattr(client, "update_item", write_twice)
    assert deliver(aws) == []
    assert aws.job()["status"] == "READY"


def test_worker_that_lost_its_lease_leaves_no_trace(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    while_reading(monkeypatch, lambda: lease_elsewhere(aws, "m", 60))
    assert len(deliver(aws)) == 1
    job = aws.job()
    assert (job["status"], job["leaseOwner"]) == ("PENDING", "another")
    assert not [key for key in aws.target_keys() if key.endswith(".zip")]


def test_heartbeat_keeps_the_lease_and_publishes_progress(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.put(DOCS)
    aws.put_job(keys=list(DOCS))
    seen = []

    def dawdle() -> None:
        first = float(aws.job()["leaseExpiresAt"])
        time.sleep(2.5)  # most of the lease of 3 s; a beat comes each second
        seen.append((float(aws.job()["leaseExpiresAt"]) - first, aws.job()["filesTotal"], aws.job()["bytesTotal"]))

    while_reading(monkeypatch, dawdle)
    hidden = record_hiding(monkeypatch)
    assert deliver(aws) == []
    assert len(hidden) >= 3, "at the start and with every beat"
    assert set(hidden) == {5}, "longer than the lease and the time between two beats"
    extended, files_total, bytes_total = seen[0]
    assert extended > 1
    assert (files_total, bytes_total) == ("3", "4005")
    assert aws.job()["status"] == "READY"


def test_wrong_settings_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TABLE_NAME")
    monkeypatch.setenv("S3_PART_SIZE", "1000")
    monkeypatch.setenv("READ_CONCURRENCY", "many")
    with pytest.raises(ValueError, match=r"TABLE_NAME is not set; READ_CONCURRENCY is 'many'.*; S3_PART_SIZE is 1000"):
        app._settings()

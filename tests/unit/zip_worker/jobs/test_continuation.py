"""Jobs that take more than one invocation, against moto."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.tiers import few_quick
from tests.unit.zip_worker.conftest import Aws, Context
from tests.unit.zip_worker.s3.test_zero_copy import make_bytes, put_known
from tests.unit.zip_worker.test_app import (
    environment,  # noqa: F401  # a fixture
    events,
    lease_elsewhere,
    set_status,
)
from zip_worker import app, clients
from zip_worker.app import lambda_handler
from zip_worker.exceptions import LeaseLostError
from zip_worker.jobs.checkpoint import CheckpointStore
from zip_worker.jobs.dead_jobs import fail_if_dead
from zip_worker.jobs.table import Ended, JobTable

MIB = 2**20
STATE, PLAN = ".zip-jobs/job-1.state", ".zip-jobs/job-1.plan"


class ShortContext(Context):
    """An invocation that has time for so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # a static method there
        self._steps -= 1
        return 900_000 if self._steps >= 0 else 30_000


@pytest.fixture(autouse=True)
def _small_sizes(aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="zip_worker")
    monkeypatch.setenv("COPY_THRESHOLD_MB", "10")
    monkeypatch.setenv("S3_PART_SIZE", str(5 * MIB))
    monkeypatch.setenv("S3_READ_CHUNK", str(2 * MIB))
    monkeypatch.setenv("LEASE_SECONDS", "60")
    app._settings.cache_clear()


SIZES = {"a.txt": 5, "b.bin": 13 * MIB, "c.bin": 12 * MIB + 1, "d.txt": 100_000, "e.bin": 9 * MIB, "f.txt": 0}


def put_sources(aws: Aws) -> list[str]:
    """Small ones, one that is copied (c), one whose CRC-32 is not known (b), one below the threshold (e)."""
    if "Contents" in aws.s3.list_objects_v2(Bucket="source"):
        return list(SIZES)  # put anew they would be of another time
    for number, (key, size) in enumerate(SIZES.items()):
        body = make_bytes(number, size)
        if key == "b.bin":
            aws.s3.put_object(Bucket="source", Key=key, Body=body, ChecksumAlgorithm="SHA256")
        else:
            put_known(aws, key, body)
    return list(SIZES)


def deliver(aws: Aws, context: Context | None = None) -> list[str]:
    """Give the queue's next message to the handler, delete it unless it is to come back; return its failures."""
    (message,) = aws.sqs.receive_message(QueueUrl=aws.queue_url, MessageSystemAttributeNames=["All"])["Messages"]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }
    failures = lambda_handler({"Records": [record]}, context or Context())["batchItemFailures"]
    if failures:
        aws.sqs.change_message_visibility(
            QueueUrl=aws.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    else:
        aws.sqs.delete_message(QueueUrl=aws.queue_url, ReceiptHandle=message["ReceiptHandle"])
    return [failure["itemIdentifier"] for failure in failures]


def queue(aws: Aws, job_id: str = "job-1", **changes: str) -> None:
    aws.put_job(job_id, keys=put_sources(aws), **changes)
    aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody=json.dumps({"jobId": job_id}))


def count_messages(aws: Aws) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = aws.sqs.get_queue_attributes(QueueUrl=aws.queue_url, AttributeNames=names)["Attributes"]
    return sum(map(int, attributes.values()))


@pytest.fixture
def whole(aws: Aws) -> bytes:
    """The archive as one invocation makes it."""
    queue(aws, "whole")
    assert deliver(aws) == []
    return aws.archive("whole")


@pytest.mark.parametrize(("steps", "compression"), [(1, "stored"), (5, "stored"), (5, "deflated")])
def test_job_of_many_invocations_makes_the_archive_of_one(
    aws: Aws, steps: int, compression: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue(aws, "whole", compression=compression)
    assert deliver(aws) == []
    queue(aws, compression=compression)
    seen = []
    while aws.job()["status"] == "PENDING":
        assert deliver(aws, ShortContext(steps)) == []
        seen.append(int(aws.job().get("bytesDone", 0)))
        assert len(seen) < 60
    assert aws.job()["status"] == "READY", aws.job()
    assert aws.archive() == aws.archive("whole")
    for name in ("bytesCopied", "bytesStreamed", "crc32", "files"):
        assert aws.job()[name] == aws.job("whole")[name]
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert aws.job()["hops"] == str(len(seen) - 1) == str(events(caplog).count("job_continued"))
    assert count_messages(aws) == 0
    assert (aws.uploads_in_progress(), aws.target_keys()) == (0, ["zips/job-1.zip", "zips/whole.zip"])


def test_progress_of_a_job_between_invocations_stays(aws: Aws) -> None:
    queue(aws)
    deliver(aws, ShortContext(12))
    job = aws.job()
    assert (job["status"], job["phase"], job["hops"]) == ("PENDING", "processing", "1")
    assert "leaseOwner" not in job
    assert set(aws.target_keys()) == {STATE, PLAN, ".zip-jobs/job-1.json"}


def refuse_to_send(**_: Any) -> Any:
    raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "no"}}, "SendMessage")


def test_job_that_cannot_be_queued_on_its_last_receive_belongs_to_the_dead_letter(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody will get this message again: were the job handed over before the next one is sent, it would be lost."""
    monkeypatch.setenv("MAX_RECEIVES", "1")
    monkeypatch.setenv("LEASE_SECONDS", "1")
    app._settings.cache_clear()
    queue(aws)
    monkeypatch.setattr(clients.sqs_client(), "send_message", refuse_to_send)
    (message_id,) = deliver(aws, ShortContext(12))
    time.sleep(1.1)  # the lease runs out
    assert isinstance(fail_if_dead(aws.dynamodb, "jobs", "job-1", message_id), Ended)
    assert aws.job()["status"] == "FAILED"


def test_next_message_of_a_last_receive_is_sent_first_and_comes_after_the_lease_has_gone(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_RECEIVES", "1")
    app._settings.cache_clear()
    queue(aws)
    sent: list[tuple[int, bool]] = []
    monkeypatch.setattr(
        clients.sqs_client(),
        "send_message",
        lambda **options: sent.append((options["DelaySeconds"], "leaseOwner" in aws.job())),
    )
    assert deliver(aws, ShortContext(12)) == []
    assert sent == [(30, True)]
    assert "leaseOwner" not in aws.job()


def test_job_cancelled_between_invocations_leaves_nothing(aws: Aws) -> None:
    queue(aws)
    deliver(aws, ShortContext(12))
    assert aws.uploads_in_progress() == 1
    set_status(aws, "CANCELLED")
    assert deliver(aws) == []
    assert (aws.uploads_in_progress(), aws.target_keys(), count_messages(aws)) == (0, [], 0)


def test_job_that_goes_on_for_ever_is_ended(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_HOPS", "2")
    app._settings.cache_clear()
    queue(aws)
    for _ in range(3):
        assert deliver(aws, ShortContext(2)) == []
    assert aws.job()["error"] == "the job did not finish within 3 invocations, the limit of this deployment (MAX_HOPS)"
    assert (aws.uploads_in_progress(), aws.target_keys(), count_messages(aws)) == (0, [], 0)


def test_invocations_too_short_for_anything_do_not_go_on_for_ever(aws: Aws) -> None:
    queue(aws)
    for _ in range(10):
        assert deliver(aws, ShortContext(0)) == []
    assert "makes no progress within the function's time limit" in aws.job()["error"]
    assert (aws.target_keys(), count_messages(aws)) == ([], 0)


def lose_upload(aws: Aws) -> None:
    for upload in aws.s3.list_multipart_uploads(Bucket="target")["Uploads"]:
        aws.s3.abort_multipart_upload(Bucket="target", Key=upload["Key"], UploadId=upload["UploadId"])


def change_part(aws: Aws) -> None:
    (upload,) = aws.s3.list_multipart_uploads(Bucket="target")["Uploads"]
    aws.s3.upload_part(
        Bucket="target", Key=upload["Key"], UploadId=upload["UploadId"], PartNumber=1, Body=bytes(5 * MIB)
    )


def lose_plan(aws: Aws) -> None:
    aws.s3.delete_object(Bucket="target", Key=PLAN)


def write_other_plan(aws: Aws) -> None:
    aws.s3.put_object(Bucket="target", Key=PLAN, Body=b"of a worker that began anew")


@pytest.mark.parametrize("harm", few_quick([change_part, lose_upload, lose_plan, write_other_plan]))
def test_state_that_cannot_be_carried_on_makes_the_job_start_over(
    aws: Aws, whole: bytes, harm: Callable[[Aws], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(aws)
    deliver(aws, ShortContext(12))
    harm(aws)
    if harm is write_other_plan:  # moto does not look at If-Match of GetObject
        refuse_by_if_match(monkeypatch)
    assert deliver(aws) == []
    assert aws.archive() == whole
    assert (aws.uploads_in_progress(), aws.target_keys()) == (0, ["zips/job-1.zip", "zips/whole.zip"])


def refuse_by_if_match(monkeypatch: pytest.MonkeyPatch) -> None:
    client = clients.s3_client(30)
    real = client.get_object

    def get_object(**options: Any) -> Any:
        if options["Key"] == PLAN and real(**options)["ETag"] != options["IfMatch"]:
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "no"}}, "GetObject")
        return real(**options)

    monkeypatch.setattr(client, "get_object", get_object)


def test_passing_failure_after_a_state_is_carried_on_from_it(
    aws: Aws, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(aws)
    deliver(aws, ShortContext(12))
    done = int(aws.job().get("bytesStreamed", 0))
    with monkeypatch.context() as patch:
        fail_reads_of(patch, "e.bin", "SlowDown")
        assert len(deliver(aws)) == 1
    assert aws.job()["lastError"] == "GetObject failed: SlowDown"
    assert aws.uploads_in_progress() == 1, "it is gone on with"
    read: list[str] = []
    clients.s3_client(30).meta.events.register(
        "provide-client-params.s3.GetObject", lambda params, **_: read.append(params["Key"])
    )
    assert deliver(aws) == []
    assert "a.txt" not in read, "it is in the archive already"
    assert aws.archive() == whole
    assert int(aws.job()["bytesStreamed"]) > done


def fail_reads_of(patch: pytest.MonkeyPatch, key: str, code: str) -> None:
    client = clients.s3_client(30)
    real = client.get_object

    def get_object(**options: Any) -> Any:
        if options["Key"] == key:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")
        return real(**options)

    patch.setattr(client, "get_object", get_object)


def test_worker_that_lost_its_lease_leaves_the_upload_to_the_other(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue(aws)
    deliver(aws, ShortContext(12))
    before: list[str] = []

    def lose(**_: Any) -> Any:
        before.append(aws.s3.get_object(Bucket="target", Key=STATE)["ETag"])
        lease_elsewhere(aws, "m", 60)
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, "GetObject")

    client = clients.s3_client(30)
    real = client.get_object
    monkeypatch.setattr(
        client, "get_object", lambda **options: lose() if options["Key"] == "e.bin" else real(**options)
    )
    assert len(deliver(aws)) == 1
    assert aws.job()["leaseOwner"] == "another"
    assert aws.uploads_in_progress() == 1
    assert aws.s3.get_object(Bucket="target", Key=STATE)["ETag"] == before[-1]


def test_worker_that_only_seemed_dead_can_save_nothing_once_another_goes_on(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ETags are of the bytes: the state that the new worker puts in the old one's place must not be the same."""
    queue(aws)
    deliver(aws, ShortContext(12))
    seemingly_dead = CheckpointStore(aws.s3, "target", "job-1")
    found = seemingly_dead.load()
    assert found
    before = aws.s3.get_object(Bucket="target", Key=STATE)["ETag"]
    fail_reads_of(monkeypatch, "e.bin", "SlowDown")
    assert len(deliver(aws)) == 1
    assert aws.s3.get_object(Bucket="target", Key=STATE)["ETag"] != before
    with pytest.raises(LeaseLostError):
        seemingly_dead.save(found[1])


def test_upload_that_cannot_be_completed_any_more_is_not_left_behind(
    aws: Aws, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that was sent once more, by a worker that seemed dead, may have another ETag by now."""
    queue(aws)
    deliver(aws, ShortContext(12))

    def raise_if_fatal(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "InvalidPart", "Message": "no"}}, "CompleteMultipartUpload")

    with monkeypatch.context() as patch:
        patch.setattr(clients.s3_client(30), "complete_multipart_upload", raise_if_fatal)
        assert len(deliver(aws)) == 1
    real, calls = clients.s3_client(30).complete_multipart_upload, []

    def refuse_once(**options: Any) -> Any:
        calls.append(options["UploadId"])
        return raise_if_fatal() if len(calls) == 1 else real(**options)

    monkeypatch.setattr(clients.s3_client(30), "complete_multipart_upload", refuse_once)
    assert deliver(aws) == []
    assert len(set(calls)) == 2
    assert aws.archive() == whole
    assert (aws.uploads_in_progress(), aws.target_keys()) == (0, ["zips/job-1.zip", "zips/whole.zip"])


def test_job_whose_source_changes_between_invocations_fails_and_leaves_nothing(aws: Aws) -> None:
    queue(aws)
    deliver(aws, ShortContext(12))
    aws.s3.delete_object(Bucket="source", Key="e.bin")
    assert deliver(aws) == []
    assert "'e.bin' was changed or deleted" in aws.job()["error"]
    assert (aws.uploads_in_progress(), aws.target_keys()) == (0, [])


def test_worker_killed_between_the_archive_and_the_jobs_end_makes_it_once_more(
    aws: Aws, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MiniStack, as S3, completes an upload twice; moto forgets it, so the job starts over."""
    queue(aws)
    deliver(aws, ShortContext(12))

    def die(*_: object) -> bool:
        raise ClientError({"Error": {"Code": "Throttling", "Message": "no"}}, "UpdateItem")

    with monkeypatch.context() as patch:
        patch.setattr(JobTable, "finish", die)
        assert len(deliver(aws)) == 1
    aws.dynamodb.update_item(
        TableName="jobs",
        Key={"jobId": {"S": "job-1"}},
        UpdateExpression="SET leaseExpiresAt = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    assert deliver(aws) == []
    assert aws.job()["status"] == "READY"
    assert aws.archive() == whole
    assert (aws.uploads_in_progress(), aws.target_keys()) == (0, ["zips/job-1.zip", "zips/whole.zip"])


def test_states_are_saved_on_the_way(aws: Aws, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKPOINT_SECONDS", "0")
    app._settings.cache_clear()
    written: list[str] = []
    clients.s3_client(30).meta.events.register(
        "provide-client-params.s3.PutObject", lambda params, **_: written.append(params["Key"])
    )
    queue(aws)
    assert deliver(aws) == []
    assert aws.archive() == whole
    assert (written.count(PLAN), written.count(STATE) > 5) == (1, True)
    assert aws.target_keys() == ["zips/job-1.zip", "zips/whole.zip"]


def test_job_whose_source_goes_between_invocations_goes_on_without_it_where_that_is_asked_for(aws: Aws) -> None:
    queue(aws, onMissing="skip")
    deliver(aws, ShortContext(12))
    assert STATE in aws.target_keys()
    aws.s3.delete_object(Bucket="source", Key="e.bin")
    while count_messages(aws):
        assert deliver(aws, ShortContext(12)) == []
    assert (aws.job()["status"], aws.job()["skipped"]) == ("READY", "1")
    with zipfile.ZipFile(io.BytesIO(aws.archive())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [name for name in SIZES if name != "e.bin"]
    assert (aws.uploads_in_progress(), aws.target_keys()) == (0, ["zips/job-1.zip"])


def test_a_large_member_that_goes_before_it_is_copied_can_be_left_out(aws: Aws) -> None:
    queue(aws, onMissing="skip")
    meta, gone = clients.s3_client(30).meta, list[str]()

    def delete(**_: object) -> None:
        if not gone:
            gone.append("c.bin")
            aws.s3.delete_object(Bucket="source", Key="c.bin")

    meta.events.register("before-call.s3.UploadPartCopy", delete)
    try:
        assert deliver(aws) == []
    finally:
        meta.events.unregister("before-call.s3.UploadPartCopy", delete)
    assert gone
    assert (aws.job()["status"], aws.job()["skipped"]) == ("READY", "1")
    with zipfile.ZipFile(io.BytesIO(aws.archive())) as archive:
        assert archive.testzip() is None
        assert "c.bin" not in archive.namelist()
    assert aws.uploads_in_progress() == 0


def test_job_that_starts_over_with_other_objects_continues_with_its_own_plan(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload of a whole archive is gone, and the prefix has one more object by then."""
    contents = {name: make_bytes(number, 6 * MIB) for number, name in enumerate(("a", "b", "c"))}
    aws.put({f"docs/{name}": contents[name] for name in ("a", "c")})
    aws.put_job(prefix="docs/")
    aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody=json.dumps({"jobId": "job-1"}))
    deliver(aws, ShortContext(2))
    real = clients.s3_client(30).complete_multipart_upload

    def reject(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "InvalidPart", "Message": "no"}}, "CompleteMultipartUpload")

    monkeypatch.setattr(clients.s3_client(30), "complete_multipart_upload", reject)
    assert len(deliver(aws)) == 1, "the checkpoint is of a whole archive now"
    aws.put({"docs/b": contents["b"]})
    assert deliver(aws, ShortContext(4)) == []
    monkeypatch.setattr(clients.s3_client(30), "complete_multipart_upload", real)
    assert aws.job()["status"] == "PENDING"
    while count_messages(aws):
        deliver(aws)
    assert (aws.job()["status"], aws.job()["files"]) == ("READY", "3")
    with zipfile.ZipFile(io.BytesIO(aws.archive())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents

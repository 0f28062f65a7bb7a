"""The rule for dead jobs, and the conditional write that applies it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient

from zip_worker.job_record import (
    DeadMessage,
    JobRecord,
    QueueLimits,
    build_key,
    encode,
    explain_death,
    fail_dead_job,
    format_message,
    format_seconds,
    format_time,
    parse_message,
    read_record,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMITS = QueueLimits(max_receives=3, retention_seconds=3600)
STOPPED = "the worker crashed or timed out on its last attempt; see its logs"


def make_record(**changes: object) -> JobRecord:
    record: JobRecord = {"jobId": "job-1", "status": "PENDING", "createdAt": format_time(NOW - timedelta(minutes=5))}
    return {**record, **changes}  # type: ignore[typeddict-item]


def leased(seconds: float, receives: int = 3, message_id: str = "m") -> dict[str, object]:
    end = format_seconds(NOW.timestamp() + seconds)
    return {"leaseOwner": "w", "leaseExpiresAt": end, "leaseMessageId": message_id, "receives": receives}


def test_both_sides_give_a_dead_job_one_reason() -> None:
    record = make_record(**leased(-60), lastError="GetObject failed: SlowDown")
    reasons = {explain_death(record, evidence, NOW) for evidence in (LIMITS, DeadMessage("m"))}
    assert reasons == {f"{STOPPED}; earlier error: GetObject failed: SlowDown"}


@pytest.mark.parametrize(
    ("changes", "by_record", "by_message"),
    [
        ({}, False, True),
        (leased(60), False, False),
        (leased(-1), False, True),
        (leased(-6), True, True),
        (leased(-6, receives=2), False, True),
        ({"createdAt": format_time(NOW - timedelta(hours=2))}, True, True),
        ({"createdAt": format_time(NOW - timedelta(hours=2)), "handedOverAt": format_time(NOW)}, False, True),
        ({"createdAt": format_time(NOW - timedelta(hours=2)), **leased(60)}, False, False),
        ({"pastMessages": {"m"}}, False, False),
        ({"pastMessages": {"m"}, **leased(-6, message_id="n")}, True, False),
        ({"pastMessages": {"m"}, **leased(-6)}, True, True),
        ({"pastMessages": {"m"}, "leaseMessageId": "m"}, False, False),
        ({"status": "READY", **leased(-60)}, False, False),
        ({"status": "CANCELLED", **leased(-60)}, False, False),
    ],
    ids=[
        "queued",
        "leased",
        "lease within the reader's grace",
        "lease expired on the last receive",
        "lease expired before the last receive",
        "older than the queue keeps messages",
        "newest message is young",
        "old and leased",
        "message handed the job over",
        "handed over, the next worker died",
        "handed over, then received and leased again",
        "handed over, leased again and released",
        "ready",
        "cancelled",
    ],
)
def test_the_reader_and_the_dead_letter_function_decide_by_what_each_knows(
    changes: dict[str, object], by_record: bool, by_message: bool
) -> None:
    record = make_record(**changes)
    assert bool(explain_death(record, LIMITS, NOW)) == by_record
    assert bool(explain_death(record, DeadMessage("m"), NOW)) == by_message


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.Session("testing", "testing", region_name="us-east-1").client("dynamodb")
        client.create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.mark.parametrize("lease", [{}, leased(-60)], ids=["queued", "lease expired"])
def test_a_dead_job_fails_and_loses_its_lease(dynamodb: DynamoDBClient, lease: dict[str, object]) -> None:
    record = make_record(**lease)
    dynamodb.put_item(TableName="jobs", Item=encode(record))
    failed = fail_dead_job(dynamodb, "jobs", record, STOPPED, NOW)
    stored = read_record(dynamodb, "jobs", "job-1")
    assert failed
    assert stored
    for found in (failed, stored):
        assert (found["status"], found["error"], found["errorCode"]) == ("FAILED", STOPPED, "worker_stopped")
        assert found["completedAt"] == format_time(NOW)
    assert "leaseOwner" not in stored
    assert "leaseExpiresAt" not in stored


@pytest.mark.parametrize(
    "change",
    [
        leased(60),
        {"handedOverAt": format_time(NOW)},
        {"receives": 1},
        {"leaseMessageId": "n"},
        {"status": "CANCELLED"},
    ],
    ids=["taken", "handed over", "received", "taken and released", "cancelled"],
)
def test_a_job_that_changed_since_it_was_read_does_not_fail(
    dynamodb: DynamoDBClient, change: dict[str, object]
) -> None:
    before = make_record()
    after = make_record(**change)
    dynamodb.put_item(TableName="jobs", Item=encode(after))
    assert fail_dead_job(dynamodb, "jobs", before, STOPPED, NOW) is None
    assert read_record(dynamodb, "jobs", "job-1") == after


def test_no_record_is_none(dynamodb: DynamoDBClient) -> None:
    assert read_record(dynamodb, "jobs", "never-made") is None
    assert build_key("never-made") == {"jobId": {"S": "never-made"}}


def test_messages_are_read_as_they_are_written() -> None:
    assert parse_message(format_message("job-1")) == "job-1"
    with pytest.raises(ValueError, match="not a JSON object with a jobId"):
        parse_message("[]")

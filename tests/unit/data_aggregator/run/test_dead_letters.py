"""Second tier: nothing is deleted without a line and a count, and dead letters keep their reason."""

import json
import logging
from typing import Any

import pytest

from data_aggregator.intake import messages
from data_aggregator.run import batch
from tests.support.aws_events import s3_record
from tests.unit.data_aggregator.conftest import TABLE, Aws, Context, Register, events, fail


def fields(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == event]


def make_eventbridge(aws: Aws, key: str, **changes: Any) -> dict[str, Any]:
    item = json.loads(aws.put(key))["Records"][0]["s3"]["object"]
    detail = {
        "bucket": {"name": "source"},
        "object": {"key": key, "size": item["size"], "etag": item["eTag"], "version-id": item["versionId"]},
        "reason": "PutObject",
    }
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail} | changes


def test_every_shape_of_message_is_bundled(aws: Aws) -> None:
    s3 = json.loads(aws.put("d"))
    bodies: list[Any] = [
        make_eventbridge(aws, "a b"),
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": aws.put("b")}}]},
        json.loads(aws.put("c"))["Records"],
        {"Type": "Notification", "Message": json.dumps(make_eventbridge(aws, "e"))},
        s3["Records"][0],
        [{"bucket": "source", "key": "f"}, {"bucket": "source", "key": "g"}],
    ]
    aws.put("f")
    aws.put("g")
    assert aws.deliver(*map(json.dumps, bodies)) == []
    assert [key for key, _ in aws.bundled()] == ["a b", "b", "c", "d", "e", "f", "g"]


@pytest.mark.parametrize(
    "name",
    [
        "ObjectRestore:Completed",
        "ObjectRestore:Post",
        "LifecycleTransition",
        "LifecycleExpiration:Delete",
        "Replication:OperationFailedReplication",
        "ObjectRemoved:Delete",
        "ObjectTagging:Put",
        "ObjectAcl:Put",
        "IntelligentTiering",
        "ReducedRedundancyLostObject",
    ],
)
def test_event_that_announces_no_object_is_logged_and_counted(
    aws: Aws, name: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    record = s3_record("source", "k", 1, name=name)
    assert aws.deliver(json.dumps({"Records": [record, record]})) == []
    (line,) = fields(caplog, "record_ignored")
    assert (line["reason"], line["record"], line["records"]) == ("not_a_creation", name, 2)
    assert (line["bucket"], line["key"]) == ("source", "k")
    assert line["levelno"] == logging.INFO
    assert fields(caplog, "batch_complete")[0]["ignored"] == 2
    assert '"RecordsIgnored":[2.0]' in capsys.readouterr().out


def test_eventbridge_deletion_and_test_event_are_logged_and_counted(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    deleted = make_eventbridge(aws, "k", **{"detail-type": "Object Deleted"})
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "source"}
    assert aws.deliver(json.dumps(deleted), json.dumps(test)) == []
    assert [line["reason"] for line in fields(caplog, "record_ignored")] == ["not_a_creation", "test_event"]


@pytest.mark.parametrize(
    "record",
    [
        {"eventSource": "aws:codecommit", "eventName": "ReferenceChanges"},
        {"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {}},
        {"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {}},
    ],
)
def test_record_of_another_service_goes_to_the_dead_letters_and_its_neighbours_are_bundled(
    aws: Aws, record: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps([json.loads(aws.put("k"))["Records"][0], record])
    assert aws.deliver(body) == [body]
    assert [key for key, _ in aws.bundled()] == ["k"]
    assert "message_rejected" in events(caplog)
    assert aws.reasons()[0].startswith("rejected: it has a record of another service: aws")


def test_message_with_too_many_objects_is_rejected(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "_MAX_OBJECTS", 3)
    body = json.dumps([{"bucket": "source", "key": "k"}] * 4)
    assert aws.deliver(body) == [body]
    assert aws.reasons() == ["rejected: the body names 4 objects, more than 3"]


def test_batch_takes_messages_up_to_a_number_of_objects(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_MAX_OBJECTS", 3)
    bodies = [json.dumps([json.loads(aws.put(f"{number}{half}"))["Records"][0] for half in "ab"]) for number in (1, 2)]
    assert aws.deliver(*bodies, aws.put("3")) == bodies[1:2]
    assert [key for key, _ in aws.bundled()] == ["1a", "1b", "3"]


def test_reason_of_a_definite_failure_is_kept_as_long_as_the_records(aws: Aws) -> None:
    bad = aws.put("bad.gz", b"no gzip")
    good = aws.put("good")
    assert aws.deliver(bad, "no JSON", good) == [bad, "no JSON"]
    assert aws.reasons() == [
        "refused: not gzip data, although its name says so",
        "rejected: the body is not JSON, or too deeply nested",
    ]
    items = aws.dynamodb.scan(TableName=TABLE)["Items"]
    kept = {item["expiration"]["N"] for item in items if "reason" in item}
    records = {item["expiration"]["N"] for item in items if "reason" not in item}
    assert abs(int(kept.pop()) - int(records.pop())) <= 2


def test_reason_that_may_pass_is_kept_from_the_second_receive(aws: Aws) -> None:
    body = aws.put("k")
    aws.claim_elsewhere(body)
    assert aws.deliver(body) == [body]
    assert aws.reasons() == []
    assert aws.deliver(body, receives=2) == [body]
    assert aws.reasons() == ["busy: claimed for 2026/01/01/00/bundle-other-0.gz"]


def test_attempt_that_was_killed_leaves_a_reason(aws: Aws, hook: Register) -> None:
    class KilledError(BaseException):
        pass

    def kill(**_: Any) -> None:
        raise KilledError

    hook("before-parameter-build.s3.CreateMultipartUpload", kill)
    with pytest.raises(KilledError):
        aws.deliver(aws.put("k"), receives=3)
    assert aws.reasons() == ["receive 3 did not end: the function was killed, timed out or ran out of memory"]


def test_table_that_takes_no_reasons_does_not_stop_the_work(
    aws: Aws, hook: Register, caplog: pytest.LogCaptureFixture
) -> None:
    hook("before-parameter-build.dynamodb.BatchWriteItem", fail("AccessDeniedException", 400))
    bad, good = aws.put("bad.gz", b"no gzip"), aws.put("good")
    assert aws.deliver(bad, good, receives=2) == [bad]
    assert [key for key, _ in aws.bundled()] == ["good"]
    assert len(fields(caplog, "reasons_not_recorded")) == 2


def test_reasons_of_more_messages_than_one_request_takes_are_written(aws: Aws) -> None:
    bodies = [f"no JSON {number}" for number in range(60)]
    assert len(aws.deliver(*bodies)) == 60
    assert len(aws.reasons()) == 60


def test_no_reason_is_written_when_no_time_is_left(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    assert aws.deliver("no JSON", context=Context(remaining_ms=5000)) == ["no JSON"]
    assert "reasons_not_recorded" in events(caplog)

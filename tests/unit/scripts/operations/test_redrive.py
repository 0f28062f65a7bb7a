"""Dead letters are listed without being lost, and sent back without being lost, whatever fails."""

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from mypy_boto3_sqs import SQSClient

from lib.operations import redrive
from lib.operations.dead_letters import Letter, pair_copies, read_attribute, take_messages
from lib.operations.redrive import run

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
S3_EVENT = json.dumps({"Records": [{"s3": {"bucket": {"name": "lrs"}, "object": {"key": "a+b%2B.jsonl"}}}]})


class Queues:
    """A queue, its dead letters, and the functions of records."""

    def __init__(self) -> None:
        self.sqs: SQSClient = SESSION.client("sqs")
        self.dlq_url = self.sqs.create_queue(QueueName="jobs-dlq")["QueueUrl"]
        policy = {"deadLetterTargetArn": self.arn(self.dlq_url), "maxReceiveCount": "1"}
        self.url = self.sqs.create_queue(
            QueueName="jobs", Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "0"}
        )["QueueUrl"]
        self.functions = MagicMock(spec=["invoke"])
        self.functions.invoke.return_value = {"StatusCode": 202}

    def arn(self, url: str) -> str:
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def bury(self, body: str, attributes: dict[str, Any] | None = None) -> str:
        """Make a dead letter; return its message's id."""
        sent = self.sqs.send_message(QueueUrl=self.dlq_url, MessageBody=body, MessageAttributes=attributes or {})
        return sent["MessageId"]

    def bodies(self, url: str) -> list[str]:
        """What is to be received there, now."""
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return sorted(message["Body"] for message in found.get("Messages", []))

    def run(self, *, match: str = "", limit: int = 100, send: bool = True) -> int:
        return run(self.sqs, self.functions, self.dlq_url, match=match, limit=limit, send=send)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("lib.operations.dead_letters._EMPTY_ANSWERS", 1)
    with mock_aws():
        made = Queues()
        # As on an emulator: moto does not know StartMessageMoveTask either.
        monkeypatch.setattr(redrive, "is_loopback", lambda _: True)
        yield made


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def fail_from(queues: Queues, monkeypatch: pytest.MonkeyPatch, operation: str, number: int) -> None:
    """Let a call fail from its nth on."""
    calls: list[None] = []
    real = getattr(queues.sqs, operation)

    def call(**arguments: Any) -> Any:
        calls.append(None)
        if len(calls) >= number:
            raise ClientError({"Error": {"Code": "KmsThrottled", "Message": "slow down"}}, operation)
        return real(**arguments)

    monkeypatch.setattr(queues.sqs, operation, call)


def test_listing_changes_nothing(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.bury(S3_EVENT)
    queues.bury('{"jobId": "job-1"}')
    assert queues.run(send=False) == 0
    said = capsys.readouterr().out
    assert "s3://lrs/a b+.jsonl" in said
    assert "job job-1" in said
    assert "2 dead letters\n" in said
    assert "nothing was changed" in said
    assert len(queues.bodies(queues.dlq_url)) == 2
    assert queues.bodies(queues.url) == []


def test_letters_go_back_with_their_attributes(queues: Queues) -> None:
    queues.bury("one", {"trace": text("t")})
    queues.bury("two")
    assert queues.run() == 0
    assert queues.bodies(queues.dlq_url) == []
    got = take_messages(queues.sqs, queues.url, 10)
    assert {message["Body"]: read_attribute(message, "trace") for message in got} == {"one": "t", "two": ""}


def test_failure_in_the_middle_loses_nothing(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        queues.bury(str(number))
    fail_from(queues, monkeypatch, "send_message", 3)
    assert queues.run() == 3
    assert len(queues.bodies(queues.dlq_url)) == 3
    monkeypatch.undo()
    arrived = [message["Body"] for message in take_messages(queues.sqs, queues.url, 10)]
    assert sorted(arrived + queues.bodies(queues.dlq_url)) == list("01234")


def test_message_that_cannot_be_deleted_is_in_both_queues(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    queues.bury("one")
    fail_from(queues, monkeypatch, "delete_message", 1)
    with pytest.raises(ClientError):
        queues.run()
    assert queues.bodies(queues.dlq_url) == ["one"]
    assert queues.bodies(queues.url) == ["one"]


def test_only_what_matches_is_sent(queues: Queues) -> None:
    queues.bury("apples")
    queues.bury("pears")
    assert queues.run(match="pear") == 0
    assert queues.bodies(queues.dlq_url) == ["apples"]
    assert queues.bodies(queues.url) == ["pears"]


def test_limit_leaves_the_rest(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        queues.bury(str(number))
    assert queues.run(limit=11) == 0
    assert "there may be more" in capsys.readouterr().out
    assert len(queues.bodies(queues.dlq_url)) == 1


def test_copy_that_says_why_goes_with_its_message(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    original = queues.bury(S3_EVENT)
    queues.bury(S3_EVENT, {"OriginalMessageId": text(original), "FailureReason": text("denied")})
    assert queues.run(match="denied") == 0
    assert "1 dead letters\n       1  denied" in capsys.readouterr().out
    assert queues.bodies(queues.dlq_url) == []
    assert queues.bodies(queues.url) == [S3_EVENT]


def test_copy_without_its_message_stands_for_it(queues: Queues) -> None:
    queues.bury(S3_EVENT, {"OriginalMessageId": text("gone"), "FailureReason": text("denied")})
    assert queues.run() == 0
    (sent,) = take_messages(queues.sqs, queues.url, 10)
    assert sent["Body"] == S3_EVENT
    assert "MessageAttributes" not in sent


def test_record_of_a_failed_invocation_is_invoked_again(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    record = {
        "requestContext": {"functionArn": "arn:aws:lambda:x:1:function:f:$LATEST", "condition": "RetriesExhausted"},
        "requestPayload": {"hop": 1},
        "responsePayload": {"errorMessage": "out of memory"},
    }
    queues.bury(json.dumps(record))
    assert queues.run() == 0
    assert "RetriesExhausted: out of memory" in capsys.readouterr().out
    assert queues.functions.invoke.call_args.kwargs == {
        "FunctionName": "arn:aws:lambda:x:1:function:f",
        "InvocationType": "Event",
        "Payload": b'{"hop": 1}',
    }
    assert queues.bodies(queues.dlq_url) == []
    assert queues.bodies(queues.url) == []


def test_record_that_lambda_does_not_take_stays(queues: Queues) -> None:
    queues.functions.invoke.return_value = {"StatusCode": 500}
    queues.bury(json.dumps({"requestContext": {"functionArn": "f"}, "requestPayload": {}}))
    assert queues.run() == 1
    assert len(queues.bodies(queues.dlq_url)) == 1


def test_on_aws_sqs_moves_a_whole_queue(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redrive, "is_loopback", lambda _: False)
    monkeypatch.setattr(redrive, "_PROGRESS_SECONDS", 0)
    running = {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 0, "ApproximateNumberOfMessagesToMove": 1}
    done = {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 1}
    failed = {"Status": "FAILED", "FailureReason": "AccessDenied"}
    start, tasks = MagicMock(), MagicMock(side_effect=[{"Results": [r]} for r in (running, done, failed)])
    monkeypatch.setattr(queues.sqs, "start_message_move_task", start)
    monkeypatch.setattr(queues.sqs, "list_message_move_tasks", tasks)
    queues.bury("one")
    assert queues.run() == 0
    start.assert_called_once_with(SourceArn=queues.arn(queues.dlq_url))
    assert queues.bodies(queues.dlq_url) == ["one"]  # shown to SQS again before it was told to move
    with pytest.raises(redrive.RedriveError, match="AccessDenied"):
        queues.run()


def test_source_is_the_queue_that_redrives_here(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redrive, "is_loopback", lambda _: False)
    assert redrive.find_source(queues.sqs, redrive.find_queue(queues.sqs, "jobs-dlq")) == queues.url
    with pytest.raises(redrive.RedriveError, match="0 queues"):
        redrive.find_source(queues.sqs, queues.url)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[1]",
        '{"Records": [1]}',
        '{"Records": {"a": 1}}',
        '{"requestContext": 1, "requestPayload": 1}',
        '{"Records": [{"s3": 1}]}',
    ],
)
def test_bodies_of_any_kind_are_shown(body: str) -> None:
    letter = Letter({"Body": body, "MessageId": "m"})
    assert letter.subject == body
    assert pair_copies([letter.message]) == [letter]


def test_reason_that_the_data_aggregator_recorded_is_shown(
    queues: Queues, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamodb = SESSION.client("dynamodb")
    dynamodb.create_table(
        TableName="idempotency",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    known, _ = queues.bury(S3_EVENT), queues.bury("{}")
    item = {"id": {"S": f"data-aggregator-message#{known}"}, "reason": {"S": "refused: damaged"}}
    dynamodb.put_item(TableName="idempotency", Item=item)
    monkeypatch.setattr(boto3, "client", SESSION.client)
    monkeypatch.setenv("IDEMPOTENCY_TABLE", "idempotency")
    monkeypatch.setenv("AGGREGATOR_DLQ_URL", queues.dlq_url)
    queues.run(send=False)
    out = capsys.readouterr().out
    assert "1  refused: damaged" in out
    assert "1  reason not known" in out
    monkeypatch.setenv("IDEMPOTENCY_TABLE", "missing")
    queues.run(send=False)
    assert "2  reason not known" in capsys.readouterr().out, "the letters are listed all the same"


def test_table_is_not_asked_about_other_queues(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    queues.bury("{}")
    monkeypatch.setattr(boto3, "client", MagicMock(side_effect=AssertionError))
    monkeypatch.setenv("IDEMPOTENCY_TABLE", "idempotency")
    monkeypatch.setenv("AGGREGATOR_DLQ_URL", "https://sqs/1/aggregator-dlq")
    assert queues.run(send=False) == 0

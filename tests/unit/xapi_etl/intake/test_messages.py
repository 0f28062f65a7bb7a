"""Messages: the objects that they name, in every supported shape, and the rejection of other bodies."""

import json

import pytest

from tests.support.aws_events import s3_event, s3_record
from tests.support.tiers import few_quick
from tests.unit.xapi_etl.conftest import BUCKET, Etl, find_event
from tests.unit.xapi_etl.statements import make_statements, write_lines

MALFORMED = [
    *["", "?", "[]", "7", "null", "{}", '{"Records": []}', '{"Records": 7}', '{"Records": [{}]}', "[" * 100_000],
    *['{"bucket": 7, "key": "a"}', '{"bucket": "", "key": "a"}', '{"Type": "Notification", "Message": "?"}'],
    json.dumps({"Records": [s3_record("b", "%FF") | {"s3": {"bucket": {"name": "b"}, "object": {"key": "%FF"}}}]}),
    *['{"bucket": "b", "key": "k", "version_id": 7}', '{"Records": [{"eventName": 5}]}'],
]


@pytest.mark.parametrize("body", few_quick(MALFORMED, quick=4))
def test_malformed_message_comes_back_alone(etl: Etl, neighbour: str, body: str) -> None:
    assert etl.deliver(neighbour, body) == [body]
    assert etl.count() == 2


def test_key_is_url_decoded(etl: Etl) -> None:
    key = "statements/a b+c ü'\\`\"%2F.jsonl"
    body = etl.put(key, write_lines(make_statements(1)))
    assert etl.deliver(body) == []
    assert etl.deliver(body) == []
    assert [row["source_file"] for row in etl.rows()] == [f"s3://{BUCKET}/{key}"]


def test_wrapped_and_plain_messages_are_understood(etl: Etl) -> None:
    etl.put("statements/plain+1.jsonl", write_lines(make_statements(1, seed=1)))
    etl.put("statements/wrapped.jsonl", write_lines(make_statements(1, seed=2)))
    plain = json.dumps({"bucket": BUCKET, "key": "statements/plain+1.jsonl"})
    wrapped = json.dumps({"Type": "Notification", "Message": s3_event(BUCKET, "statements/wrapped.jsonl")})
    test_event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})
    assert etl.deliver(plain, wrapped, test_event) == []
    assert etl.count() == 2


GOOD = write_lines(make_statements(3))


@pytest.mark.usefixtures("defaults")
def test_event_bridge_and_other_shapes_load_and_other_records_are_logged(
    etl: Etl, caplog: pytest.LogCaptureFixture
) -> None:
    etl.put("statements/a b.jsonl", GOOD)
    detail = {"bucket": {"name": BUCKET}, "object": {"key": "statements/a b.jsonl", "size": 1}, "reason": "PutObject"}
    created = {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}
    removed = {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectRemoved:Delete",
                "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}},
            }
        ]
    }
    wrapped = {"Type": "Notification", "Message": json.dumps(created)}
    assert etl.deliver(*map(json.dumps, (created, wrapped, removed))) == []
    assert etl.count() == 3
    assert find_event(caplog, "record_ignored").record == "ObjectRemoved:Delete"
    assert find_event(caplog, "batch_complete").ignored_records == 1

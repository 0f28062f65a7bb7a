"""The failure queue: copies of messages on their last receive, and of messages that fail for good."""

import pytest

from tests.support.clickhouse_server import order_fault
from tests.unit.xapi_etl.conftest import Environ, Etl, events, find_event
from tests.unit.xapi_etl.statements import BAD, make_statements, write_lines

GOOD = write_lines(make_statements(3))


def test_copy_goes_to_the_failure_queue_only_on_the_last_receive(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(FAILURE_DLQ_URL=etl.failure_url, MAX_RECEIVES="3")
    order_fault(etl.url, "answer", times=99, status=400, code=60)
    bad = etl.put("statements/bad.jsonl", GOOD)
    for receives in (1, 2, 3, 4):
        assert etl.deliver(bad, receives=receives) == [bad]
    copies = {copy["Body"]: copy["MessageAttributes"] for copy in etl.copies()}
    assert copies.keys() == {bad}
    reason = copies[bad]["FailureReason"]["StringValue"]
    assert reason.startswith("INSERT failed: HTTP 400")
    assert len(reason) <= 256
    assert len(copies[bad]["OriginalMessageId"]["StringValue"]) == 36
    assert events(caplog).count("message_copied") == 1


def test_missing_failure_queue_changes_nothing(etl: Etl, environ: Environ) -> None:
    environ(FAILURE_DLQ_URL=etl.failure_url + "-gone", MAX_RECEIVES="1")
    assert etl.deliver("?") == ["?"]


@pytest.mark.usefixtures("defaults")
def test_final_failures_go_to_the_failure_queue_at_once(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(FAILURE_DLQ_URL=etl.failure_url, BAD_LINES="fail")
    bad = etl.put("statements/bad.jsonl", BAD)
    good = etl.put("statements/good.jsonl", GOOD)
    assert etl.deliver(bad, good, "?") == []
    assert etl.count() == 3
    copies = {copy["Body"]: copy["MessageAttributes"] for copy in etl.copies()}
    assert {body: one["FailureCode"]["StringValue"] for body, one in copies.items()} == {
        bad: "not_json",
        "?": "message_rejected",
    }
    assert events(caplog).count("message_dead_lettered") == 2
    assert find_event(caplog, "batch_complete").messages_dead_lettered == 2


@pytest.mark.usefixtures("defaults")
def test_message_that_cannot_be_copied_is_redelivered(etl: Etl, environ: Environ) -> None:
    environ(FAILURE_DLQ_URL=etl.failure_url + "-gone")
    assert etl.deliver("?") == ["?"]


@pytest.mark.usefixtures("defaults")
def test_transient_failure_is_redelivered(etl: Etl, environ: Environ, no_pause: list[float]) -> None:
    environ(FAILURE_DLQ_URL=etl.failure_url, CLICKHOUSE_URL="http://127.0.0.1:9")
    body = etl.put("statements/good.jsonl", GOOD)
    assert etl.deliver(body) == [body]
    assert etl.copies() == []

"""The ledger: rows count as loaded only after ClickHouse has acknowledged the whole INSERT, including views."""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from clickhouse.apply import read_statements
from tests.support.clickhouse_server import order_fault
from tests.unit.xapi_etl.conftest import BUCKET, Environ, Etl, events, find_events
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl.clickhouse.http_client import find_overridden_settings, merge_settings
from xapi_etl.clickhouse.ledger import LEDGER_DDL, read_ranges, write_ranges

ROW_COUNT = "statement_id String, source_line UInt64"
DEDUPLICATED = "SETTINGS non_replicated_deduplication_window = 1000"


@pytest.fixture
def views(etl: Etl) -> Iterator[Etl]:
    """A view on the statements, and another view on the first one's table."""
    for name in ("first", "second"):
        etl.query(f"CREATE TABLE xapi.{name} ({ROW_COUNT}) ENGINE = MergeTree ORDER BY source_line {DEDUPLICATED}")
    etl.query(
        "CREATE MATERIALIZED VIEW xapi.to_first TO xapi.first AS SELECT statement_id, source_line FROM xapi.statements"
    )
    make_second(etl)
    yield etl
    for name in ("to_first", "to_second", "first", "second"):
        etl.query(f"DROP TABLE IF EXISTS xapi.{name}")


def make_second(etl: Etl, expression: str = "source_line") -> None:
    """Recreate the second view; it fails if its expression does."""
    etl.query("DROP VIEW IF EXISTS xapi.to_second")
    select = f"SELECT statement_id, {expression} AS source_line FROM xapi.first"
    etl.query(f"CREATE MATERIALIZED VIEW xapi.to_second TO xapi.second AS {select}")


FAILURES = {
    "an exception": "source_line + throwIf(source_line = 3)",
    "a value that cannot be converted": "toUInt64(if(source_line = 3, 'x', toString(source_line)))",
}


def counts(etl: Etl) -> list[int]:
    return [int(etl.query(f"SELECT count() FROM xapi.{name}")) for name in ("statements", "first", "second")]


def put(etl: Etl, name: str, rows: int = 5) -> str:
    return etl.put(f"statements/{name}.jsonl", write_lines(make_statements(rows, seed=ord(name))))


@pytest.mark.parametrize("expression", FAILURES.values(), ids=FAILURES.keys())
def test_insert_that_fails_in_a_view_is_sent_again_whole(views: Etl, expression: str) -> None:
    body = put(views, "a")
    make_second(views, expression)
    assert views.deliver(body) == [body]
    assert counts(views) == [5, 5, 0], "the rows are in, the last view has failed"
    assert views.deliver(body, receives=2) == [body], "still broken: nothing is taken for loaded"
    make_second(views)
    assert views.deliver(body, receives=3) == []
    assert counts(views) == [5, 5, 5]
    assert views.deliver(body, receives=4) == []
    assert counts(views) == [5, 5, 5]


@pytest.mark.parametrize("expression", FAILURES.values(), ids=FAILURES.keys())
def test_messages_redelivered_in_another_batch_fill_the_view_once(views: Etl, expression: str) -> None:
    bodies = [put(views, name) for name in "abcd"]
    make_second(views, expression)
    assert views.deliver(*bodies[:3]) == bodies[:3]
    make_second(views)
    assert views.deliver(bodies[3], bodies[1], receives=2) == []
    assert counts(views) == [20, 20, 20], "the others of the first INSERT have come with it"
    assert views.deliver(bodies[0], receives=2) == []
    assert views.deliver(bodies[2], bodies[0], receives=3) == []
    assert counts(views) == [20, 20, 20]


def test_object_of_several_inserts_is_completed(views: Etl, environ: Environ) -> None:
    environ(MAX_ROWS_PER_INSERT="10", TARGET_ROWS_PER_INSERT="10")
    body = put(views, "a", 35)
    make_second(views, "source_line + throwIf(source_line = 23)")
    assert views.deliver(body) == [body]
    assert counts(views) == [30, 30, 20]
    make_second(views)
    environ(MAX_ROWS_PER_INSERT="16", TARGET_ROWS_PER_INSERT="16")
    assert views.deliver(body, receives=2) == [], "cut in other places"
    assert counts(views) == [35, 35, 35]


def test_lost_response_fills_the_views_once(views: Etl, no_pause: list[float]) -> None:
    bodies = [put(views, name) for name in "abc"]
    order_fault(views.url, "drop_after", times=2)
    assert views.deliver(*bodies) == bodies
    assert views.deliver(bodies[2], receives=2) == []
    assert views.deliver(*bodies, receives=2) == []
    assert counts(views) == [15, 15, 15]


def test_acknowledgement_that_cannot_be_recorded_changes_nothing(
    views: Etl, no_pause: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    body = put(views, "a")
    order_fault(views.url, "drop", times=2, skip=1, match="ledger")
    assert views.deliver(body) == []
    assert "ledger_not_written" in events(caplog)
    assert views.deliver(body) == []
    assert counts(views) == [5, 5, 5]


def test_nothing_is_sent_before_the_ledger_records_it(views: Etl, no_pause: list[float]) -> None:
    body = put(views, "a")
    order_fault(views.url, "drop", times=2, match="ledger")
    assert views.deliver(body) == [body]
    assert counts(views) == [0, 0, 0]


def test_rejected_insert_without_rows_is_abandoned(views: Etl, caplog: pytest.LogCaptureFixture) -> None:
    bodies = [put(views, name) for name in "ab"]
    order_fault(views.url, "answer", times=1, status=400, code=60)
    assert views.deliver(*bodies) == bodies
    views.s3.delete_object(Bucket=BUCKET, Key="statements/b.jsonl")
    assert views.deliver(*bodies, receives=2) == bodies[1:]
    assert counts(views) == [5, 5, 5]
    assert "insert_not_repeatable" not in events(caplog)


def test_insert_in_doubt_whose_objects_are_gone_is_abandoned(
    views: Etl, no_pause: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    bodies = [put(views, name) for name in "ab"]
    order_fault(views.url, "drop_after", times=2)
    assert views.deliver(*bodies) == bodies
    views.s3.delete_object(Bucket=BUCKET, Key="statements/b.jsonl")
    assert views.deliver(*bodies, receives=2) == bodies[1:]
    assert "insert_not_repeatable" in events(caplog)
    assert int(views.query("SELECT count() FROM xapi.statements FINAL")) == 10


def test_truncated_table_is_filled_again(views: Etl) -> None:
    body = put(views, "a")
    assert views.deliver(body) == []
    for table in ("statements", "first", "second"):
        views.query(f"TRUNCATE TABLE xapi.{table}")
    assert views.deliver(body) == []
    assert views.deliver(body) == []
    assert counts(views) == [5, 5, 5]


def test_rows_that_were_deleted_one_by_one_are_sent_again(views: Etl) -> None:
    body = put(views, "a")
    assert views.deliver(body) == []
    views.query("DELETE FROM xapi.statements WHERE 1")
    assert views.deliver(body) == []
    assert views.deliver(body) == []
    assert counts(views)[0] == 5


def test_missing_ledger_is_created(views: Etl) -> None:
    views.query("DROP TABLE xapi.statements_inserts")
    body = put(views, "a")
    assert views.deliver(body) == []
    assert views.query("SELECT groupArray(state) FROM (SELECT * FROM xapi.statements_inserts ORDER BY state)") == (
        "['started','acknowledged']"
    )


def test_first_deliveries_do_not_query_the_table(views: Etl, caplog: pytest.LogCaptureFixture) -> None:
    order_fault(views.url, "drop", times=100, match="groupUniqArray")
    assert views.deliver(*[put(views, name) for name in "abc"]) == []
    assert [record.rows_inserted for record in find_events(caplog, "insert_complete")] == [15]


def test_schema_and_function_create_the_same_ledger() -> None:
    shipped = [re.sub(r"\s+", " ", statement) for statement in read_statements("xapi", "statements")]
    assert re.sub(r"\s+", " ", LEDGER_DDL.format(ledger="xapi.statements_inserts")) in [
        one.rstrip(";") for one in shipped
    ]


def test_conflicting_settings_are_overridden() -> None:
    mine = {"materialized_views_ignore_errors": "1", "deduplicate_insert": "disable", "max_threads": "2"}
    assert find_overridden_settings(mine) == ["deduplicate_insert", "materialized_views_ignore_errors"]
    merged = merge_settings(mine, "t")
    assert merged["materialized_views_ignore_errors"] == "0"
    assert "deduplicate_insert" not in merged
    assert (merged["insert_deduplication_token"], merged["max_threads"]) == ("t", "2")


@pytest.mark.parametrize("numbers", [[1], [1, 2, 3], [2, 4], [1, 2, 4, 5, 9], list(range(1, 30_001))])
def test_ranges_of_lines_are_read_as_they_were_written(numbers: list[int]) -> None:
    text = write_ranges(np.array(numbers))
    assert read_ranges(text).tolist() == numbers
    assert len(text) < 20


def test_insert_that_was_abandoned_by_another_message_is_not_sent_again(
    views: Etl, no_pause: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    contents = write_lines(make_statements(5, seed=1))
    bodies = [views.put("statements/a.jsonl", contents), put(views, "b")]
    order_fault(views.url, "drop", times=2)
    assert views.deliver(*bodies) == bodies
    views.s3.delete_object(Bucket=BUCKET, Key="statements/a.jsonl")
    assert views.deliver(bodies[1], receives=2) == [], "its INSERT cannot be made again"
    views.put("statements/a.jsonl", contents)
    assert views.deliver(bodies[0], receives=2) == []
    assert counts(views) == [10, 10, 10]

"""Exactly-once loading: lost responses, regrouped messages, forgotten tokens, partial INSERTs."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clickhouse_server import count_faults, order_fault
from tests.unit.xapi_etl.conftest import Environ, Etl, events, find_event, find_events
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl.clickhouse.insert_batch import InsertBatch, make_insert_batches
from xapi_etl.clickhouse.inserter import Inserter
from xapi_etl.converting.mapped_columns import Converter
from xapi_etl.converting.mapping import SHIPPED, load_mapping
from xapi_etl.reading.lines import index_lines
from xapi_etl.schemas import RowChunk, Source

MAPPING = load_mapping(SHIPPED.read_bytes())


def put_many(etl: Etl, count: int, rows: int = 10) -> list[str]:
    return [etl.put(f"statements/{n}.jsonl", write_lines(make_statements(rows, seed=n))) for n in range(count)]


@pytest.mark.parametrize("kind", ["drop_after", "answer_after"])
def test_response_lost_after_the_commit_is_recovered_in_the_same_invocation(
    etl: Etl, no_pause: list[float], caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    bodies = put_many(etl, 3)
    order_fault(etl.url, kind, times=1)
    assert etl.deliver(*bodies) == []
    assert etl.count() == 30
    assert events(caplog).count("clickhouse_retry") == 1
    assert len(no_pause) == 1


def test_response_after_the_client_timeout(etl: Etl, environ: Environ, no_pause: list[float]) -> None:
    environ(CLICKHOUSE_TIMEOUT_SECONDS="1")
    (body,) = put_many(etl, 1)
    order_fault(etl.url, "delay_after", times=1, seconds=1.5)
    assert etl.deliver(body) == []
    assert etl.count() == 10


def test_responses_lost_until_the_messages_are_redelivered_regrouped(etl: Etl, no_pause: list[float]) -> None:
    bodies = put_many(etl, 4)
    order_fault(etl.url, "drop_after", times=2)
    assert etl.deliver(*bodies[:3]) == bodies[:3], "ClickHouse has never answered"
    assert etl.count() == 30
    assert etl.deliver(bodies[3], bodies[2], receives=2) == []
    assert etl.deliver(bodies[1], receives=2) == []
    assert etl.deliver(*bodies, receives=3) == []
    assert etl.count() == 40
    assert count_faults(etl.url)["drop_after"] == 2


def test_forgotten_token_is_not_needed(etl: Etl, environ: Environ) -> None:
    bodies = put_many(etl, 2)
    etl.query("ALTER TABLE xapi.statements MODIFY SETTING non_replicated_deduplication_window = 0")
    try:
        assert etl.deliver(*bodies) == []
        assert etl.deliver(*bodies) == []
        assert etl.deliver(bodies[0], receives=2) == []
        assert etl.count() == 20
    finally:
        etl.query("ALTER TABLE xapi.statements MODIFY SETTING non_replicated_deduplication_window = 10000")


def test_token_alone_prevents_duplicate_rows(etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inserter, "_look_up", lambda _self, _batch: [])
    bodies = put_many(etl, 3)
    assert etl.deliver(*bodies) == []
    assert etl.deliver(*reversed(bodies)) == []
    assert etl.count() == 30


def test_partially_present_object_is_completed(etl: Etl, caplog: pytest.LogCaptureFixture) -> None:
    (body,) = put_many(etl, 1, rows=40)
    assert etl.deliver(body) == []
    etl.query("DELETE FROM xapi.statements WHERE source_line % 3 = 0")
    assert etl.count() == 27
    assert etl.deliver(body, receives=2) == []
    assert sorted(row["source_line"] for row in etl.rows()) == list(range(1, 41))
    assert [record.rows_inserted for record in find_events(caplog, "insert_complete")] == [40, 13]


def test_statement_repeated_in_an_object_is_not_sent_again(etl: Etl) -> None:
    statements = make_statements(5)
    lines = [json.dumps(one) for one in [*statements, *statements[:2], {"verb": {"id": "v"}}, {"verb": {"id": "v"}}]]
    body = etl.put("statements/a.jsonl", "\n".join(lines).encode())
    assert etl.deliver(body) == []
    assert etl.count() == 6, "ClickHouse keeps one row for a statement"
    assert etl.deliver(body, receives=2) == []
    assert etl.count() == 6


def test_failed_insert_fails_its_own_messages_only(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(TARGET_ROWS_PER_INSERT="20")
    bodies = put_many(etl, 6)
    order_fault(etl.url, "answer", times=1, skip=1, status=400, code=60)
    assert etl.deliver(*bodies) == bodies[2:4]
    assert etl.count() == 40
    failed = find_event(caplog, "insert_failed")
    assert (failed.code, failed.rows) == (60, 20)
    assert etl.deliver(*bodies[2:4], receives=2) == []
    assert etl.count() == 60


@pytest.mark.parametrize(
    ("status", "code", "attempts"),
    [(500, 202, 2), (500, 241, 2), (500, 252, 2), (503, 0, 2), (429, 0, 2), (502, 0, 2), (504, 0, 2), (500, 60, 1),
     (500, 0, 1), (404, 0, 1), (403, 516, 1), (302, 0, 1)],
)  # fmt: skip
def test_retried_errors(
    etl: Etl, no_pause: list[float], caplog: pytest.LogCaptureFixture, status: int, code: int, attempts: int
) -> None:
    (body,) = put_many(etl, 1)
    order_fault(etl.url, "answer", times=9, status=status, code=code)
    assert etl.deliver(body) == [body]
    assert count_faults(etl.url).get("answer", 0) >= attempts
    assert len(no_pause) == attempts - 1
    assert find_event(caplog, "insert_failed").code == (code or None)


def test_failed_ledger_lookup_prevents_the_insert(
    etl: Etl, no_pause: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    (body,) = put_many(etl, 1)
    order_fault(etl.url, "answer", times=2, status=503, match="^SELECT")
    assert etl.deliver(body) == [body]
    assert etl.count() == 0


def test_unreachable_server(etl: Etl, environ: Environ, no_pause: list[float]) -> None:
    (body,) = put_many(etl, 1)
    environ(CLICKHOUSE_URL="http://127.0.0.1:9")
    assert etl.deliver(body) == [body]
    assert len(no_pause) == 1


def convert(name: str, seed: int, rows: int = 20) -> RowChunk:
    source = Source(f"s3://b/{name}", f"etag-{seed}")
    table = Converter(MAPPING).convert(index_lines(write_lines(make_statements(rows, seed=seed))), source).table
    return RowChunk(source, table, np.arange(1, rows + 1))


def cut(chunks: list[RowChunk], max_bytes: int = 2**20) -> list[InsertBatch]:
    return list(make_insert_batches(chunks, compression="snappy", max_bytes=max_bytes, partition_column="timestamp"))


CHUNKS = [convert(f"{n}", n) for n in range(4)]


@settings(deadline=None)
@given(st.permutations(CHUNKS))
def test_same_objects_give_the_same_batch_in_any_order(chunks: list[RowChunk]) -> None:
    (batch,), (reference,) = cut(chunks), cut(CHUNKS)
    assert batch.token == reference.token
    assert batch.parquet == reference.parquet


def test_token_depends_on_the_rows_only() -> None:
    (batch,) = cut(CHUNKS[:2])
    (other,) = cut(CHUNKS[:3])
    everything = np.ones(len(batch), bool)
    half = everything.copy()
    half[::2] = False
    tokens = {
        batch.token,
        other.token,
        batch.keep(half, "snappy").token,
        *(half.token for half in cut(CHUNKS[:2], 8000)),
    }
    assert len(tokens) == 3 + len(cut(CHUNKS[:2], 8000))
    assert batch.keep(everything, "zstd").token == batch.token


def test_batch_with_only_some_rows() -> None:
    (batch,) = cut(CHUNKS[:2])
    mask = np.zeros(len(batch), bool)
    mask[[1, 5, 25]] = True
    kept = batch.keep(mask, "snappy")
    assert kept.read(["source_file", "source_line"]) == [["s3://b/0", "s3://b/0", "s3://b/1"], [2, 6, 6]]
    assert [(position, lines.tolist()) for position, lines in kept.members()] == [(0, [2, 6]), (1, [6])]

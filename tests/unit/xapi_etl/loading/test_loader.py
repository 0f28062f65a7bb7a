"""The loader: inserted rows, gathering into INSERTs, redelivered messages."""

import errno
import io
import json
import threading
from types import SimpleNamespace

import pytest

from tests.unit.xapi_etl.conftest import BUCKET, Context, Environ, Etl, events, find_event, find_events
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl.exceptions import SourceError
from xapi_etl.loading.loader import Loader
from xapi_etl.reading.sources import OpenObject, SourceReader
from xapi_etl.schemas import ObjectName


def test_statements_of_several_objects_go_in_by_one_insert(etl: Etl, caplog: pytest.LogCaptureFixture) -> None:
    statements = make_statements(30)
    bodies = [etl.put(f"statements/{n}.jsonl", write_lines(statements[n * 10 : n * 10 + 10])) for n in range(3)]
    assert etl.deliver(*bodies) == []
    assert {row["statement_id"] for row in etl.rows()} == {one["id"] for one in statements}
    assert etl.count() == 30
    assert events(caplog).count("insert_complete") == 1
    assert find_event(caplog, "batch_complete").rows_inserted == 30


def test_message_delivered_again_adds_nothing(etl: Etl, caplog: pytest.LogCaptureFixture) -> None:
    body = etl.put("statements/a.jsonl", write_lines(make_statements(7)))
    assert etl.deliver(body, body) == []
    assert etl.deliver(body, receives=2) == []
    assert etl.count() == 7
    assert "object_duplicate" not in events(caplog), "logged at DEBUG"


def test_messages_regrouped_with_others_add_what_is_missing(etl: Etl) -> None:
    bodies = [etl.put(f"statements/{n}.jsonl", write_lines(make_statements(4, seed=n))) for n in range(4)]
    etl.deliver(*bodies[:2])
    etl.deliver(*bodies[1:3])
    assert etl.deliver(*reversed(bodies)) == []
    assert etl.count() == 16


def test_large_object_takes_several_inserts(etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture) -> None:
    environ(TARGET_ROWS_PER_INSERT="10", MAX_ROWS_PER_INSERT="20")
    body = etl.put("statements/large.jsonl", write_lines(make_statements(50)))
    assert etl.deliver(body) == []
    assert etl.deliver(body) == []
    assert [row["source_line"] for row in etl.rows()] == list(range(1, 51))
    inserted = [record.rows for record in find_events(caplog, "insert_complete")]
    assert inserted == [20, 20, 10] * 2


def test_object_large_enough_has_its_own_insert(etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture) -> None:
    environ(TARGET_ROWS_PER_INSERT="10", MAX_ROWS_PER_INSERT="30")
    sizes = [4, 5, 10, 3, 6, 8]
    bodies = [etl.put(f"statements/{n}.jsonl", write_lines(make_statements(rows, n))) for n, rows in enumerate(sizes)]
    assert etl.deliver(*bodies) == []
    assert [record.rows for record in find_events(caplog, "insert_complete")] == [9, 10, 17]
    assert etl.count() == sum(sizes)


def test_insert_is_split_at_its_byte_limit(etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture) -> None:
    environ(MAX_PARQUET_BYTES_PER_INSERT="20000")
    assert etl.deliver(etl.put("statements/a.jsonl", write_lines(make_statements(100)))) == []
    assert etl.count() == 100
    parts = find_events(caplog, "insert_complete")
    assert len(parts) > 1
    assert max(record.parquet_bytes for record in parts) <= 20_000


def test_statements_of_more_months_than_an_insert_may_touch(etl: Etl, caplog: pytest.LogCaptureFixture) -> None:
    lines = [
        json.dumps({"id": f"{n}", "timestamp": f"{1950 + n // 12}-{n % 12 + 1:02}-15T00:00:00Z"}) for n in range(250)
    ]
    body = etl.put("statements/old.jsonl", "\n".join(lines).encode())
    assert etl.deliver(body) == []
    assert etl.deliver(body) == []
    assert etl.count() == 250
    first = [record.rows for record in find_events(caplog, "insert_complete")][:3]
    assert first == [100, 100, 50]


def test_empty_objects_and_blank_lines_are_done(etl: Etl) -> None:
    assert etl.deliver(etl.put("statements/empty.jsonl", b""), etl.put("statements/blank.jsonl", b"\n \t\r\n\n")) == []
    assert etl.count() == 0


def test_nothing_is_started_near_the_time_limit(etl: Etl, caplog: pytest.LogCaptureFixture) -> None:
    body = etl.put("statements/a.jsonl", write_lines(make_statements(1)))
    assert etl.deliver(body, context=Context(9_999)) == [body]
    assert etl.count() == 0
    assert find_event(caplog, "object_not_started").reason == "the function's time limit is near"


def test_rows_read_so_far_are_inserted_near_the_time_limit(etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [etl.put(f"statements/{n}.jsonl", write_lines(make_statements(2, seed=n))) for n in range(4)]
    context = Context(13_000)
    load = Loader._load
    loaded: list[str] = []

    def take_time(self: Loader, opened: OpenObject) -> None:
        load(self, opened)
        loaded.append(opened.name.key)
        context.remaining_ms -= 1000 * (len(loaded) == 2)

    monkeypatch.setattr(Loader, "_load", take_time)
    context.remaining_ms += 500
    assert etl.deliver(*bodies, context=context) == bodies[2:]
    assert etl.count() == 4
    assert len(loaded) == 2


def test_hanging_read_does_not_block_other_objects(etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [etl.put(f"statements/{n}.jsonl", write_lines(make_statements(2, seed=n))) for n in range(3)]
    end = threading.Event()
    opening = SourceReader._open

    def hang(self: SourceReader, name: ObjectName) -> OpenObject | SourceError:
        if name.key == "statements/1.jsonl":
            end.wait(60)
        return opening(self, name)

    monkeypatch.setattr(SourceReader, "_open", hang)
    try:
        assert etl.deliver(*bodies, context=Context(13_300)) == bodies[1:]
    finally:
        end.set()
    assert etl.count() == 2


def test_full_disk_fails_the_large_object_and_no_other(
    etl: Etl, environ: Environ, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(io.BytesIO):
        def __init__(self, _size: int) -> None:
            super().__init__()

        def write(self, _data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    # Patch only the loader's reference: moto itself keeps objects in such files.
    monkeypatch.setattr("xapi_etl.loading.loader.tempfile", SimpleNamespace(SpooledTemporaryFile=Full))
    environ(TARGET_ROWS_PER_INSERT="10", MAX_ROWS_PER_INSERT="10")
    large = etl.put("statements/large.jsonl", write_lines(make_statements(30)))
    small = etl.put("statements/small.jsonl", write_lines(make_statements(3, seed=2)))
    assert etl.deliver(large, small) == [large]
    assert etl.count() == 3
    reason = "the object's rows do not fit into the temporary folder: No space left on device"
    assert find_event(caplog, "object_failed").reason == reason


def test_many_objects_of_one_line_go_in_together(etl: Etl, caplog: pytest.LogCaptureFixture) -> None:
    lines = [b'{"id":"%d"}' % number for number in range(400)]
    bodies = [etl.put(f"statements/{number}.jsonl", line) for number, line in enumerate(lines)]
    assert etl.deliver(*bodies) == []
    assert etl.deliver(*bodies[:10], receives=2) == []
    assert etl.count() == 400
    assert [record.objects for record in find_events(caplog, "insert_complete")] == [400, 10]


def test_dry_run_skips_only_the_insert(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLICKHOUSE_URL")
    environ(DRY_RUN="true")
    bad = etl.put("statements/bad.jsonl", b"?")
    assert etl.deliver(etl.put("statements/a.jsonl", write_lines(make_statements(3))), bad) == [bad]
    assert etl.count() == 0
    done = find_event(caplog, "batch_complete")
    assert (done.lines, done.rows_inserted, done.dry_run) == (4, 0, True)
    assert done.parquet_bytes > 0


def test_every_version_of_an_object_is_loaded(etl: Etl) -> None:
    etl.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first = etl.put("statements/a.jsonl", write_lines(make_statements(2, seed=1)))
    second = etl.put("statements/a.jsonl", write_lines(make_statements(3, seed=2)))
    again = etl.put("statements/a.jsonl", write_lines(make_statements(2, seed=1)))
    assert etl.deliver(first, second, again) == []
    assert etl.count() == 5, "the same bytes under the same key are the same rows"


def test_overwritten_object_of_an_unversioned_bucket_is_loaded_as_it_is_now(etl: Etl) -> None:
    first = etl.put("statements/a.jsonl", write_lines(make_statements(2, seed=1)))
    second = etl.put("statements/a.jsonl", write_lines(make_statements(3, seed=2)))
    assert etl.deliver(first) == []
    assert etl.deliver(second) == []
    assert etl.count() == 3

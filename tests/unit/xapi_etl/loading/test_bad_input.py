"""Bad input of every kind: its outcome, and the loading of other objects in the batch."""

import gzip
import json

import pytest
import zstandard

from tests.support.aws_events import s3_event
from tests.support.tiers import few_quick
from tests.unit.xapi_etl.conftest import BUCKET, Context, Environ, Etl, find_event, find_events, logged
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl import app
from xapi_etl.converting.mapping import SHIPPED
from xapi_etl.env import SettingsError

GOOD = write_lines(make_statements(3))
MORE = write_lines(make_statements(3, seed=2))
SECRET = "hunter2-do-not-log"


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


BROKEN = {
    "truncated gzip": (gzip.compress(GOOD)[:-20], "the gzip data ends early"),
    "gzip cut after a member": (gzip.compress(GOOD) + gzip.compress(GOOD)[:15], "the gzip data ends early"),
    "damaged gzip": (gzip.compress(GOOD)[:-8] + b"\0" * 8, "not valid gzip"),
    "garbage after gzip": (gzip.compress(GOOD) + b"garbage", "not valid gzip"),
    "truncated zstd": (zstandard.compress(GOOD)[:-5], "the Zstandard data ends early"),
    "damaged zstd": (flip(zstandard.compress(GOOD), 30), "not valid Zstandard"),
    "malformed line": (GOOD + b'{"id": "x"\n' + GOOD, "line 4 rejected: not JSON"),
    "list": (b"[]", "line 1 rejected: not a JSON object but a list"),
    "UTF-16": ('{"id":"a"}\n'.encode("utf-16"), "the object is UTF-16"),
    "NUL bytes": (GOOD + b"\0\0\0\0", "line 4 rejected: not JSON"),
}


@pytest.mark.parametrize(("contents", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_object_fails_whole_and_alone(
    etl: Etl, neighbour: str, caplog: pytest.LogCaptureFixture, contents: bytes, reason: str
) -> None:
    broken = etl.put("statements/broken.jsonl", contents)
    assert etl.deliver(broken, neighbour) == [broken]
    assert etl.count() == 2
    assert find_event(caplog, "object_failed").reason.startswith(reason)


def test_truncated_gzip_fails_in_quarantine_mode_too(etl: Etl, environ: Environ, neighbour: str) -> None:
    environ(BAD_LINES="quarantine", MAX_ROWS_PER_INSERT="100", TARGET_ROWS_PER_INSERT="100")
    broken = etl.put("statements/broken.jsonl", gzip.compress(write_lines(make_statements(1000)))[:-20])
    assert etl.deliver(broken, neighbour) == [broken]
    assert etl.count() == 2, "not even the pieces before the end"


def test_deleted_object_fails_with_its_reason(etl: Etl, neighbour: str, caplog: pytest.LogCaptureFixture) -> None:
    gone = s3_event(BUCKET, "statements/gone.jsonl")
    assert etl.deliver(gone, neighbour) == [gone]
    assert etl.count() == 2
    assert find_event(caplog, "object_failed").reason == "the object does not exist"


def test_object_over_the_limit_fails_with_its_reason(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    exact = etl.put("statements/exact.jsonl", b'{"id":"exact"}'.ljust(1000))
    large = etl.put("statements/large.jsonl", b"{}".ljust(1001))
    environ(MAX_S3_OBJECT_BYTES="1000")
    assert etl.deliver(large, exact) == [large]
    assert etl.count() == 1
    reason = "the object has 1001 bytes, more than the 1000 of MAX_S3_OBJECT_BYTES"
    assert find_event(caplog, "object_failed").reason == reason


def wrong_types() -> list[tuple[str, bytes]]:
    """Return one line for each mapped path, with a value of another type at that path."""
    found = []
    for column in json.loads(SHIPPED.read_bytes()):
        for path in column["paths"]:
            keys = path[1:].replace("~1", "\n").split("/") if path.startswith("/") else path.split(".")
            document: object = [SECRET] if column["type"] != "Float64" or "transform" in column else SECRET
            for key in reversed(keys):
                if key.startswith("?"):
                    document = [{**document, "definition": {"type": key.partition("=")[2].replace("\n", "/")}}]  # type: ignore[dict-item]
                else:
                    document = [document] if key in {"0", "*"} else {key.replace("\n", "/"): document}
            found.append((column["name"], json.dumps(document).encode()))
    return found


@pytest.mark.parametrize(("column", "line"), few_quick(wrong_types(), quick=4))
def test_wrong_type_in_a_mapped_column_makes_the_line_bad(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture, column: str, line: bytes
) -> None:
    environ(BAD_LINES="quarantine", QUARANTINE_BUCKET="quarantine")
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD + line + b"\n" + MORE)) == []
    assert etl.count() == 6
    (record,) = etl.quarantined("quarantine/statements/a.jsonl.jsonl")
    assert (record["source_line"], record["line"]) == (4, line.decode())
    assert "not a" in record["reason"] or "not true" in record["reason"]
    assert "/a.jsonl" in logged(caplog)
    assert SECRET not in logged(caplog)


def test_bad_lines_are_quarantined_with_numbers_and_reasons(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(BAD_LINES="quarantine", QUARANTINE_PREFIX="bad/")
    body = etl.put("statements/a.jsonl", b"?\n\n" + GOOD + b'{"x":"\xff"}\n{"timestamp":"yesterday"}')
    assert etl.deliver(body) == []
    assert etl.deliver(body) == []
    assert etl.count() == 3
    records = etl.quarantined("bad/statements/a.jsonl.jsonl", bucket=BUCKET)
    assert [record["source_line"] for record in records] == [1, 5, 6]
    assert [record["reason"][:9] for record in records] == ["not JSON:", "not JSON:", "timestamp"]
    assert (records[0]["line"], records[1]["line_base64"]) == ("?", "eyJ4Ijoi/yJ9")
    assert [record.lines for record in find_events(caplog, "lines_quarantined")] == [3, 3]


def test_nothing_is_inserted_if_the_quarantine_cannot_be_written(etl: Etl, environ: Environ) -> None:
    environ(BAD_LINES="quarantine", QUARANTINE_BUCKET="no-such-bucket")
    body = etl.put("statements/a.jsonl", b"?\n" + GOOD)
    assert etl.deliver(body) == [body]
    assert etl.count() == 0


def test_quarantined_object_is_not_read_into_the_quarantine(etl: Etl, environ: Environ) -> None:
    environ(BAD_LINES="quarantine")
    body = etl.put("quarantine/a.jsonl", b"?")
    assert etl.deliver(body) == [body]
    assert [item["Key"] for item in etl.s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["quarantine/a.jsonl"]


def test_mixed_line_ends_blank_lines_and_a_byte_order_mark(etl: Etl) -> None:
    contents = b'\xef\xbb\xbf{"id":"1"}\r\n\n{"id":"2"}\r{"id":"3"}\n \t \n\r\n{"id":"4"}'
    assert etl.deliver(etl.put("statements/a.jsonl", contents)) == []
    rows = etl.rows("statement_id, source_line, statement")
    assert [(row["statement_id"], row["source_line"]) for row in rows] == [("1", 1), ("2", 2), ("3", 3), ("4", 4)]
    assert rows[0]["statement"] == '{"id":"1"}'


def test_line_of_20_megabytes_is_a_row(etl: Etl) -> None:
    line = json.dumps({"id": "long", "result": {"response": "x" * 20_000_000}}).encode()
    assert etl.deliver(etl.put("statements/long.jsonl", GOOD + line + b"\n" + MORE)) == []
    assert etl.count() == 7
    assert etl.query("SELECT length(response) FROM xapi.statements WHERE statement_id = 'long'") == "20000000"


def test_line_without_end_is_rejected(etl: Etl, neighbour: str, caplog: pytest.LogCaptureFixture) -> None:
    bomb = etl.put("statements/bomb.jsonl.gz", gzip.compress(b"x" * 80_000_000, 1))
    assert etl.deliver(bomb, neighbour) == [bomb]
    assert etl.count() == 2
    assert "more than the 33554432 of MAX_LINE_BYTES" in find_event(caplog, "object_failed").reason


def test_wrong_settings_are_all_named(monkeypatch: pytest.MonkeyPatch, environ: Environ) -> None:
    monkeypatch.delenv("CLICKHOUSE_URL", raising=False)
    environ(CLICKHOUSE_PORT="x", BAD_LINES="drop", CLICKHOUSE_SETTINGS="a", TARGET_ROWS_PER_INSERT="50000")
    with pytest.raises(SettingsError) as raised:
        app.lambda_handler({"Records": []}, Context())
    for name in ("CLICKHOUSE_PORT", "BAD_LINES", "CLICKHOUSE_SETTINGS", "TARGET_ROWS", "CLICKHOUSE_URL"):
        assert name in str(raised.value)

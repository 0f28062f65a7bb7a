"""With the defaults: nothing that is no statement becomes a row, and what becomes of bad lines."""

import bz2
import io
import json
import lzma
import zipfile
from typing import Any

import pytest

from tests.support.tiers import few_quick
from tests.unit.xapi_etl.conftest import BUCKET, Context, Environ, Etl, events, find_event, find_events
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl import app
from xapi_etl.reading.unwrap import unwrap_statements

GOOD = write_lines(make_statements(3))
STATEMENT: dict[str, Any] = {"actor": {"mbox": "m"}, "verb": {"id": "v"}, "object": {"id": "o"}}


@pytest.fixture(autouse=True)
def _defaults(etl: Etl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRICTNESS")
    monkeypatch.delenv("BAD_LINES")


VALUES: list[Any] = [None, {}, [], "x", 7, [1]]
NO_STATEMENTS: list[Any] = [
    *[
        {},
        {"id": "a"},
        [],
        [1],
        [[STATEMENT]],
        1,
        "text",
        None,
        True,
        {"event_type": "play", "context": {"platform": 7}},
    ],
    *[{key: value for key, value in STATEMENT.items() if key != missing} for missing in STATEMENT],
    *[STATEMENT | {name: value} for name in STATEMENT for value in VALUES],
    *[STATEMENT | {"verb": {"id": value}} for value in ["", *VALUES] if value != "x"],
    *[STATEMENT | {"verb": {"display": {"en": "did"}}}, {"data": STATEMENT}, {"statement": STATEMENT}],
]


@pytest.mark.parametrize("document", few_quick(NO_STATEMENTS, quick=6))
def test_what_is_no_statement_is_a_bad_line(etl: Etl, document: Any) -> None:
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD + json.dumps(document).encode())) == []
    assert etl.count() == 3
    (record,) = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    assert record["reason_code"].partition(":")[0] in {"not_a_statement", "not_an_object"}
    assert record["source_line"] == 4


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"actor": {"objectType": "Group", "member": [{"mbox": "m"}]}},
        {"actor": {"name": "no identifier"}},
        {"object": {"definition": {"type": "t"}}},
        {"object": {"objectType": "SubStatement", "verb": {"id": "v"}}},
        {"object": {"objectType": "Agent", "openid": "o"}},
    ],
)
def test_what_is_a_statement_is_a_row(etl: Etl, more: dict[str, Any]) -> None:
    assert etl.deliver(etl.put("statements/a.jsonl", json.dumps(STATEMENT | more).encode())) == []
    assert etl.count() == 1


WRAPPINGS: dict[str, Any] = {
    "answer": lambda found: {"statements": found, "more": ""},
    "answer, the other way round": lambda found: {"more": '/xapi/statements?more="}]', "statements": found},
    "answer with more": lambda found: {"statements": found, "more": None, "x": {"y": ["]}"]}},
    "array": lambda found: found,
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_wrapped_statements_are_unwrapped(etl: Etl, wrap: Any, indent: int | None) -> None:
    statements = make_statements(30)
    statements[3]["object"]["definition"] = {"name": {"en": 'a "]}, {[\\'}}
    contents = json.dumps(wrap(statements), indent=indent).encode()
    assert etl.deliver(etl.put("statements/a.json", b"\xef\xbb\xbf" + contents + b"\n" + contents + b"\n" + GOOD)) == []
    rows = etl.rows("statement, source_line")
    found = {json.loads(row["statement"])["id"]: json.loads(row["statement"]) for row in rows}
    expected = {one["id"]: one for one in [*statements, *map(json.loads, GOOD.splitlines())]}
    assert found == expected


@pytest.mark.parametrize("end", [b"", b"]", b',{"a":', b"]}"])
def test_answer_that_is_cut_does_not_pass_for_a_whole_one(etl: Etl, end: bytes) -> None:
    contents = b'{"statements":[' + b",".join(GOOD.splitlines()) + end
    assert etl.deliver(etl.put("statements/a.json", contents)) == []
    whole = end == b"]}"
    assert [
        item["Key"] for item in etl.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/").get("Contents", [])
    ] == ([] if whole else ["quarantine/statements/a.json.jsonl"])


def test_stream_is_unwrapped_the_same_however_it_comes() -> None:
    contents = json.dumps({"more": "x", "statements": [{"a": '\\"]'}, 7, [{}], {"ü": "\n"}]}, indent=1).encode()
    whole = b"".join(unwrap_statements([contents]))
    assert len(whole.splitlines()) == 4
    for size in range(1, 20):
        pieces = [contents[start : start + size] for start in range(0, len(contents), size)]
        assert b"".join(unwrap_statements(pieces)) == whole


def test_kept_lines_that_orjson_refuses(etl: Etl) -> None:
    lines = [
        STATEMENT | {"id": "1", "actor": {"mbox": "m", "name": "Zo\ud83d"}},
        STATEMENT | {"id": "2", "context": {"extensions": []}},
        STATEMENT | {"id": "3", "result": []},
        STATEMENT | {"id": "4", "result": {"score": [], "extensions": []}, "x": "\udc00"},
    ]
    contents = "\n".join(map(json.dumps, lines)).encode()
    assert etl.deliver(etl.put("statements/a.jsonl", contents)) == []
    assert [row["statement"] for row in etl.rows("statement")] == contents.decode().splitlines()


def test_half_a_surrogate_pair_in_a_column_is_not_replaced_by_something_else(etl: Etl) -> None:
    bad = json.dumps(STATEMENT | {"actor": {"mbox": "m\ud83d"}}).encode()
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD + bad)) == []
    (record,) = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    assert (record["reason_code"], record["line"]) == ("wrong_type:actor_id", bad.decode())


BAD = b'?\n{}\n{"actor":{"mbox":7},"verb":{"id":"v"},"object":{"id":"o"}}\n{"a":"\xff"}\n'
CODES = {"not_json": 2, "not_a_statement": 1, "wrong_type:actor_id": 1}


def test_reason_codes_are_in_the_log_the_metrics_and_the_quarantine(
    etl: Etl, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert etl.deliver(etl.put("statements/a.jsonl", BAD + GOOD)) == []
    assert find_event(caplog, "lines_quarantined").reason_codes == CODES
    assert find_event(caplog, "batch_complete").bad_line_codes == CODES
    records = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    assert [record["reason_code"] for record in records] == [
        "not_json",
        "not_a_statement",
        "wrong_type:actor_id",
        "not_json",
    ]
    (metrics,) = [found for line in capsys.readouterr().out.splitlines() if "_aws" in (found := json.loads(line))]
    names = ("BadLines", "BadLinesNotJson", "BadLinesNotAStatement", "BadLinesWrongType")
    assert [metrics[name] for name in names] == [[4.0], [2.0], [1.0], [1.0]]


def test_object_of_bad_lines_only_is_empty_and_in_the_quarantine(etl: Etl, caplog: pytest.LogCaptureFixture) -> None:
    assert etl.deliver(etl.put("statements/a.jsonl", b"{}\n" * 50_000)) == []
    assert etl.count() == 0
    assert len(etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)) == 50_000
    assert find_event(caplog, "batch_complete").empty == 1


def test_too_long_line_is_a_bad_one(etl: Etl, environ: Environ) -> None:
    environ(MAX_LINE_BYTES="5000")
    long = json.dumps(STATEMENT | {"x": "y" * 5_000_000}).encode()
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD + long + b"\r\n" + GOOD + long)) == []
    records = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    assert [(record["reason_code"], record["source_line"], record["line_bytes"]) for record in records] == [
        ("too_long", 4, len(long)),
        ("too_long", 8, len(long)),
    ]
    assert [row["source_line"] for row in etl.rows("source_line")] in ([1, 2, 3], [5, 6, 7], [1, 2, 3, 5, 6, 7])


def test_line_of_very_many_values_is_a_row_where_the_scanner_reads_it_and_a_bad_one_elsewhere(etl: Etl) -> None:
    many = json.dumps(STATEMENT | {"x": [1] * 500_000}).encode()
    twice = many.replace(b"{", b'{"id":"1","id":"2",', 1)
    assert etl.deliver(etl.put("statements/a.jsonl", many + b"\n" + twice)) == []
    assert [row["source_line"] for row in etl.rows("source_line")] == [1]
    (record,) = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    assert (record["reason_code"], record["source_line"]) == ("too_many_values", 2)


def test_bad_lines_fail_their_object_and_all_of_them_are_named(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(BAD_LINES="fail")
    body = etl.put("statements/a.jsonl", GOOD + BAD + GOOD)
    assert etl.deliver(body) == [body]
    assert etl.count() == 0
    reason = find_event(caplog, "object_failed").reason
    assert [f"line {number} rejected" in reason for number in (4, 5, 6, 7)] == [True] * 4


def test_very_many_bad_lines_are_named_in_part(etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture) -> None:
    environ(BAD_LINES="fail")
    assert len(etl.deliver(etl.put("statements/a.jsonl", b"?\n" * 1000))) == 1
    assert find_event(caplog, "object_failed").reason.endswith("and 980 more")


def test_bad_lines_are_skipped_and_told(etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture) -> None:
    environ(BAD_LINES="skip")
    assert etl.deliver(etl.put("statements/a.jsonl", BAD + GOOD)) == []
    assert etl.count() == 3
    assert find_event(caplog, "lines_skipped").reason_codes == CODES
    assert "Contents" not in etl.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")


@pytest.mark.parametrize("mode", ["quarantine", "skip"])
@pytest.mark.parametrize(("ratio", "is_loaded"), [("0.5", False), ("0.58", True), ("0", False), ("1", True)])
def test_too_large_a_share_of_bad_lines_fails_the_object(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture, mode: str, ratio: str, is_loaded: bool
) -> None:
    environ(BAD_LINES=mode, BAD_LINES_MAX_RATIO=ratio)
    body = etl.put("statements/a.jsonl", BAD + GOOD)
    assert etl.deliver(body) == ([] if is_loaded else [body])
    assert etl.count() == (3 if is_loaded else 0)
    if not is_loaded:
        assert find_event(caplog, "object_failed").reason_code == "too_many_bad_lines"
        assert "Contents" not in etl.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")


def test_deterministic_failures_go_to_the_dead_letter_queue_at_once(
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


def test_message_that_cannot_be_sent_on_comes_back(etl: Etl, environ: Environ) -> None:
    environ(FAILURE_DLQ_URL=etl.failure_url + "-gone")
    assert etl.deliver("?") == ["?"]


def test_what_another_try_may_mend_comes_back(etl: Etl, environ: Environ, no_pause: list[float]) -> None:
    environ(FAILURE_DLQ_URL=etl.failure_url, CLICKHOUSE_URL="http://127.0.0.1:9")
    body = etl.put("statements/good.jsonl", GOOD)
    assert etl.deliver(body) == [body]
    assert etl.copies() == []


def test_two_versions_of_a_key_have_both_their_bad_lines(etl: Etl) -> None:
    contents = [BAD + GOOD, b"?\n" + GOOD, BAD + GOOD]
    for one in contents:
        body = etl.put("statements/a.jsonl", one)
        assert etl.deliver(body) == []
        assert etl.deliver(body) == []
    found = [item["Key"] for item in etl.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")["Contents"]]
    assert sorted(len(etl.quarantined(key, BUCKET)) for key in found) == [1, 4]
    assert "quarantine/statements/a.jsonl.jsonl" in found


def test_dry_run_says_what_it_would_put_into_the_quarantine(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(DRY_RUN="1")
    assert etl.deliver(etl.put("statements/a.jsonl", BAD + GOOD)) == []
    told = find_event(caplog, "lines_quarantined")
    assert (told.quarantine, told.dry_run, told.lines) == (
        f"s3://{BUCKET}/quarantine/statements/a.jsonl.jsonl",
        True,
        4,
    )
    assert "Contents" not in etl.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")


def write_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jsonl", GOOD)
    return file.getvalue()


@pytest.mark.parametrize(
    ("contents", "name"),
    [
        (GOOD.decode().encode("utf-16"), "UTF-16"),
        (GOOD.decode().encode("utf-16-le"), "UTF-16 without"),
        (GOOD.decode().encode("utf-16-be"), "UTF-16 without"),
        (GOOD.decode().encode("utf-32"), "UTF-32"),
        (bz2.compress(GOOD), "bzip2"),
        (lzma.compress(GOOD), "xz"),
        (write_zip(), "a ZIP archive"),
        (b"PAR1" + GOOD, "Parquet"),
    ],
)
def test_other_formats_are_named(etl: Etl, caplog: pytest.LogCaptureFixture, contents: bytes, name: str) -> None:
    body = etl.put("statements/a", contents)
    assert etl.deliver(body) == [body]
    failed = find_event(caplog, "object_failed")
    assert (failed.reason_code, failed.is_final) == ("unknown_format", True)
    assert failed.reason.startswith(f"the object is {name}")
    assert "gzip" in failed.reason


def test_latin_1_is_a_bad_line_that_says_so(etl: Etl) -> None:
    latin = json.dumps(STATEMENT | {"x": "ü"}, ensure_ascii=False).encode("latin-1")
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD + latin)) == []
    (record,) = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    assert record["reason_code"] == "not_json"
    assert "UTF-8" in record["reason"] or "utf-8" in record["reason"]


def test_event_bridge_and_other_shapes_load_and_other_records_are_told(
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


def test_rows_of_the_same_statement_in_one_insert_are_counted_as_they_are_kept(
    etl: Etl, caplog: pytest.LogCaptureFixture
) -> None:
    line = json.dumps(STATEMENT).encode() + b"\n"
    assert etl.deliver(etl.put("statements/a.jsonl", line * 3 + GOOD)) == []
    (told,) = find_events(caplog, "insert_complete")
    assert (etl.count(), told.rows_inserted, told.rows_repeated) == (4, 4, 2)
    complete = find_event(caplog, "batch_complete")
    assert (complete.lines, complete.rows_inserted, complete.rows_repeated) == (6, 4, 2)


def test_s3_check_that_names_no_bucket_is_reported(etl: Etl, environ: Environ) -> None:
    environ(DIAG_S3_BUCKET=BUCKET)
    for check in (True, {}, {"bucket": None}):
        report = json.loads(app.lambda_handler({"diagnostics": True, "s3_check": check}, Context())["body"])
        assert report["s3_check"]["ok"]
    report = json.loads(app.lambda_handler({"diagnostics": True, "s3_check": [7]}, Context())["body"])
    assert not report["s3_check"]["ok"]


def test_debug_tells_each_objects_schema_and_more_in_diagnostics(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(LOG_LEVEL="DEBUG", CLICKHOUSE_PASSWORD="hunter2", CLICKHOUSE_SETTINGS="log_comment=hunter2")
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD)) == []
    schema = find_event(caplog, "object_schema")
    assert (schema.rows, schema.columns["parent_ids"], schema.columns["timestamp"]) == (
        3,
        "list<item: string>",
        "timestamp[ms, tz=UTC]",
    )
    assert "organisation" in schema.empty_columns
    answer = app.lambda_handler({"diagnostics": True}, Context())["body"]
    report = json.loads(answer)
    assert report["debug"]["mapping"]["columns"][0] == "statement_id"
    assert report["debug"]["settings"]["bad_lines"] == "quarantine"
    assert "READ_CONCURRENCY" in report["not_set"]
    assert "hunter2" not in answer

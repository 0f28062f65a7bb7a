"""Default settings: only statements become rows, and bad lines are quarantined, counted or fail their object."""

import json
from typing import Any

import pytest

from tests.support.tiers import few_quick
from tests.unit.xapi_etl.conftest import BUCKET, Environ, Etl, find_event, find_events
from tests.unit.xapi_etl.statements import BAD, STATEMENT, make_statements, write_lines

GOOD = write_lines(make_statements(3))


pytestmark = pytest.mark.usefixtures("defaults")


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
def test_line_that_is_not_a_statement_is_bad(etl: Etl, document: Any) -> None:
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
def test_statement_is_a_row(etl: Etl, more: dict[str, Any]) -> None:
    assert etl.deliver(etl.put("statements/a.jsonl", json.dumps(STATEMENT | more).encode())) == []
    assert etl.count() == 1


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


def test_unpaired_surrogate_in_a_column_is_not_replaced(etl: Etl) -> None:
    bad = json.dumps(STATEMENT | {"actor": {"mbox": "m\ud83d"}}).encode()
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD + bad)) == []
    (record,) = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    assert (record["reason_code"], record["line"]) == ("wrong_type:actor_id", bad.decode())


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


def test_bad_lines_are_skipped_and_logged(etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture) -> None:
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


def test_two_versions_of_a_key_have_both_their_bad_lines(etl: Etl) -> None:
    contents = [BAD + GOOD, b"?\n" + GOOD, BAD + GOOD]
    for one in contents:
        body = etl.put("statements/a.jsonl", one)
        assert etl.deliver(body) == []
        assert etl.deliver(body) == []
    found = [item["Key"] for item in etl.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")["Contents"]]
    assert sorted(len(etl.quarantined(key, BUCKET)) for key in found) == [1, 4]
    assert "quarantine/statements/a.jsonl.jsonl" in found


def test_dry_run_logs_the_lines_that_it_would_quarantine(
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


def test_latin_1_line_is_rejected_with_the_encoding_as_reason(etl: Etl) -> None:
    latin = json.dumps(STATEMENT | {"x": "ü"}, ensure_ascii=False).encode("latin-1")
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD + latin)) == []
    (record,) = etl.quarantined("quarantine/statements/a.jsonl.jsonl", BUCKET)
    assert record["reason_code"] == "not_json"
    assert "UTF-8" in record["reason"] or "utf-8" in record["reason"]


def test_rows_of_the_same_statement_in_one_insert_are_counted_as_they_are_kept(
    etl: Etl, caplog: pytest.LogCaptureFixture
) -> None:
    line = json.dumps(STATEMENT).encode() + b"\n"
    assert etl.deliver(etl.put("statements/a.jsonl", line * 3 + GOOD)) == []
    (told,) = find_events(caplog, "insert_complete")
    assert (etl.count(), told.rows_inserted, told.rows_repeated) == (4, 4, 2)
    complete = find_event(caplog, "batch_complete")
    assert (complete.lines, complete.rows_inserted, complete.rows_repeated) == (6, 4, 2)

"""Rows read back from ClickHouse, compared field by field with their statements."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.tiers import few_quick
from tests.unit.xapi_etl.conftest import BUCKET, Etl
from tests.unit.xapi_etl.statements import VIDEO, make_statements

EDX = "https://w3id.org/xapi/openedx/extensions/"
UNICODE = "Ünï 李雷 🎓 \u2028 \x7f ' \\ \" \u0000 end"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
LATEST = datetime(2300, 1, 1, tzinfo=UTC) - MILLISECOND
EMPTY: dict[str, Any] = {
    "statement_id": "",
    "timestamp_source": "arrival",
    **dict.fromkeys(["course_id", "organisation"]),
    "parent_ids": [],
    "grouping_ids": [],
    **dict.fromkeys(["stored", "actor_id", "actor_home_page", "verb_id", "object_type", "object_id", "activity_type"]),
    **dict.fromkeys(["score_raw", "score_min", "score_max", "score_scaled", "success", "completion", "response"]),
    **dict.fromkeys(["duration_seconds", "registration", "session_id", "platform", "language", "time", "time_from"]),
    **dict.fromkeys(["time_to", "length", "progress", "played_segments"]),
}
FULL = {
    "id": "ABCDEF01-2345-6789-ABCD-EF0123456789",
    "timestamp": "2025-03-01T00:30:00.123456789+05:30",
    "stored": "2025-03-01T01:00:00Z",
    "actor": {"account": {"name": UNICODE, "homePage": "https://h"}, "mbox": "mailto:second@choice"},
    "verb": {"id": "http://verb", "display": {"en": "did"}},
    "object": {"objectType": "Activity", "id": "http://object", "definition": {"type": "http://type"}},
    "result": {
        "score": {"raw": 12345678901234567890123, "min": -0.5, "max": 1e300, "scaled": 1},
        "success": False,
        "completion": True,
        "response": "",
        "duration": "P1DT2H3M4.5S",
        "extensions": {
            VIDEO + "time": 1,
            VIDEO + "time-from": 0.1,
            VIDEO + "time-to": 9007199254740993,
            VIDEO + "progress": 0.333,
            VIDEO + "played-segments": "0[.]1",
            "https://other": [1, {"a": None}],
        },
    },
    "context": {
        "registration": "ABCDEF01-2345-6789-ABCD-EF0123456780",
        "platform": "web",
        "language": "de",
        "extensions": {VIDEO + "session-id": "s", VIDEO + "length": 60},
    },
}
FULL_ROW = {
    "statement_id": "abcdef01-2345-6789-abcd-ef0123456789",
    "timestamp": datetime(2025, 2, 28, 19, 0, 0, 123000, tzinfo=UTC),
    "timestamp_source": "timestamp",
    "stored": datetime(2025, 3, 1, 1, tzinfo=UTC),
    "actor_id": UNICODE,
    "actor_home_page": "https://h",
    "verb_id": "http://verb",
    "object_type": "Activity",
    "object_id": "http://object",
    "activity_type": "http://type",
    "score_raw": 12345678901234567890123.0,
    "score_min": -0.5,
    "score_max": 1e300,
    "score_scaled": 1.0,
    "success": False,
    "completion": True,
    "response": "",
    "duration_seconds": 86400 + 2 * 3600 + 3 * 60 + 4.5,
    "registration": "abcdef01-2345-6789-abcd-ef0123456780",
    "session_id": "s",
    "platform": "web",
    "language": "de",
    "time": 1.0,
    "time_from": 0.1,
    "time_to": 9007199254740992.0,
    "length": 60.0,
    "progress": 0.333,
    "played_segments": "0[.]1",
}
SAID, FROM_STORED = {"timestamp_source": "timestamp"}, {"timestamp_source": "stored"}
AGENT = {"objectType": "Agent", "account": {"name": "n", "homePage": "h"}}
COURSE = "http://adlnet.gov/expapi/activities/course"


def in_context(**activities: Any) -> dict[str, Any]:
    return {"context": {"contextActivities": activities}}


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("everything", FULL, FULL_ROW),
    ("nothing", {}, {}),
    ("nulls", dict.fromkeys(FULL), {}),
    ("empty objects", {"actor": {}, "result": {"score": {}, "extensions": {}}, "context": {"extensions": {}}}, {}),
    ("deep nulls", {"actor": {"account": None}, "result": {"score": None, "extensions": {VIDEO + "time": None}}}, {}),
    ("mbox", {"actor": {"account": {"name": None}, "mbox": "m"}}, {"actor_id": "m"}),
    ("sha1sum", {"actor": {"mbox_sha1sum": "f00"}}, {"actor_id": "f00"}),
    ("openid", {"actor": {"openid": "http://o"}}, {"actor_id": "http://o"}),
    ("stored only", {"stored": "2025-01-01T00:00:00Z"}, {"timestamp": NEW_YEAR, "stored": NEW_YEAR, **FROM_STORED}),
    ("earliest", {"timestamp": "1900-01-01T00:00:00Z"}, {"timestamp": datetime(1900, 1, 1, tzinfo=UTC), **SAID}),
    ("latest", {"timestamp": "2299-12-31T23:59:59.999Z"}, {"timestamp": LATEST, **SAID}),
    ("before 1970", {"timestamp": "1969-12-31T23:59:59.9999Z"}, {"timestamp": EPOCH - MILLISECOND, **SAID}),
    ("length of result", {"result": {"extensions": {VIDEO + "length": 2.5}}}, {"length": 2.5}),
    ("empty lists in place of objects", {"result": [], "context": {"extensions": []}, "actor": []}, {}),
    ("half a surrogate pair where nothing is mapped", {"actor": {"name": "Zo\ud83d", "mbox": "m"}}, {"actor_id": "m"}),
    ("object without a type", {"object": {"id": "o"}}, {"object_id": "o", "object_type": "Activity"}),
    ("object agent", {"object": AGENT}, {"object_id": "n", "object_type": "Agent"}),
    ("object group", {"object": {"objectType": "Group", "mbox": "m"}}, {"object_id": "m", "object_type": "Group"}),
    (
        "object statement reference",
        {"object": {"objectType": "StatementRef", "id": "s"}},
        {"object_id": "s", "object_type": "StatementRef"},
    ),
    (
        "object statement",
        {"object": {"objectType": "SubStatement", "actor": {"mbox": "a"}, "verb": {"id": "v"}, "object": {"id": "o"}}},
        {"object_id": "o", "object_type": "SubStatement"},
    ),
    (
        "object statement about an agent",
        {"object": {"objectType": "SubStatement", "object": AGENT}},
        {"object_id": "n", "object_type": "SubStatement"},
    ),
    ("anonymous group", {"object": {"objectType": "Group", "member": [AGENT]}}, {"object_type": "Group"}),
    ("session of Open edX", {"context": {"extensions": {EDX + "session-id": "e"}}}, {"session_id": "e"}),
    ("course", in_context(parent=[{"id": "c"}]), {"course_id": "c", "parent_ids": ["c"]}),
    (
        "course that says so",
        in_context(parent=[{"id": "q"}], grouping=[{"id": "d"}, {"id": "c", "definition": {"type": COURSE}}]),
        {"course_id": "c", "parent_ids": ["q"], "grouping_ids": ["d", "c"]},
    ),
    ("one activity in place of a list", in_context(parent={"id": "c"}), {"course_id": "c", "parent_ids": ["c"]}),
    ("no activities", in_context(parent=[], grouping=None), {}),
    ("activities without ids", in_context(parent=[{}, {"id": None}, None]), {}),
    ("organisation", {"context": {"team": {"name": "t"}}}, {"organisation": "t"}),
    ("arrays where nothing is mapped", {"authority": [1, [2]], "attachments": [{"a": []}]}, {}),
]


def write_line(document: dict[str, Any]) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # an unpaired surrogate
        return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("document", "expected"), few_quick([case[1:] for case in CASES], quick=8), ids=[case[0] for case in CASES]
)
def test_statement_comes_back_field_by_field(etl: Etl, document: dict[str, Any], expected: dict[str, Any]) -> None:
    line = write_line(document)
    assert etl.deliver(etl.put("statements/a.jsonl", b"\n" + line)) == []
    (row,) = etl.rows("* EXCEPT inserted_at")
    head = etl.s3.head_object(Bucket=BUCKET, Key="statements/a.jsonl")
    etag, arrived = head["ETag"].strip('"'), {"timestamp": head["LastModified"]}
    assert row == EMPTY | arrived | expected | {
        "statement": line.decode(),
        "event_hash": hashlib.sha256(line).hexdigest(),
        "source_file": f"s3://{BUCKET}/statements/a.jsonl",
        "source_etag": etag,
        "source_line": 1,
    }


def test_thousand_statements_come_back_field_by_field(etl: Etl) -> None:
    statements = make_statements(1000)
    lines = [json.dumps(one, ensure_ascii=False) for one in statements]
    assert etl.deliver(etl.put("statements/a.jsonl", "\n".join(lines).encode())) == []
    rows = etl.rows()
    assert len(rows) == 1000
    for statement, line, row in zip(statements, lines, rows, strict=True):
        result, context = statement.get("result", {}), statement["context"]
        extensions = result.get("extensions", {})
        score = result.get("score", {})
        assert row["statement"] == line
        assert row["event_hash"] == hashlib.sha256(line.encode()).hexdigest()
        assert (row["statement_id"], row["actor_id"]) == (statement["id"], statement["actor"]["account"]["name"])
        assert row["timestamp"] == datetime.fromisoformat(statement["timestamp"])
        assert (row["verb_id"], row["object_id"]) == (statement["verb"]["id"], statement["object"]["id"])
        assert [row[f"score_{name}"] for name in ("raw", "min", "max", "scaled")] == [
            score.get(name) for name in ("raw", "min", "max", "scaled")
        ]
        assert (row["success"], row["completion"]) == (result.get("success"), result.get("completion"))
        assert [row["time"], row["time_from"], row["time_to"], row["progress"]] == [
            extensions.get(VIDEO + name) for name in ("time", "time-from", "time-to", "progress")
        ]
        assert (row["length"], row["session_id"]) == (
            context["extensions"][VIDEO + "length"],
            context["extensions"][VIDEO + "session-id"],
        )

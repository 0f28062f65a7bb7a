"""Queries of Logs Insights, run on log lines in DuckDB."""

import json
from typing import Any

import pytest

from lib.operations.insights_expressions import QuerySyntaxError
from lib.operations.insights_sql import DEFAULT_LIMIT, translate_query
from lib.operations.log_groups import LogLine
from lib.operations.log_sql import run_query

FIELDS = {
    "event": "VARCHAR",
    "filter": "VARCHAR",
    "bytes": "BIGINT",
    "ms": "DOUBLE",
    "status": "VARCHAR",
    "ids": "JSON",
    "is_cold": "BOOLEAN",
    "ts": "VARCHAR",
    "aws_request_id": "VARCHAR",
}
LINES: list[dict[str, Any]] = [
    {"event": "read", "filter": "x=1", "bytes": 10, "ms": 4, "status": "200", "ids": [1, 2]},
    {"event": "read", "bytes": 20, "ms": 0, "status": "404", "is_cold": True},
    {"event": "write", "filter": "it's", "bytes": 30, "ms": 8, "status": "READY"},
    {"event": "idle"},
]
MINUTE_MS = 60_000


def run(query: str) -> list[tuple[Any, ...]]:
    lines = [
        LogLine(number * MINUTE_MS, "group", "stream", json.dumps(line, separators=(",", ":")))
        for number, line in enumerate(LINES)
    ]
    return run_query(query, FIELDS, lines)[1]


def select(condition: str) -> list[int | None]:
    """Return the `bytes` of the lines that meet a condition."""
    return [row[0] for row in run(f"filter {condition}\n| sort @timestamp asc | display bytes")]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('event = "read"', [10, 20]),
        ("event = 'read'", [10, 20]),
        ('event != "read"', [30, None]),
        ('event in ["write", "idle"]', [30, None]),
        ('event not in ["write", "idle"]', [10, 20]),
        ("bytes in [10, 30]", [10, 30]),
        ("bytes > 10 and bytes <= 30", [20, 30]),
        ("bytes < 20 or bytes = 30", [10, 30]),
        ('bytes = 10 or bytes = 20 and event = "write"', [10]),
        ("not (bytes > 10)", [10]),
        ("NOT bytes > 10 AND ispresent(filter)", [10]),
        ("bytes + 10 * 2 = 40", [20]),
        ("(bytes + 10) * 2 = 40", [10]),
        ("bytes - 5 - 5 = 0", [10]),
        ("-bytes < -20", [30]),
        ("bytes % 20 = 10", [10, 30]),
        ("bytes / ms > 1", [10, 30]),  # nothing is divided by zero
        ("status >= 400", [20]),  # of numbers in a field that also has words
        ('status = "404"', [20]),
        ('bytes = "20"', [20]),
        ('is_cold = "true"', [20]),
        ("event like /^(read|idle)$/", [10, 20, None]),
        ("event not like /e/", []),
        ('event like "rea"', [10, 20]),
        ('event not like "rea"', [30, None]),
        ("event =~ /^w/", [30]),
        (r"filter like /x\=\d/", [10]),
        ('filter = "it\'s"', [30]),
        (r"filter = 'it\'s'", [30]),
        ("ispresent(`filter`)", [10, 30]),
        ("not ispresent(filter)", [20, None]),
        ("isempty(filter)", [20, None]),
        ('strcontains(event, "rea") = 1', [10, 20]),
        ("strlen(event) = 5", [30]),
        ('toupper(event) = "READ" # a comment', [10, 20]),
        ('concat(event, "-", status) = "read-200"', [10]),
        ('coalesce(filter, event) = "read"', [20]),
        ("abs(0 - bytes) = 10 and floor(ms / 3) = 1 and ceil(ms / 3) = 2", [10]),
    ],
)
def test_conditions(condition: str, found: list[int | None]) -> None:
    assert select(condition) == found


@pytest.mark.parametrize("condition", ['status != "200"', "bytes != 10", "bytes > 0", 'filter not like "z"'])
def test_a_missing_field_meets_no_comparison(condition: str) -> None:
    assert None not in select(condition)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("stats count(*) by event | sort event asc", [("idle", 1), ("read", 2), ("write", 1)]),
        ("stats count(bytes) as n, count() as lines", [(3, 4)]),
        ("stats sum(bytes), avg(bytes) / 10 as tenth, min(bytes), max(bytes)", [(60, 2, 10, 30)]),
        ("stats pct(bytes, 50) as median, stddev(bytes) as spread", [(20, 10)]),
        ("stats count_distinct(event) as kinds", [(3,)]),
        ("stats latest(event) as last, earliest(event) as first", [("idle", "read")]),
        ('stats avg(strcontains(event, "read")) * 100 as percent', [(50,)]),
        ("stats max(bytes) as most by filter | filter most > 10 | sort most asc | display most", [(20,), (30,)]),
        ("stats count(*) as n by event | sort n desc, event asc | limit 2", [("read", 2), ("idle", 1)]),
        (
            'filter event = "read" | stats sum(bytes) as total by event, is_cold | display total | sort total desc',
            [(20,), (10,)],
        ),
    ],
)
def test_stats(query: str, rows: list[tuple[Any, ...]]) -> None:
    assert run(query) == rows


@pytest.mark.parametrize("period", ["2m", "120s", "2 min", "120000ms"])
def test_periods_of_time_come_newest_first(period: str) -> None:
    assert [count for _, count in run(f"stats count(bytes) by bin({period})")] == [1, 2]
    assert [count for _, count in run(f"stats count(bytes) by bin({period}) as t | sort t asc")] == [2, 1]


def test_result_of_a_query_without_columns_is_the_newest_lines() -> None:
    rows = run('filter event = "read"')
    assert [json.loads(row[1])["bytes"] for row in rows] == [20, 10]
    assert translate_query("filter bytes = 1", FIELDS).sql.endswith(f"LIMIT {DEFAULT_LIMIT}")


def test_fields_add_columns_that_later_commands_use() -> None:
    query = "fields bytes * 2 as twice, event | filter twice > 20 | sort twice asc | limit 1"
    assert run(query) == [(40, "read")]
    assert run("fields bytes as event | filter event = 10 | display event") == [(10,)]
    assert translate_query("fields bytes | fields ms", FIELDS).columns == ("bytes", "ms")
    assert translate_query("fields bytes | display ms | display event", FIELDS).columns == ("ms", "event")


def test_parse_extracts_texts_and_leaves_null_where_nothing_matches() -> None:
    rows = run("""parse @message '"ids":[*]' as found | sort @timestamp asc | display found""")
    assert rows == [("1,2",), (None,), (None,), (None,)]
    assert run("""parse @message '"event":"*","bytes":*,' as kind, size | filter kind = "read" | display size""") == [
        ("20",)
    ]
    assert run('parse event "w*" as rest | filter ispresent(rest) | display rest') == [("rite",)]
    query = r"parse filter /^(?<name>\w+)=(?<value>\d+)$/ | filter value = 1 | display name, value"
    assert run(query) == [("x", "1")]


def test_dedup_keeps_the_first_row_in_the_order_so_far() -> None:
    assert sorted(run("filter ispresent(bytes) | dedup event | display event, bytes")) == [("read", 20), ("write", 30)]
    query = "filter ispresent(bytes) | sort bytes asc | dedup event | display event, bytes"
    assert run(query) == [("read", 10), ("write", 30)]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "ends too early"),
        ("filter event =", "ends too early"),
        ("pattern @message", "line 1, column 1: unexpected 'pattern'"),
        ("filter event = 1 |\n  filter event ~ 2", "line 2, column 16: unexpected '~'"),
        ("filter missing = 1", "line 1, column 8: no log line of the service has the field missing"),
        ("display ids", "ids is an array or object: parse it out of @message"),
        ("display missing", "has the field missing"),
        ("stats count(*) by event | filter bytes > 1", "has the field bytes"),
        ("filter event", "filter needs a condition"),
        ('filter event or event = "x"', "column 8: this is not a condition"),
        ("filter jsonParse(event) = 1", "the function jsonparse is not translated"),
        ("filter sum(bytes) > 1", "the function sum may be used in stats only"),
        ("filter strlen(event, event) > 1", "strlen does not take 2 arguments"),
        ("filter sum(*) > 1", "only count takes \\*"),
        ("stats bytes by event", "bytes is neither aggregated nor in the list after by"),
        ("stats sum(sum(bytes))", "the function sum may be used in stats only"),
        ("stats count(*) | stats count(*)", "a second stats is not translated"),
        ("limit 5 | filter bytes = 1", "only sort and display may follow limit"),
        ("sort bytes", "ends too early"),  # AWS documents no default direction
        ("limit 2.5", "unexpected '.'"),
        ('parse event "*-*" as a', "2 asterisks and 1 names"),
        ("parse event /a(b)/", "named groups"),
        ("parse event /(?<a>b/", "invalid regular expression"),
        ("filter event like /a(?=b)/", "lookaround is not translated"),
        ("filter event like /a(?<!b)/", "lookaround is not translated"),
    ],
)
def test_what_is_not_translated_is_refused(query: str, reason: str) -> None:
    with pytest.raises(QuerySyntaxError, match=reason):
        translate_query(query, FIELDS)


@pytest.mark.parametrize("text", ["'; DROP VIEW logs; --", '"', "\\", "''"])
def test_texts_and_names_stay_texts_and_names(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert run(f'filter event = "{escaped}" or bytes = 10 | display bytes') == [(10,)]
    assert run(f"fields bytes as b | filter event like /{'x' if text == chr(92) else text.replace('/', '')}/") == []

"""Each saved query, run without CloudWatch, returns the rows expected of log lines made by hand.

The rows in ``log_lines/<service>.answers.json`` are written by hand, too: by query, in order (rows that tie in any
order), each with the columns that matter.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lib.operations.insights_sql import translate_query
from lib.operations.log_groups import LogLine
from lib.operations.log_sql import open_view, run_sql
from lib.operations.result_table import show_cell
from lib.operations.saved_queries import read_saved_query
from tests.infra.insights_queries import FOLDER, QUERIES, SERVICES, list_fields, read_query, read_service

LINES = Path(__file__).parent / "log_lines"
NOON_MS = 1_795_262_400_000
"""2026-11-21 12:00 UTC, when the first line was logged; each other came a second later."""
ANSWERS: dict[str, dict[str, list[dict[str, Any]]]] = {
    service: json.loads((LINES / f"{service}.answers.json").read_text()) for service in SERVICES
}


def read_lines(service: str) -> list[LogLine]:
    texts = (LINES / f"{service}.jsonl").read_text().splitlines()
    return [
        LogLine(NOON_MS + number * 1000, f"/aws/lambda/{service}", "stream", text) for number, text in enumerate(texts)
    ]


@cache  # opening one takes longer than all questions
def open_service(service: str, *, empty: bool = False) -> duckdb.DuckDBPyConnection:
    fields = json.loads((FOLDER / service / "fields.json").read_text())
    return open_view(fields, [] if empty else read_lines(service))


def find_match(row: dict[str, str], wanted: list[dict[str, str]]) -> int:
    """Return the place of the first wanted row that this one is, or one behind all."""
    return next((place for place, want in enumerate(wanted) if want.items() <= row.items()), len(wanted))


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_query_runs_and_returns_its_columns(query: Path) -> None:
    saved = read_saved_query(FOLDER, f"{query.parent.name}/{query.stem}")
    translation = translate_query(saved.insights, saved.fields)
    columns, rows = run_sql(open_service(query.parent.name, empty=True), translation.sql)
    assert (columns, rows) == (list(translation.columns), [])
    (limit,) = re.findall(r"limit (\d+)", saved.insights)
    assert translation.sql.endswith(f"LIMIT {limit}")


@pytest.mark.parametrize("service", SERVICES)
def test_columns_are_the_fields_that_are_logged(service: str) -> None:
    assert json.loads((FOLDER / service / "fields.json").read_text()).keys() == list_fields(service)


@pytest.mark.parametrize(("service", "name"), [(service, name) for service in SERVICES for name in ANSWERS[service]])
def test_query_is_right_about_lines_made_by_hand(service: str, name: str) -> None:
    saved = read_saved_query(FOLDER, f"{service}/{name}")
    columns, rows = run_sql(open_service(service), translate_query(saved.insights, saved.fields).sql)
    found = [dict(zip(columns, map(show_cell, row), strict=True)) for row in rows]
    wanted = [{column: show_cell(value) for column, value in row.items()} for row in ANSWERS[service][name]]
    if "stats" in saved.insights:  # groups that tie come in any order
        found.sort(key=lambda row: find_match(row, wanted))
    for row, want in zip(found, wanted, strict=True):
        assert {column: row[column] for column in want} == want


@pytest.mark.parametrize("service", SERVICES)
def test_lines_made_by_hand_are_as_the_service_logs_them(service: str) -> None:
    logged = read_service(service)
    for line in read_lines(service):
        fields: dict[str, Any] = json.loads(line.text) if line.text.startswith("{") else {}
        if event := fields.get("event"):
            common = {"level", "service", "event", "aws_request_id"}
            assert fields.keys() - common <= logged[event], line.text


@pytest.mark.parametrize("service", SERVICES)
def test_each_way_to_fail_is_answered_by_hand(service: str) -> None:
    texts = "\n".join(line.text for line in read_lines(service))
    asked: set[str] = set()
    for name in ANSWERS[service]:
        asked |= read_query((FOLDER / service / f"{name}.query").read_text())[0]
    for event in read_service(service, "WARNING", "ERROR"):
        assert event in asked
        assert f'"event":"{event}"' in texts, event

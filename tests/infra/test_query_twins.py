"""Each saved query has a twin in SQL: of the same events, with the same columns, and right about lines made by hand.

There is no engine for Logs Insights here, so the answers in ``log_lines/<service>.answers.json`` are written by hand:
by query the rows in order (rows that tie in any order), each with the columns that matter.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lib.operations.log_groups import LogLine
from lib.operations.log_sql import ask_view, open_view
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


def split_list(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", text)]


def read_columns(query: str) -> list[str]:
    """What Logs Insights answers with: what is displayed, or the groups and then what is reckoned of them."""
    *_, (command, text) = re.findall(r"^(?:\| )?(display|stats) (.*)$", query, re.MULTILINE)
    reckoned, _, groups = text.partition(" by ") if command == "stats" else (text, "", "")
    named = [part.rpartition(" as ")[2] for part in split_list(reckoned)]
    return [*filter(None, split_list(groups)), *named]


def translate_filter(text: str) -> str:
    """Return a filter of Logs Insights as SQL, without the quotes of names."""
    text = re.sub(r" in \[([^\]]*)\]", r" IN (\1)", text)
    text = re.sub(r" like /\^(\w+)\$/", r" = '\1'", text)
    text = re.sub(r"(@\w+) like /(.*)/", r"regexp_matches(\1, '\2')", text)
    text = re.sub(r"ispresent\((\w+)\)", r"\1 IS NOT NULL", text)
    # The ZIP jobs' status is a number in some lines and a word in others.
    text = text.replace("status >=", "try_cast(status AS INT) >=")
    return text.replace('"', "'").replace(" and ", " AND ")


def find_match(row: dict[str, str], wanted: list[dict[str, str]]) -> int:
    """Return the place of the first wanted row that this one is, or one behind all."""
    return next((place for place, want in enumerate(wanted) if want.items() <= row.items()), len(wanted))


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_twin_asks_the_same(query: Path) -> None:
    saved = read_saved_query(FOLDER, f"{query.parent.name}/{query.stem}")
    assert saved.sql.startswith(f"-- {saved.question}\nSELECT")
    assert ask_view(open_service(query.parent.name, empty=True), saved.sql) == (read_columns(saved.insights), [])
    logged = read_service(query.parent.name).keys()
    assert set(re.findall(r"'(\w+)'", saved.sql)) & logged == read_query(saved.insights)[0]
    assert re.findall(r"limit (\d+)", saved.insights) == re.findall(r"LIMIT (\d+)", saved.sql)


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_twin_filters_groups_and_sorts_alike(query: Path) -> None:
    asked = query.read_text()
    sql = " ".join(re.sub(r'"(@?\w+)"', r"\1", query.with_suffix(".sql").read_text()).split())
    (clauses,) = re.findall(r"WHERE (.*?)(?: GROUP BY (.*))? ORDER BY (.*) LIMIT", sql)
    groups = re.findall(r"^\| stats .* by (.*)$", asked, re.MULTILINE)
    # Groups of time come newest first where nothing else is said: as a table that is what Logs Insights shows.
    sorts = re.findall(r"^\| sort (.*)$", asked, re.MULTILINE) or [f"{group} desc" for group in groups]
    assert clauses[0] == translate_filter(*re.findall(r"^filter (.*)$", asked, re.MULTILINE))
    assert clauses[1].replace('"', "") == "".join(groups)
    assert clauses[2].replace('"', "") == sorts[0].replace(" desc", " DESC").replace(" asc", "")


@pytest.mark.parametrize("service", SERVICES)
def test_no_twin_is_without_a_query(service: str) -> None:
    twins = {file.stem for file in (FOLDER / service).glob("*.sql")}
    assert twins == {file.stem for file in (FOLDER / service).glob("*.query")}


@pytest.mark.parametrize("service", SERVICES)
def test_columns_are_the_fields_that_are_logged(service: str) -> None:
    assert json.loads((FOLDER / service / "fields.json").read_text()).keys() == list_fields(service)


@pytest.mark.parametrize(("service", "name"), [(service, name) for service in SERVICES for name in ANSWERS[service]])
def test_twin_is_right_about_lines_made_by_hand(service: str, name: str) -> None:
    saved = read_saved_query(FOLDER, f"{service}/{name}")
    columns, rows = ask_view(open_service(service), saved.sql)
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

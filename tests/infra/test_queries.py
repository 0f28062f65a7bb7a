"""The saved Logs Insights queries ask for nothing but what their service's README says it logs."""

import re
from pathlib import Path

import pytest

from tests.emulator import ROOT

QUERIES = sorted((ROOT / "infra/queries").glob("*/*.query"))
COMMON = {"level", "ts", "service", "event", "aws_request_id"}
KEYWORDS = {"and", "as", "asc", "by", "desc", "display", "fields", "filter", "in", "like", "limit", "not", "or", "sort"}
KEYWORDS |= {"stats"}
STREAMER_NEEDS = {"throughput-per-file", "failures-by-url", "s3-requests-per-run"}


def read_events(readme: Path, *levels: str) -> dict[str, set[str]]:
    """Fields by event, from the README's table with the columns event, level and fields; of these levels, if any."""
    rows = re.findall(r"^\| (`\w+`.*?) \| ([A-Z]+)\b[^|]*\|(.*)\|$", readme.read_text(), re.MULTILINE)
    events: dict[str, set[str]] = {}
    above: set[str] = set()
    for names, level, text in rows:
        fields = set(re.findall(r"`(\w+)`", text)) | (above if "the same" in text else set())
        above = fields
        if not levels or level in levels:
            events |= dict.fromkeys(re.findall(r"`(\w+)`", names), fields)
    return events


def read_query(text: str) -> tuple[set[str], set[str]]:
    """The events that a query is about, and the fields that it names beside CloudWatch's own (@...)."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    events = set(re.findall(r'"(\w+)"', body))
    bare = re.sub(r'"[^"]*"|/[^/\n]*/|@\w+', " ", body)
    named = set(re.findall(r"\b[a-z_]\w*\b(?! *\()", bare, re.IGNORECASE))
    return events, named - KEYWORDS - set(re.findall(r"\bas (\w+)", bare))


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_query_asks_for_what_is_logged(query: Path) -> None:
    logged = read_events(ROOT / "lambdas" / query.parent.name / "README.md")
    events, fields = read_query(query.read_text())
    assert events - logged.keys() == set()
    known = COMMON.union(*(logged[event] for event in events))
    assert fields - known == set()


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_query_begins_with_its_question(query: Path) -> None:
    assert re.match(r"# \S.*[?.]\n[^#]", query.read_text())


@pytest.mark.parametrize("service", ["csv_streamer", "data_aggregator", "dataset_download", "xapi_etl"])
def test_every_way_to_fail_has_a_query(service: str) -> None:
    failures = read_events(ROOT / "lambdas" / service / "README.md", "WARNING", "ERROR")
    asked: set[str] = set()
    for query in QUERIES:
        if query.parent.name == service:
            asked |= read_query(query.read_text())[0]
    assert failures
    assert failures.keys() - asked == set()


def test_queries_of_the_csv_streamer_include_those_of_old() -> None:
    assert {path.stem for path in QUERIES if path.parent.name == "csv_streamer"} >= STREAMER_NEEDS


def test_reading_finds_events_and_fields(tmp_path: Path) -> None:
    # Were nothing found, the tests above would pass whatever a query says.
    readme = tmp_path / "README.md"
    readme.write_text(
        "| event | level | fields |\n|---|---|---|\n"
        "| `one`, `two` | INFO | `url`, `bytes` |\n| `three` | ERROR | the same, `error` |\n| `end` | WARNING | |\n"
        "| `LOG_LEVEL` | required | `DEBUG` |\n"
    )
    one = {"url", "bytes"}
    assert read_events(readme) == {"one": one, "two": one, "three": one | {"error"}, "end": set()}
    assert read_events(readme, "ERROR") == {"three": one | {"error"}}
    query = (
        '# q?\nfilter event in ["one", "two"] and name like /x y/\n| stats max(size) as s by url, @timestamp\n| sort s'
    )
    assert read_query(query) == ({"one", "two"}, {"event", "name", "size", "url"})

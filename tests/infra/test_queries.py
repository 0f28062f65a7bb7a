"""The saved Logs Insights queries ask for nothing but what their service's README says it logs."""

import re
from pathlib import Path

import pytest

from tests.infra.insights_queries import (
    COMMON,
    QUERIES,
    SERVICES,
    list_fields,
    read_access_log,
    read_events,
    read_query,
    read_service,
)
from tests.support.emulator import ROOT

STREAMER_NEEDS = {"throughput-per-file", "failures-by-url", "s3-requests-per-run"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_query_asks_for_what_is_logged(query: Path) -> None:
    logged = read_service(query.parent.name)
    events, fields = read_query(query.read_text())
    assert events - logged.keys() == set()
    known = COMMON.union(*(logged[event] for event in events)) if events else list_fields(query.parent.name)
    assert fields - known == set()


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_query_begins_with_its_question(query: Path) -> None:
    assert re.match(r"# \S.*[?.)]\n[^#]", query.read_text())


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_query_displays_plain_fields(query: Path) -> None:
    # Logs Insights reckons in `fields`, `filter` and the arguments of functions, not in `display`.
    for shown in re.findall(r"^\| display (.*)$", query.read_text(), re.MULTILINE):
        assert re.fullmatch(r"@?\w+(, @?\w+)*", shown)


@pytest.mark.parametrize("service", SERVICES)
def test_every_way_to_fail_has_a_query(service: str) -> None:
    failures = read_service(service, "WARNING", "ERROR")
    asked: set[str] = set()
    for query in QUERIES:
        if query.parent.name == service:
            asked |= read_query(query.read_text())[0]
    assert failures
    assert failures.keys() - asked == set()


def test_queries_of_all_services_are_saved() -> None:
    saved = {path.parent.name for path in (ROOT / "infra/services").glob("*/*.tf") if "/queries/" in path.read_text()}
    assert saved == set(SERVICES)
    assert len(SERVICES) == 5


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
        '# q?\nfilter event in ["one", "two"] and name like /x y/\n| parse @message \'"ids":[*]\' as found\n'
        '| stats max(size) as s, sum(strcontains(level, "ERROR")) as e by url, @timestamp\n| sort s'
    )
    assert read_query(query) == ({"one", "two"}, {"event", "name", "ids", "size", "level", "url"})


def test_reading_finds_all_packages_of_the_zip_jobs_and_the_access_log() -> None:
    logged = read_service("zip_jobs")
    assert {"job_created", "job_settled", "job_ready", "job_dead_lettered"} <= logged.keys()
    assert {"status", "exception", "exception_name"} <= logged["request_failed"]
    assert {"routeKey", "status", "authorizerError", "integrationError"} <= read_access_log()

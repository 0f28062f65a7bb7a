"""The package's README: it lists the variables and defaults, events and levels, and metrics of the code."""

import json
import re
from pathlib import Path

import pytest

from tests.unit.xapi_etl.conftest import Etl
from xapi_etl.diagnostics import HIDDEN, SHOWN
from xapi_etl.schemas import FINISHED

PACKAGE = Path(__file__).parents[3] / "lambdas" / "xapi_etl"
README = (PACKAGE / "README.md").read_text()
SOURCE = "".join(path.read_text() for path in sorted(PACKAGE.rglob("*.py")) if not path.is_symlink())


def read_table(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of the README."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [re.split(r" *\| *", line)[1:-1] for line in section.splitlines() if line.startswith("| `")]


def read_variables() -> dict[str, str]:
    return {name.strip("`"): default for name, default, _ in read_table("Environment")}


def test_readme_has_every_variable() -> None:
    settings = (PACKAGE / "settings.py").read_text()
    read = set(re.findall(r'"([A-Z][A-Z0-9_]{4,})"', settings)) - {"WARNING", "ERROR", "CRITICAL", "DEBUG"}
    assert read_variables().keys() == read
    assert len(read) > 30
    assert set(SHOWN) | set(HIDDEN) == read


def test_readme_has_the_defaults_of_numbers_and_switches() -> None:
    settings = (PACKAGE / "settings.py").read_text()
    told = read_variables()
    numbers = dict(re.findall(r'(?:env\.integer\(|_read_number\(env, )"(\w+)", ([\d_]+),', settings))
    assert len(numbers) > 10
    assert {name: told[name] for name in numbers} == {name: str(int(number)) for name, number in numbers.items()}
    assert told["MAX_PARQUET_BYTES_PER_INSERT"] == str(16 * 1024 * 1024)
    choices = re.findall(r'_read_choice\(env, "(\w+)", \("(\w+)"', settings)
    assert {name: told[name] for name, _ in choices} == dict(choices)


def read_logged() -> dict[str, str]:
    """Return the events that the source logs, with their levels."""
    calls = re.findall(r"ogger\.(debug|info|warning|error|exception)\(\s*\"(\w+)\"", SOURCE)
    events = {event: "ERROR" if level == "exception" else level.upper() for level, event in calls}
    events |= dict.fromkeys((f"object_{result}" for result in FINISHED), "DEBUG")
    return events | {"object_failed": "ERROR", "object_not_started": "WARNING"}


def test_readme_has_every_event_with_its_level() -> None:
    told = {name: level for names, level, *_ in read_table("Log events") for name in re.findall(r"`(\w+)`", names)}
    assert told == read_logged()


def test_readme_has_every_metric(etl: Etl, capsys: pytest.CaptureFixture[str]) -> None:
    etl.deliver(etl.put("statements/a.jsonl", b"{}\n"))
    (metrics,) = [document for line in capsys.readouterr().out.splitlines() if "_aws" in (document := json.loads(line))]
    names = {metric["Name"] for metric in metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    section = README.split("\nMetrics (namespace")[1].split("\n## ")[0].split("):", 1)[1]
    assert set(re.findall(r"`(\w+)`", section)) == names

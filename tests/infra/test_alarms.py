"""Alarms and dashboard look at what is really published; each alarm fires once; the runbook knows each."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.support.alarm_evaluation import (
    Period,
    apply_filter,
    is_firing,
    list_series,
    name_series,
    read_embedded,
)
from tests.infra.support.published_metrics import AWS_METRICS, SERVICES, read_metrics
from tests.infra.support.run_terraform import Terraform
from tests.support.emulator import ROOT

PREFIX = "sluice-test"
RUNBOOK = ROOT / "docs/runbook.md"
ENOUGH = 1_000_000.0
"""More than any threshold on a metric of AWS's own."""

type Values = dict[str, Any]
type Made = dict[str, list[Values]]


def walk_resources(module: Values) -> Iterator[Values]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from walk_resources(child)


@pytest.fixture(scope="module")
def made(terraform: Terraform) -> Made:
    """What a mocked apply of all services made, by type of resource."""
    tested = terraform("test", "-json", "-verbose", "-filter=tests/observability.tftest.hcl")
    messages = [json.loads(line) for line in tested.stdout.splitlines() if line.startswith("{")]
    said = "\n".join(message["@message"] for message in messages if message["type"] in {"diagnostic", "test_summary"})
    assert tested.returncode == 0, said + tested.stderr
    (state,) = [m["test_state"] for m in messages if m["type"] == "test_state" and m["@testrun"] == "everything"]
    by_type: Made = {}
    for resource in walk_resources(state["root_module"]):
        by_type.setdefault(resource["type"], []).append(resource["values"])
    return by_type


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """The lines of handlers that fail."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POWERTOOLS_"))}
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("lambdas", "layers", "scripts", "."))
    credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    environment = {**kept, **credentials, "AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": paths}
    command = [sys.executable, "-m", "tests.infra.support.failing_runs", PREFIX]
    run = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return [line for line in run.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def failures(made: Made, printed: list[str]) -> list[Period]:
    """What these lines are in metrics: a period for each invocation, and one for all of the ZIP worker's."""
    worker = [line for line in printed if json.loads(line).get("service") == "zip_worker"]
    counted: Period = {}
    for metric_filter in made["aws_cloudwatch_log_metric_filter"]:
        counted |= apply_filter(metric_filter, worker)
    return [counted, *filter(None, map(read_embedded, printed))]


def is_own(alarm: Values) -> bool:
    """Whether the alarm looks at what the functions print, not at what AWS publishes."""
    return all(series[0].startswith("Sluice") for series, _ in list_series(alarm).values())


def test_all_alarms_of_all_services_are_there(made: Made) -> None:
    names = {alarm["alarm_name"] for alarm in made["aws_cloudwatch_metric_alarm"]}
    assert all(name.startswith(f"{PREFIX}-") for name in names)
    functions = {function["function_name"] for function in made["aws_lambda_function"]}
    assert {f"{function}-{end}" for function in functions for end in ("errors", "throttles", "duration")} <= names
    queues = {queue["name"] for queue in made["aws_sqs_queue"]}
    dead = {name for name in queues if name.endswith(("-dlq", "-failures"))}
    assert {f"{name}-messages" for name in dead} | {f"{name}-oldest-message" for name in queues - dead} <= names
    assert {f"{table['name']}-throttles" for table in made["aws_dynamodb_table"]} <= names
    assert len(names) == len(made["aws_cloudwatch_metric_alarm"])


def test_every_alarm_tells_a_topic_when_it_begins_and_ends(made: Made) -> None:
    for alarm in made["aws_cloudwatch_metric_alarm"]:
        assert alarm["alarm_actions"] == alarm["ok_actions"], alarm["alarm_name"]
        assert all(topic.endswith(":on-call") for topic in alarm["alarm_actions"])
        assert alarm["alarm_actions"], alarm["alarm_name"]


def test_alarms_on_what_handlers_print_fire_when_they_fail(made: Made, failures: list[Period]) -> None:
    own = [alarm for alarm in made["aws_cloudwatch_metric_alarm"] if is_own(alarm)]
    assert len(own) == 8
    silent = [a["alarm_name"] for a in own if not any(is_firing(a, [period]) for period in failures)]
    assert silent == []


def test_alarms_on_what_aws_publishes_fire_and_know_its_metrics(made: Made) -> None:
    for alarm in made["aws_cloudwatch_metric_alarm"]:
        if is_own(alarm):
            continue
        looked_at = [series for series, _ in list_series(alarm).values()]
        for namespace, name, dimensions in looked_at:
            assert {key for key, _ in dimensions} in AWS_METRICS[namespace, name], alarm["alarm_name"]
        period: Period = {series: [ENOUGH] for series in looked_at}
        assert is_firing(alarm, [period] * alarm["evaluation_periods"]), alarm["alarm_name"]


def test_alarms_are_quiet_without_failures_and_about_others(made: Made, failures: list[Period]) -> None:
    others = [{(name, metric, frozenset({("x", "y")})): v for (name, metric, _), v in p.items()} for p in failures]
    for alarm in made["aws_cloudwatch_metric_alarm"]:
        nothing: Period = {series: [0.0] for series, _ in list_series(alarm).values()}
        cases: list[list[Period]] = [[nothing] * 3, [{}] * 3, others]
        for periods in cases:
            assert not is_firing(alarm, periods), alarm["alarm_name"]


def test_objects_that_fail_by_their_lines_or_clickhouse_raise_one_alarm(made: Made, failures: list[Period]) -> None:
    fired = [
        {alarm["alarm_name"] for alarm in made["aws_cloudwatch_metric_alarm"] if is_firing(alarm, [period])}
        for period in failures
    ]
    name = f"{PREFIX}-xapi-etl"
    for end in ("objects-failed", "bad-lines", "inserts-failed"):
        assert {f"{name}-{end}"} in fired


def test_short_trouble_raises_no_alarm(made: Made) -> None:
    by_name = {alarm["alarm_name"]: alarm for alarm in made["aws_cloudwatch_metric_alarm"]}
    for name in (f"{PREFIX}-zip-jobs-dlq-messages", f"{PREFIX}-zip-jobs-api-4xx", f"{PREFIX}-zip-jobs-throttles"):
        period: Period = {series: [ENOUGH] for series, _ in list_series(by_name[name]).values()}
        assert not is_firing(by_name[name], [period, {}, period])
    rate = by_name[f"{PREFIX}-zip-jobs-api-4xx"]
    few: Period = {series: [99.0] for series, _ in list_series(rate).values()}
    assert not is_firing(rate, [few] * 3)


def read_dashboard(made: Made) -> list[Values]:
    (dashboard,) = made["aws_cloudwatch_dashboard"]
    widgets: list[Values] = json.loads(dashboard["dashboard_body"])["widgets"]
    return widgets


def list_shown(made: Made) -> list[tuple[str, str, dict[str, str]]]:
    lines = [line for w in read_dashboard(made) if w["type"] == "metric" for line in w["properties"]["metrics"]]
    return [(line[0], line[1], dict(zip(line[2::2], line[3::2], strict=True))) for line in lines]


def test_dashboard_shows_only_metrics_that_exist(made: Made) -> None:
    filtered = {t["name"] for f in made["aws_cloudwatch_log_metric_filter"] for t in f["metric_transformation"]}
    for namespace, name, dimensions in list_shown(made):
        if namespace == "Sluice":
            listed = read_metrics(SERVICES[dimensions["service"]])
            assert {name, *dimensions} <= listed, (name, dimensions)
        elif namespace == f"Sluice/{PREFIX}":
            assert name in filtered
        else:
            assert set(dimensions) in AWS_METRICS[namespace, name], (name, dimensions)


def test_dashboard_shows_every_metric_that_functions_print(made: Made) -> None:
    shown = {(d.get("service"), name) for namespace, name, d in list_shown(made) if namespace == "Sluice"}
    for service, package in SERVICES.items():
        metrics = {name for name in read_metrics(package) if name[0].isupper() and name != "Sluice"}
        assert {(service, name) for name in metrics} <= shown


def test_dashboard_shows_every_function_queue_table_and_alarm(made: Made) -> None:
    values = {value for _, _, dimensions in list_shown(made) for value in dimensions.values()}
    assert {function["function_name"] for function in made["aws_lambda_function"]} <= values
    assert {queue["name"] for queue in made["aws_sqs_queue"]} <= values
    assert {table["name"] for table in made["aws_dynamodb_table"]} <= values
    alarms = [arn for w in read_dashboard(made) if w["type"] == "alarm" for arn in w["properties"]["alarms"]]
    assert sorted(alarms) == sorted(alarm["arn"] for alarm in made["aws_cloudwatch_metric_alarm"])


def read_sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", RUNBOOK.read_text().split("\n# What could not")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_runbook_has_a_section_for_every_alarm_and_no_other(made: Made) -> None:
    descriptions = [alarm["alarm_description"] for alarm in made["aws_cloudwatch_metric_alarm"]]
    named = {re.fullmatch(r"\S.*\. Runbook: ([a-z0-9-]+)", text, re.DOTALL)[1] for text in descriptions}  # type: ignore[index]
    assert named == read_sections().keys()
    rows = re.findall(r"^\| .*\(#([a-z0-9-]+)\) \|$", RUNBOOK.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(named)


def test_runbook_says_where_to_look_what_to_do_and_when_it_is_over() -> None:
    for name, text in read_sections().items():
        assert [word for word in ("**Look**", "**Do**", "**Over**") if word not in text] == [], name


def test_runbook_names_queries_that_exist() -> None:
    folder = ROOT / "infra/queries"
    services = "|".join(path.name for path in folder.iterdir() if path.is_dir())
    named = set(re.findall(rf"`((?:{services})/[a-z0-9-]+)`", RUNBOOK.read_text()))
    assert len(named) > 30
    assert {name for name in named if not (folder / f"{name}.query").is_file()} == set()


def test_runbook_leads_somewhere() -> None:
    text = RUNBOOK.read_text()
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= read_sections().keys()
    assert [
        path for path in re.findall(r"`((?:docs|scripts|tests|infra)/[\w/.]+)`", text) if not Path(ROOT / path).exists()
    ] == []


def test_reading_counts_dimensions(printed: list[str]) -> None:
    # Were nothing read, quiet alarms would prove nothing.
    (failed,) = [
        p for p in map(read_embedded, printed) if name_series("Sluice", "ExportsFailed", {}) not in p and len(p) == 1
    ]
    dimensions = {"service": "dataset_download", "function_name": f"{PREFIX}-dataset-export"}
    assert failed == {name_series("Sluice", "ExportsFailed", dimensions): [1.0]}

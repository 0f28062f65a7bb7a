"""`make insights` and `make logs`: what each service has just logged is found by a saved query."""

import json
import os
import subprocess
from collections.abc import Sequence

import pytest
import requests

import insights
from lib.operations.saved_queries import read_saved_query
from tests.e2e.stack import ROOT, Stack, wait_until

type Row = dict[str, object]


@pytest.fixture(autouse=True)
def _environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    if not stack.is_local:
        pytest.skip("in AWS log lines take minutes to be found")
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", stack.outputs["aws_region"])


def find_rows(stack: Stack, name: str, **wanted: object) -> Sequence[Row]:
    """Return the rows of a saved query with these values; fails if there are none after a while."""
    query = read_saved_query(insights.QUERIES, name)
    settings = {output.upper(): value for output, value in stack.outputs.items()}

    def look() -> list[Row]:
        answer = insights.ask(query, settings, 600, locally=False)
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        return [row for row in rows if wanted.items() <= row.items()]

    return wait_until(look, f"a row of {name} with {wanted}", 30)


def invoke(stack: Stack, function: str, event: dict[str, object]) -> None:
    stack.functions.invoke(FunctionName=stack.outputs[function], Payload=json.dumps(event))


def test_zip_jobs_tell_what_they_refused(stack: Stack) -> None:
    assert stack.call("POST", "/zip-jobs", json={"nonsense": True}).status_code == 400
    find_rows(stack, "zip_jobs/rejected-requests", service="zip_enqueue", status="400")


def test_the_csv_streamer_tells_why_a_run_did_not_begin(stack: Stack) -> None:
    invoke(stack, "csv_streamer_function", {"continue": "nonsense"})
    rows = find_rows(stack, "csv_streamer/failed-runs", event="lambda_fatal")
    assert "continue" in str(rows[0]["error"])


def test_the_data_aggregator_tells_what_became_of_a_batch(stack: Stack) -> None:
    message = {
        "messageId": "insights",
        "body": json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "none"}),
        "receiptHandle": "none",
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }
    invoke(stack, "data_aggregator_function", {"Records": [message]})
    find_rows(stack, "data_aggregator/batches", messages=1, returned=0, bundles=0)


def test_the_xapi_etl_tells_what_diagnostics_found(stack: Stack) -> None:
    if not stack.outputs["xapi_etl_function"]:
        pytest.skip("no ClickHouse, no xAPI ETL")
    invoke(stack, "xapi_etl_function", {"diagnostics": True})
    assert "settings" in str(find_rows(stack, "xapi_etl/diagnostics")[0]["found"])


def test_the_dataset_download_tells_what_nobody_has(stack: Stack) -> None:
    if not stack.outputs["dataset_url"]:
        pytest.skip("no dataset download")
    assert requests.get(f"{stack.outputs['dataset_url']}/insights-none.csv", timeout=60).status_code == 404
    find_rows(stack, "dataset_download/rejected-requests", status=404, path="/insights-none.csv")


@pytest.mark.parametrize(
    "arguments", [["insights", "QUERY=zip_jobs/invocations", "ARGS=--json"], ["logs", "SERVICE=zip-jobs", "SINCE=10m"]]
)
def test_make_asks_the_logs(stack: Stack, arguments: list[str]) -> None:
    assert stack.call("GET", "/zip-jobs?limit=0").status_code == 400
    find_rows(stack, "zip_jobs/rejected-requests", service="zip_status")
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={**os.environ, "AWS_ENDPOINT_URL": stack.outputs["aws_endpoint_url"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

"""`make insights`: Logs Insights played by moto and by written answers, MiniStack by itself."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

import insights
from lib.operations.insights_client import InsightsError, ask_insights
from lib.operations.log_groups import LogLine
from lib.operations.log_sql import open_view, run_sql
from lib.operations.result_table import Answer, print_answer, shorten, show_cell
from lib.operations.saved_queries import QueryNameError, list_names, read_saved_query

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

type RunInsights = Callable[..., tuple[int, str, str]]

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
GROUP = "/aws/lambda/sluice-test-zip-worker"
FAILED = {"level": "ERROR", "service": "zip_worker", "event": "job_failed", "job_id": "j1", "error": "gone"}


def make_logs(endpoint: str | None = None) -> "CloudWatchLogsClient":
    return boto3.client(
        "logs",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        endpoint_url=endpoint,
    )


def write_log(logs: "CloudWatchLogsClient", *texts: str) -> None:
    now = int(time.time() * 1000)
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="one")
    events: list[Any] = [{"timestamp": now - 1000, "message": text} for text in texts]
    if events:
        logs.put_log_events(logGroupName=GROUP, logStreamName="one", logEvents=events)


@pytest.fixture
def logs() -> "Iterator[CloudWatchLogsClient]":
    client = make_logs()
    yield client
    client.close()


def test_queries_are_found_by_both_spellings_or_the_end_alone() -> None:
    names = list_names(insights.QUERIES)
    assert "zip_jobs/failed-jobs" in names
    for name in ("zip_jobs/failed-jobs", "zip-jobs/failed-jobs", "failed-jobs", "zip_jobs/failed-jobs.query"):
        assert read_saved_query(insights.QUERIES, name).name == "zip_jobs/failed-jobs"
    assert read_saved_query(insights.QUERIES, "failed-jobs").service == "zip-jobs"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("zip_jobs/faild-job", "did you mean zip_jobs/failed-jobs"),
        ("failed-requests", "did you mean dataset_download/failed-requests, zip_jobs/failed-requests?"),
        ("qqqqqq", "lists all"),
        ("../../envs/dev", "there is no one query"),
    ],
)
def test_near_names_are_offered(name: str, near: str) -> None:
    with pytest.raises(QueryNameError, match=near.replace("?", r"\?")):
        read_saved_query(insights.QUERIES, name)


def test_insights_is_asked_until_it_has_an_answer(
    logs: "CloudWatchLogsClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    cells = [{"field": "error", "value": "gone"}, {"field": "extra", "value": "1"}, {"field": "@ptr", "value": "x"}]
    with Stubber(logs) as stub:
        asked = {"logGroupNames": [GROUP], "startTime": 100, "endTime": 200, "queryString": "fields error"}
        stub.add_response("start_query", {"queryId": "q"}, asked)
        stub.add_response("get_query_results", {"status": "Running", "statistics": {"recordsScanned": 5.0}})
        done = {"status": "Complete", "results": [cells], "statistics": {"recordsScanned": 70.0}}
        stub.add_response("get_query_results", done, {"queryId": "q"})
        answer = ask_insights(logs, [GROUP], "fields error", ["job_id", "error"], 100, 200)
    # What a row lacks is left out by Insights; its columns stand where the query has them all the same.
    assert answer == Answer(["job_id", "error", "extra"], [[None, "gone", "1"]], 70)


def test_query_that_fails_is_an_error(logs: "CloudWatchLogsClient") -> None:
    with Stubber(logs) as stub:
        stub.add_response("start_query", {"queryId": "q"})
        stub.add_response("get_query_results", {"status": "Timeout", "results": []})
        with pytest.raises(InsightsError, match="Timeout"):
            ask_insights(logs, [GROUP], "fields error", ["error"], 0, 1)


@mock_aws
def test_a_saved_query_goes_to_the_services_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    # moto runs queries, though without filters and fields of JSON: what it finds is the line.
    for name, value in (CREDENTIALS | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)
    write_log(make_logs(), json.dumps(FAILED))
    query = read_saved_query(insights.QUERIES, "zip_jobs/failed-jobs")

    answer = insights.ask(query, {"ZIP_JOBS_TABLE": "sluice-test-zip-jobs"}, 3600, locally=False)
    assert list(answer.columns) == ["@timestamp", "event", "job_id", "error", "exception", "aws_request_id"]
    assert answer.lines == 1

    local = insights.ask(query, {}, 3600, locally=True)
    assert [row[1:4] for row in local.rows] == [("job_failed", "j1", "gone")]
    with pytest.raises(insights.NothingToAskError, match="has no log groups here"):
        insights.ask(query, {"ZIP_JOBS_TABLE": "other-zip-jobs"}, 3600, locally=False)


@pytest.fixture
def run_insights(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunInsights:
    """Return a function that calls the script with a stack of its own, whatever the checkout's files say."""

    def run(endpoint: str, *arguments: str) -> tuple[int, str, str]:
        # All that the script itself puts into the environment, so that it is taken out again.
        variables = {"AWS_ENDPOINT_URL": endpoint, "ZIP_JOBS_TABLE": "sluice-test-zip-jobs"}
        variables |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        for name, value in (variables | CREDENTIALS).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["insights.py", *arguments])
        status = insights.main()
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_on_ministack_the_query_runs_here(s3_url: str, run_insights: RunInsights) -> None:
    logs = make_logs(s3_url)
    write_log(logs, "START RequestId: x", json.dumps(FAILED), '{"event":"job_ready","job_id":"j2"}')

    status, out, err = run_insights(s3_url, "zip_jobs/failed-jobs", "--json")
    assert status == 0, err
    row = json.loads(out)
    assert (row["event"], row["job_id"], row["error"]) == ("job_failed", "j1", "gone")
    assert "MiniStack cannot run Logs Insights" in err
    status, out, err = run_insights(s3_url, "zip_jobs/lost-leases")
    assert (status, out) == (0, "")
    assert "0 rows out of 3 log lines" in err
    status, _, err = run_insights(s3_url, "csv_streamer/runs")
    assert status == 1
    assert "csv-streamer has no log groups here: make up deploy-local" in err
    logs.delete_log_group(logGroupName=GROUP)
    logs.close()


def test_empty_logs_are_told_from_an_answer_without_rows(s3_url: str, run_insights: RunInsights) -> None:
    logs = make_logs(s3_url)
    write_log(logs)
    status, _, err = run_insights(s3_url, "zip_jobs/failed-jobs", "--since", "10m")
    logs.delete_log_group(logGroupName=GROUP)
    logs.close()
    assert status == 1
    assert "zip-jobs has logged nothing in the last 10m: SINCE=1d" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["zip_jobs/failed-jobs"], "no stack answers at http://127.0.0.1:1: make up deploy-local"),
        (["zip_jobs/failed-jops"], "did you mean zip_jobs/failed-jobs"),
        (["zip_jobs/failed-jobs", "--since", "soon"], "SINCE: 'soon' is not an age"),
    ],
)
def test_what_cannot_be_asked_is_explained(run_insights: RunInsights, arguments: list[str], said: str) -> None:
    status, _, err = run_insights("http://127.0.0.1:1", *arguments)
    assert status == 1
    assert said in err


def test_without_a_name_all_queries_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert insights.run("", "3h", locally=False, as_json=False) == 0
    printed = capsys.readouterr().out
    assert [name for name in list_names(insights.QUERIES) if name not in printed] == []
    assert "Which jobs failed, and why?" in printed


def test_tables_show_times_numbers_and_the_end_of_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    row = (datetime(2026, 11, 21, 12, 0, 0, 5000), 1.5, None, "Traceback\n  line\nKeyError: [x]")  # noqa: DTZ001
    print_answer(Answer(["@timestamp", "mean_ms", "error", "exception"], [row], 1), as_json=False)
    printed = capsys.readouterr().out
    assert "2026-11-21 12:00:00.005" in printed
    assert "KeyError: [x]" in printed
    assert "Traceback" not in printed
    print_answer(Answer(["mean_ms", "exception"], [row[1:4:2]], 1), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"mean_ms": 1.5, "exception": "Traceback\n  line\nKeyError: [x]"}
    assert [show_cell(cell) for cell in (True, 4.0, 0.25, 7, None)] == ["true", "4", "0.25", "7", ""]
    assert len(shorten("x" * 1000)) == 160


def test_lines_of_any_kind_have_a_place_in_the_view() -> None:
    report = "REPORT RequestId: 11111111-1111-4111-8111-111111111111\tDuration: 2.50 ms\tBilled Duration: 9 ms\t"
    texts = [
        "{broken",
        "[1]",
        '"text"',
        "null",
        '{"event":"a","bytes":"many"}',
        '{"event":"b","bytes":7,"x":[1]}',
        report,
    ]
    lines = [LogLine(number, "g", "s", text) for number, text in enumerate(texts)]
    fields = {"event": "VARCHAR", "bytes": "BIGINT", "x": "VARCHAR", "aws_request_id": "VARCHAR", "ts": "VARCHAR"}
    sql = 'SELECT event, bytes, x, "@type", "@duration" FROM logs ORDER BY "@timestamp"'
    with open_view(fields, lines) as connection:
        rows = run_sql(connection, sql)[1]
    nothing = (None,) * 5
    assert rows[:4] == [nothing] * 4
    assert rows[4:] == [("a", *nothing[1:]), ("b", 7, "[1]", None, None), (None, None, None, "REPORT", 2.5)]

"""Finding a service's log groups, and reading all of their lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from lib.operations.log_groups import (
    LogLine,
    choose_function,
    choose_service,
    find_prefix,
    find_service_groups,
    read_events,
    read_server_log,
)

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

WORKER = "/aws/lambda/sluice-local-zip-worker"
ZIP_GROUPS = [f"/aws/lambda/sluice-local-zip-{name}" for name in ("enqueue", "settler", "status", "worker")]


@pytest.fixture
def logs() -> "Iterator[CloudWatchLogsClient]":
    client = boto3.client("logs", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    yield client
    client.close()


def make_event(time_ms: int, text: str) -> dict[str, Any]:
    return {"timestamp": time_ms, "message": f"{text}\n", "logStreamName": "stream"}


def test_function_is_found_by_its_name_or_the_end_of_it() -> None:
    groups = [WORKER, "/aws/lambda/sluice-local-other-worker", "/aws/lambda/worker"]
    assert choose_function(groups, "zip-worker") == groups[:1]
    assert choose_function(groups, "zip_worker") == groups[:1]
    assert choose_function(groups, "sluice-local-zip-worker") == groups[:1]
    assert choose_function(groups, "worker") == groups
    assert choose_function(groups, "orker") == []


def test_service_stands_for_all_its_functions() -> None:
    partitions = ["/aws/lambda/sluice-dev-xapi-etl-apps", "/aws/lambda/sluice-dev-xapi-etl-web"]
    download = ["/aws/lambda/sluice-dev-dataset-download", "/aws/lambda/sluice-dev-dataset-export"]
    groups = [*ZIP_GROUPS, *partitions, *download]
    assert choose_function(groups, "zip-jobs") == ZIP_GROUPS
    assert choose_function(groups, "xapi_etl") == partitions
    assert choose_function(groups, "dataset-download") == download[:1]
    assert choose_service(groups, "dataset-download") == download


def test_other_deployments_of_the_account_are_left_out() -> None:
    groups = ["/aws/lambda/sluice-dev-csv-streamer", "/aws/lambda/sluice-prod-csv-streamer"]
    prefix = find_prefix({"ZIP_JOBS_TABLE": "", "CSV_STREAMER_FUNCTION": "sluice-prod-csv-streamer"})
    assert choose_service(groups, "csv-streamer", prefix) == groups[1:]
    assert find_prefix({"CSV_STREAMER_FUNCTION": "renamed"}) is None
    assert choose_service(groups, "csv-streamer") == groups


def test_the_api_belongs_to_the_zip_jobs(logs: "CloudWatchLogsClient") -> None:
    access = "/aws/vendedlogs/apigateway/sluice-local-zip-jobs"
    with Stubber(logs) as stub:
        for names in (ZIP_GROUPS, [access, f"{access}-else"]):
            stub.add_response("describe_log_groups", {"logGroups": [{"logGroupName": name} for name in names]})
        assert find_service_groups(logs, "zip-jobs", "sluice-local") == [*ZIP_GROUPS, access]


def test_lines_of_all_pages_are_read(logs: "CloudWatchLogsClient") -> None:
    with Stubber(logs) as stub:
        stub.add_response("filter_log_events", {"events": [make_event(1, "a")], "nextToken": "more"})
        stub.add_response("filter_log_events", {"events": [make_event(2, "b")]})
        assert list(read_events(logs, WORKER, 0, 9)) == [
            LogLine(1, WORKER, "stream", "a"),
            LogLine(2, WORKER, "stream", "b"),
        ]


def test_reading_goes_on_by_time_where_there_is_no_token(logs: "CloudWatchLogsClient") -> None:
    first = [make_event(number // 4, f"{number}") for number in range(10_000)]
    # The last four events of the first answer have one time, and there is a fifth.
    second = [*first[-4:], make_event(2499, "10000"), make_event(2500, "10001")]
    with Stubber(logs) as stub:
        stub.add_response("filter_log_events", {"events": first})
        span = {"logGroupName": WORKER, "startTime": 2499, "endTime": 9999}
        stub.add_response("filter_log_events", {"events": second}, span)
        read = [line.text for line in read_events(logs, WORKER, 0, 9999)]
    assert read == [f"{number}" for number in range(10_002)]


def test_reading_ends_where_all_lines_have_one_time(logs: "CloudWatchLogsClient") -> None:
    with Stubber(logs) as stub:
        stub.add_response("filter_log_events", {"events": [make_event(5, "x")] * 10_000})
        span = {"logGroupName": WORKER, "startTime": 6, "endTime": 9}
        stub.add_response("filter_log_events", {"events": []}, span)
        assert len(list(read_events(logs, WORKER, 0, 9))) == 10_000


def test_server_log_is_read_by_the_lines_own_times(tmp_path: Path) -> None:
    file = tmp_path / "server.log"
    early, late = (f'{{"level":"INFO","ts":"2026-11-21T12:00:0{second}.500+00:00"}}' for second in (1, 2))
    file.write_text(f"Traceback\n{early}\n{late}\n{{broken\n")
    noon_ms = 1_795_262_400_000
    found = [LogLine(noon_ms + 2500, "server", "server.log", late)]
    assert list(read_server_log(file, "server", noon_ms + 2000, noon_ms + 9000)) == found
    assert list(read_server_log(tmp_path / "none.log", "server", 0, noon_ms)) == []

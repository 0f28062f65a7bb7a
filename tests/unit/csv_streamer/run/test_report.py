"""The answer and the metrics count every file once, and say when all failed."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.run.report import emit_metrics, respond, summarise
from csv_streamer.schemas import FileResult, Status

STATUSES: tuple[Status, ...] = ("success", "failed", "unchanged", "deferred")


def result(status: Status, size: int = 10) -> FileResult:
    return FileResult("https://h/a.csv", status, "raw/a.csv", size, 1, "why" if status == "failed" else None)


@pytest.mark.parametrize(
    ("statuses", "code", "message"),
    [
        (["success", "success"], 200, "Streamed 2 ok, 0 failed"),
        (["success", "failed"], 200, "Streamed 1 ok, 1 failed"),
        (["failed", "failed"], 502, "Streamed 0 ok, 2 failed"),
        (["failed", "unchanged"], 200, "Streamed 0 ok, 1 failed, 1 unchanged"),
        (["failed", "deferred", "deferred"], 200, "Streamed 0 ok, 1 failed, 2 deferred"),
        (["unchanged"], 200, "Streamed 0 ok, 0 failed, 1 unchanged"),
        ([], 200, "Streamed 0 ok, 0 failed"),
    ],
)
def test_status_is_502_only_if_all_failed(statuses: list[Status], code: int, message: str) -> None:
    status, body = summarise([result(one) for one in statuses], 1.234, {"total": 1})
    assert (status, body["message"]) == (code, message)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.integers(0, 2**50))))
def test_every_file_is_counted_once(files: list[tuple[Status, int]]) -> None:
    _, body = summarise([result(status, size) for status, size in files], 0, {})
    summary = body["summary"]
    counts = [summary[name] for name in ("successful", "failed", "unchanged", "deferred")]
    assert counts == [[status for status, _ in files].count(one) for one in STATUSES]
    assert summary["total_files"] == sum(counts) == len(body["results"])
    assert summary["total_bytes"] == sum(size for status, size in files if status == "success")


def test_answer_is_json_with_one_result_a_file() -> None:
    status, body = summarise([result("success"), result("failed", 0)], 18.4249, {"upload_part": 3, "total": 3})
    answer = respond(status, body)
    assert answer["statusCode"] == 200
    assert type(answer["statusCode"]) is int
    told = json.loads(answer["body"])
    assert (told["elapsed_seconds"], told["s3_request_counts"]) == (18.42, {"upload_part": 3, "total": 3})
    same = {"url": "https://h/a.csv", "s3_key": "raw/a.csv", "parts": 1}
    assert told["results"] == [
        {**same, "bytes": 10, "status": "success"},
        {**same, "bytes": 0, "status": "failed", "error": "why"},
    ]


def test_answer_keeps_letters_as_they_are() -> None:
    assert respond(HTTPStatus.OK, {"message": "données ٢"})["body"] == '{"message": "données ٢"}'


def read_metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    [line] = capsys.readouterr().out.strip().splitlines()
    metrics: dict[str, Any] = json.loads(line)
    return metrics


def test_metrics_are_in_embedded_format(capsys: pytest.CaptureFixture[str]) -> None:
    emit_metrics("streamer", [result("success"), result("success"), result("failed", 0), result("deferred", 7)])
    metrics = read_metrics(capsys)
    [directive] = metrics["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Sluice", [["function_name", "service"]])
    assert (metrics["service"], metrics["function_name"]) == ("csv_streamer", "streamer")
    values = {item["Name"]: metrics[item["Name"]] for item in directive["Metrics"]}
    assert values == {
        "FilesSucceeded": [2],
        "FilesFailed": [1],
        "FilesUnchanged": [0],
        "FilesDeferred": [1],
        "BytesStreamed": [20],
        "RunsFailed": [0],
    }


def test_metrics_tell_of_a_run_that_failed_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    emit_metrics("streamer", [], run_failed=True)
    metrics = read_metrics(capsys)
    assert (metrics["RunsFailed"], metrics["FilesFailed"]) == ([1], [0])


def test_metrics_of_two_runs_do_not_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        emit_metrics("streamer", [result("failed", 0)])
        assert read_metrics(capsys)["FilesFailed"] == [1]

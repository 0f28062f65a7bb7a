"""The diagnostics report and the cold start."""

import json
from typing import Any

import pytest

from tests.unit.xapi_etl.conftest import BUCKET, Context, Environ, Etl, events, find_event, find_events
from tests.unit.xapi_etl.statements import make_statements, write_lines
from xapi_etl import app


def diagnose(**event: Any) -> dict[str, Any]:
    response = app.lambda_handler({"diagnostics": True, **event}, Context())
    assert response["statusCode"] == 200
    report: dict[str, Any] = json.loads(response["body"])
    return report


def test_report_contains_runtime_settings_and_dependencies(etl: Etl, environ: Environ) -> None:
    environ(CLICKHOUSE_PASSWORD="s3cret", CLICKHOUSE_USER="writer", BAD_LINES="quarantine")
    report = diagnose()
    assert report["runtime"]["python_version"].startswith("3.")
    assert report["runtime"]["architecture"]
    assert {"pyarrow", "numpy", "requests", "orjson", "zstandard", "boto3"} <= report["runtime"]["dependencies"].keys()
    assert all(report["runtime"]["dependencies"].values())
    assert report["function"] == {"name": "xapi-etl", "memory_mb": 1024}
    assert report["environment"]["BAD_LINES"] == "quarantine"
    assert report["is_set"]["CLICKHOUSE_PASSWORD"] is True
    assert report["settings"] == {"ok": True, "dry_run": False}
    assert "s3cret" not in json.dumps(report)
    assert "s3_check" not in report


def test_report_names_wrong_settings(etl: Etl, environ: Environ) -> None:
    environ(BAD_LINES="drop")
    report = diagnose(clickhouse_check=True)
    assert report["settings"]["ok"] is False
    assert "BAD_LINES" in report["settings"]["error"]


def test_s3_check_lists_one_object(etl: Etl, environ: Environ) -> None:
    for name in "ab":
        etl.put(f"section/{name}.jsonl", b"{}")
    asked = diagnose(s3_check={"bucket": BUCKET, "prefix": "section/"})["s3_check"]
    assert asked == {
        "ok": True,
        "bucket": BUCKET,
        "prefix": "section/",
        "objects_seen": 1,
        "first_key": "section/a.jsonl",
    }
    environ(DIAG_S3_BUCKET=BUCKET, DIAG_S3_PREFIX="none/")
    assert diagnose()["s3_check"] == {
        "ok": True,
        "bucket": BUCKET,
        "prefix": "none/",
        "objects_seen": 0,
        "first_key": None,
    }
    refused = diagnose(s3_check={"bucket": "no-such-bucket"})["s3_check"]
    assert refused["ok"] is False
    assert "NoSuchBucket" in refused["error"]


def test_clickhouse_check_compares_the_columns(etl: Etl, environ: Environ) -> None:
    check = diagnose(clickhouse_check=True)["clickhouse_check"]
    version = check.pop("version")
    assert int(version.split(".")[0]) >= 20
    assert check == {
        "ok": True,
        "table_exists": True,
        "columns_missing": [],
        "columns_not_inserted": ["inserted_at"],
    }
    etl.query("CREATE OR REPLACE TABLE xapi.few (statement_id String, own String) ENGINE = MergeTree ORDER BY tuple()")
    environ(CLICKHOUSE_TABLE="few")
    check = diagnose(clickhouse_check=True)["clickhouse_check"]
    assert (check["ok"], check["columns_not_inserted"]) == (False, ["own"])
    assert "verb_id" in check["columns_missing"]
    environ(CLICKHOUSE_TABLE="missing")
    check = diagnose(clickhouse_check=True)["clickhouse_check"]
    assert (check["ok"], check["table_exists"]) == (False, False)


def test_clickhouse_that_does_not_respond_is_reported(etl: Etl, environ: Environ, no_pause: list[float]) -> None:
    environ(CLICKHOUSE_URL="http://127.0.0.1:9")
    check = diagnose(clickhouse_check=True)["clickhouse_check"]
    assert check == {"ok": False, "error": "no response: ConnectionError"}


def test_cold_start_is_logged_once(etl: Etl, caplog: pytest.LogCaptureFixture) -> None:
    app._log_cold_start.cache_clear()
    for _ in range(2):
        app.lambda_handler({"Records": []}, Context())
    record = find_event(caplog, "cold_start")
    assert record.description == "Lambda cold start runtime metadata"
    assert record.dependencies["pyarrow"]
    assert len(find_events(caplog, "batch_complete")) == 2


def test_log_level_follows_the_variable(etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture) -> None:
    body = etl.put("statements/a.jsonl", b"{}")
    environ(LOG_LEVEL="DEBUG")
    etl.deliver(body)
    assert "object_loaded" in events(caplog)
    caplog.clear()
    environ(LOG_LEVEL="WARN")
    etl.deliver(body)
    assert events(caplog) == []


def test_progress_is_logged_while_a_large_object_is_read(
    etl: Etl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = iter(range(0, 100_000, 6))
    monkeypatch.setattr("xapi_etl.loading.chunk_reader.time.monotonic", lambda: next(ticks))
    line = b'{"id":"' + b"x" * 2_000_000 + b'"}\n'
    etl.deliver(etl.put("statements/a.jsonl", line * 9))
    progress = find_events(caplog, "lines_progress")
    assert [record.bytes_read for record in progress] == [8 * 2**20, 16 * 2**20, len(line) * 9]


def test_metrics_are_printed_in_the_embedded_format(etl: Etl, capsys: pytest.CaptureFixture[str]) -> None:
    etl.deliver(etl.put("statements/a.jsonl", b"{}\n{}\n"), "?")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Sluice"
    assert metrics["service"] == "xapi_etl"
    values = {
        name: metrics[name] for name in ("RowsInserted", "LinesRead", "BadLines", "ObjectsLoaded", "MessagesFailed")
    }
    assert values == {
        "RowsInserted": [1],
        "LinesRead": [2],
        "BadLines": [0],
        "ObjectsLoaded": [1],
        "MessagesFailed": [1],
    }


GOOD = write_lines(make_statements(3))


@pytest.mark.usefixtures("defaults")
def test_s3_check_that_names_no_bucket_is_reported(etl: Etl, environ: Environ) -> None:
    environ(DIAG_S3_BUCKET=BUCKET)
    for check in (True, {}, {"bucket": None}):
        report = json.loads(app.lambda_handler({"diagnostics": True, "s3_check": check}, Context())["body"])
        assert report["s3_check"]["ok"]
    report = json.loads(app.lambda_handler({"diagnostics": True, "s3_check": [7]}, Context())["body"])
    assert not report["s3_check"]["ok"]


@pytest.mark.usefixtures("defaults")
def test_debug_logs_schemas_and_extends_diagnostics(
    etl: Etl, environ: Environ, caplog: pytest.LogCaptureFixture
) -> None:
    environ(LOG_LEVEL="DEBUG", CLICKHOUSE_PASSWORD="hunter2", CLICKHOUSE_SETTINGS="log_comment=hunter2")
    assert etl.deliver(etl.put("statements/a.jsonl", GOOD)) == []
    schema = find_event(caplog, "object_schema")
    assert (schema.rows, schema.columns["parent_ids"], schema.columns["timestamp"]) == (
        3,
        "list<item: string>",
        "timestamp[ms, tz=UTC]",
    )
    assert "organisation" in schema.empty_columns
    response = app.lambda_handler({"diagnostics": True}, Context())["body"]
    report = json.loads(response)
    assert report["debug"]["mapping"]["columns"][0] == "statement_id"
    assert report["debug"]["settings"]["bad_lines"] == "quarantine"
    assert "READ_CONCURRENCY" in report["not_set"]
    assert "hunter2" not in response

"""The diagnostics report, requested by ``{"diagnostics": true}``: runtime, settings, checks of S3 and ClickHouse."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from .env import SettingsError
from .exceptions import XapiEtlError
from .metrics import describe_runtime
from .settings import Settings

SHOWN = (
    "CLICKHOUSE_HOST",
    "CLICKHOUSE_PORT",
    "CLICKHOUSE_SECURE",
    "CLICKHOUSE_PATH",
    "CLICKHOUSE_DATABASE",
    "CLICKHOUSE_TABLE",
    "CLICKHOUSE_TIMEOUT_SECONDS",
    "CLICKHOUSE_MAX_ATTEMPTS",
    "CLICKHOUSE_INSERT_COLUMNS",
    "PARQUET_COMPRESSION",
    "MAX_S3_OBJECT_BYTES",
    "MAX_LINE_BYTES",
    "TARGET_ROWS_PER_INSERT",
    "MAX_ROWS_PER_INSERT",
    "MAX_PARQUET_BYTES_PER_INSERT",
    "MIN_REMAINING_TIME_TO_START_INSERT_MS",
    "LAMBDA_TIMEOUT_SAFETY_MARGIN_MS",
    "S3_CONNECT_TIMEOUT_SECONDS",
    "S3_READ_TIMEOUT_SECONDS",
    "S3_MAX_ATTEMPTS",
    "READ_CONCURRENCY",
    "DRY_RUN",
    "LOG_LEVEL",
    "ITER_LOG_INTERVAL_SECONDS",
    "STRICTNESS",
    "BAD_LINES",
    "BAD_LINES_MAX_RATIO",
    "QUARANTINE_BUCKET",
    "QUARANTINE_PREFIX",
    "COLUMN_MAP",
    "COLUMN_MAP_S3_URI",
    "MAX_RECEIVES",
    "DIAG_S3_BUCKET",
    "DIAG_S3_PREFIX",
)
"""Variables whose values are in the report."""
HIDDEN = (
    "CLICKHOUSE_URL",
    "CLICKHOUSE_USER",
    "CLICKHOUSE_PASSWORD",
    "CLICKHOUSE_SECRET",
    "CLICKHOUSE_SETTINGS",
    "CLICKHOUSE_INSERT_SQL",
    "FAILURE_DLQ_URL",
)
"""Variables that may contain secrets: the report only says whether they are set."""

_SECRET = frozenset({"clickhouse", "failure_queue_url"})

type Report = dict[str, Any]


def run_diagnostics(
    event: Mapping[str, Any], variables: Mapping[str, str], context: LambdaContext, logger: Logger
) -> Report:
    """Return a report as a response with status 200; it contains any errors."""
    report: Report = {
        "runtime": describe_runtime(),
        "function": {"name": context.function_name, "memory_mb": context.memory_limit_in_mb},
        "environment": {name: variables[name] for name in SHOWN if variables.get(name)},
        "is_set": {name: bool(variables.get(name)) for name in HIDDEN},
        "not_set": [name for name in SHOWN if not variables.get(name)],
    }
    try:
        settings = Settings.from_environment(variables)
        report["settings"] = {"ok": True, "dry_run": settings.is_dry_run}
    except SettingsError as error:
        report["settings"] = {"ok": False, "error": str(error)}
        # The S3 check needs only the limits of the S3 client.
        settings = Settings.from_environment({"DRY_RUN": "true"})
    if settings.log_level == "DEBUG":
        report["debug"] = _describe_more(settings)
    report |= _run_checks(event, settings, context, logger, is_configured=report["settings"]["ok"])
    checks = {name: report[name]["ok"] for name in ("settings", "s3_check", "clickhouse_check") if name in report}
    logger.info("diagnostics_complete", extra={"checks": checks})
    return {"statusCode": int(HTTPStatus.OK), "body": json.dumps(report)}


def _describe_more(settings: Settings) -> Report:
    """Return the details that ``LOG_LEVEL=DEBUG`` adds: effective settings, mapping and process, without secrets."""
    from .loading.wiring import find_columns  # noqa: PLC0415  # imports Arrow and NumPy

    where = settings.clickhouse
    counts = {name: getattr(settings, name) for name in Settings.__dataclass_fields__ if name not in _SECRET}
    more: Report = {
        "settings": counts,
        "clickhouse": {
            "has_url": bool(where.url),
            "target": where.target,
            "ledger": where.ledger,
            "setting_names": sorted(where.settings),
            "timeout_seconds": where.timeout_seconds,
            "max_attempts": where.max_attempts,
        },
        "process": {
            "path": sys.path,
            "processors": os.process_cpu_count(),
            "free_in_tmp": shutil.disk_usage(tempfile.gettempdir()).free,
        },
    }
    more["mapping"] = _guard(lambda: {"columns": list(find_columns(settings))})
    return more


def _run_checks(
    event: Mapping[str, Any], settings: Settings, context: LambdaContext, logger: Logger, *, is_configured: bool
) -> Report:
    checks: Report = {}
    requested = event.get("s3_check") or {}
    if requested and requested is not True and not isinstance(requested, dict):
        checks["s3_check"] = {"ok": False, "error": "s3_check must be true or an object with bucket and prefix"}
        requested = {}
    elif requested or settings.diagnostics_bucket:
        requested = requested if isinstance(requested, dict) else {}
        bucket = requested.get("bucket") or settings.diagnostics_bucket
        prefix = requested.get("prefix", settings.diagnostics_prefix) or ""
        checks["s3_check"] = _guard(lambda: _check_s3(settings, bucket, prefix))
    if event.get("clickhouse_check") and is_configured:
        checks["clickhouse_check"] = _guard(lambda: _check_clickhouse(settings, context, logger))
    return checks


def _guard(check: Callable[[], Report]) -> Report:
    try:
        return {"ok": True, **check()}
    except (XapiEtlError, ClientError, BotoCoreError) as error:
        return {"ok": False, "error": str(error)}


def _check_s3(settings: Settings, bucket: Any, prefix: Any) -> Report:  # noqa: ANN401  # values of the event
    if not isinstance(bucket, str) or not bucket or not isinstance(prefix, str):
        return {"ok": False, "error": "no bucket to check: set s3_check.bucket or DIAG_S3_BUCKET"}
    from .loading.wiring import open_s3  # noqa: PLC0415  # imports Arrow and NumPy

    response = open_s3(settings).list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    keys = [item["Key"] for item in response.get("Contents", [])]
    return {"bucket": bucket, "prefix": prefix, "objects_seen": len(keys), "first_key": next(iter(keys), None)}


def _check_clickhouse(settings: Settings, context: LambdaContext, logger: Logger) -> Report:
    """Return the server's version and the differences between the table's columns and the inserted ones."""
    from .loading.wiring import connect, find_columns  # noqa: PLC0415  # imports Arrow and NumPy

    clickhouse = connect(settings, context.get_remaining_time_in_millis, logger)
    report: Report = {"version": clickhouse.query("SELECT version() FORMAT TSV", {}).strip()}
    where = settings.clickhouse
    if where.target is None:
        return report
    exists = clickhouse.query(f"EXISTS TABLE {where.target} FORMAT TSV", {}).strip() == "1"
    report["table_exists"] = exists
    if not exists:
        return {**report, "ok": False}
    response = clickhouse.query(f"DESCRIBE TABLE {where.target} FORMAT JSONCompactEachRow", {})
    present = [json.loads(line)[0] for line in response.splitlines()]
    wanted = find_columns(settings)
    missing = [name for name in wanted if name not in present]
    others = [name for name in present if name not in wanted]
    return {**report, "ok": not missing, "columns_missing": missing, "columns_not_inserted": others}

"""CloudWatch metrics of an invocation, and versions of the runtime and its dependencies."""

from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from platform import machine, python_implementation, python_version

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from .schemas import BatchStats, Result

DEPENDENCIES = ("boto3", "pyarrow", "numpy", "orjson", "requests", "zstandard", "aws-lambda-powertools")
_COUNTS: dict[Result, str] = {
    "loaded": "ObjectsLoaded",
    "duplicate": "ObjectsDuplicate",
    "empty": "ObjectsEmpty",
    "failed": "ObjectsFailed",
    "not_started": "ObjectsNotStarted",
}


_CODES = (
    ("not_json", "BadLinesNotJson"),
    ("not_a", "BadLinesNotAStatement"),
    ("wrong_type", "BadLinesWrongType"),
    ("missing", "BadLinesMissingValue"),
    ("too_", "BadLinesTooLong"),
)
"""Prefixes of the reason codes of bad lines, and the metric of each."""


def describe_runtime() -> dict[str, object]:
    """Return facts about the runtime; reads the dependencies' versions without importing them."""
    return {
        "python_version": python_version(),
        "python_implementation": python_implementation(),
        "architecture": machine(),
        "dependencies": {name: _find_version(name) for name in DEPENDENCIES},
    }


def put_metrics(function_name: str, stats: BatchStats, messages_failed: int) -> None:
    """Print the invocation's metrics in CloudWatch's embedded metric format, with the function's name as dimension."""
    results = Counter(outcome.result for outcome in stats.outcomes.values())
    metrics = EphemeralMetrics(namespace="Sluice", service="xapi_etl")
    metrics.add_dimension("function_name", function_name)
    for result, name in _COUNTS.items():
        metrics.add_metric(name, MetricUnit.Count, results[result])
    for name, count in (
        ("RowsInserted", stats.rows_inserted),
        ("RowsRepeated", stats.rows_repeated),
        ("RowsAlreadyPresent", stats.rows_present),
        ("LinesRead", stats.lines),
        ("BadLines", stats.bad_lines),
        *(
            (name, sum(stats.bad_codes[code] for code in stats.bad_codes if code.startswith(start)))
            for start, name in _CODES
        ),
        ("DroppedKeys", stats.dropped.total()),
        ("RecordsIgnored", stats.ignored_records),
        ("MessagesDeadLettered", stats.messages_dead_lettered),
        ("Inserts", stats.inserts),
        ("InsertsFailed", stats.inserts_failed),
        ("MessagesFailed", messages_failed),
    ):
        metrics.add_metric(name, MetricUnit.Count, count)
    metrics.add_metric("InputBytes", MetricUnit.Bytes, stats.input_bytes)
    metrics.add_metric("ParquetBytes", MetricUnit.Bytes, stats.parquet_bytes)
    metrics.flush_metrics()


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

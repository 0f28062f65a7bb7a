"""What CloudWatch sees of an invocation."""

from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from platform import machine, python_implementation, python_version

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from .schemas import Result, Tally

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
"""What the reason codes of bad lines begin with, and the metric of each."""


def describe_runtime() -> dict[str, object]:
    """Return facts about the runtime; the dependencies' versions are read and nothing of them imported."""
    return {
        "python_version": python_version(),
        "python_implementation": python_implementation(),
        "architecture": machine(),
        "dependencies": {name: _find_version(name) for name in DEPENDENCIES},
    }


def put_metrics(function_name: str, tally: Tally, messages_failed: int) -> None:
    """Print the invocation's metrics in CloudWatch's embedded metric format; the name tells deployments apart."""
    results = Counter(outcome.result for outcome in tally.outcomes.values())
    metrics = EphemeralMetrics(namespace="Sluice", service="xapi_etl")
    metrics.add_dimension("function_name", function_name)
    for result, name in _COUNTS.items():
        metrics.add_metric(name, MetricUnit.Count, results[result])
    for name, count in (
        ("RowsInserted", tally.rows_inserted),
        ("RowsRepeated", tally.rows_repeated),
        ("RowsAlreadyPresent", tally.rows_present),
        ("LinesRead", tally.lines),
        ("BadLines", tally.bad_lines),
        *(
            (name, sum(tally.bad_codes[code] for code in tally.bad_codes if code.startswith(start)))
            for start, name in _CODES
        ),
        ("DroppedKeys", tally.dropped.total()),
        ("RecordsIgnored", tally.ignored_records),
        ("MessagesDeadLettered", tally.messages_dead_lettered),
        ("Inserts", tally.inserts),
        ("InsertsFailed", tally.inserts_failed),
        ("MessagesFailed", messages_failed),
    ):
        metrics.add_metric(name, MetricUnit.Count, count)
    metrics.add_metric("InputBytes", MetricUnit.Bytes, tally.input_bytes)
    metrics.add_metric("ParquetBytes", MetricUnit.Bytes, tally.parquet_bytes)
    metrics.flush_metrics()


def _find_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

"""Metrics and traces of an invocation, for CloudWatch and X-Ray."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from data_aggregator.schemas import Result
from data_aggregator.settings import Settings

from .batch import Report

_NAMESPACE = "Sluice"
_COUNTS: dict[Result, str] = {
    "bundled": "SourcesBundled",
    "duplicate": "SourcesDuplicate",
    "source_gone": "SourcesGone",
    "superseded": "SourcesSuperseded",
    "busy": "SourcesBusy",
    "failed": "SourcesFailed",
    "refused": "SourcesRefused",
    "not_started": "SourcesNotStarted",
    "rejected": "MessagesRejected",
}


def put_metrics(service: str, report: Report) -> None:
    """Print the invocation's metrics in CloudWatch's embedded metric format."""
    metrics = Metrics(namespace=_NAMESPACE, service=service)
    for result, name in _COUNTS.items():
        metrics.add_metric(name, MetricUnit.Count, report.results[result])
    metrics.add_metric("RecordsIgnored", MetricUnit.Count, report.ignored)
    metrics.add_metric("BundlesWritten", MetricUnit.Count, report.tally.bundles)
    metrics.add_metric("InputBytes", MetricUnit.Bytes, report.tally.input_bytes)
    metrics.add_metric("BundleBytes", MetricUnit.Bytes, report.tally.bundle_bytes)
    metrics.flush_metrics()


def trace(handler: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    """Return the handler, traced if tracing is enabled; only then is the X-Ray SDK imported (0.15 s)."""
    if not settings.is_traced:
        return handler
    from aws_lambda_powertools import Tracer  # noqa: PLC0415

    return Tracer(service=settings.service_name, patch_modules=("botocore",)).capture_lambda_handler(handler)

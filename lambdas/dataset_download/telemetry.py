"""Log record and CloudWatch metrics of a download."""

import os
import time
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from .request.resolve import ResolvedRequest

_MAX_FILTER_LENGTH = 1000
_SERVED = frozenset({"complete", "redirected", "exported"})


@dataclass
class Record:
    """A download, from its request to its end; it is reported once."""

    logger: Logger
    resolved: ResolvedRequest
    request_id: str
    query: str
    """The raw query string."""
    started: float = field(default_factory=time.monotonic)

    def finish(self, outcome: str, rows: int | None = None, size: int = 0, error: BaseException | None = None) -> None:
        """Log the outcome of the download and print its metrics; ``size`` is in bytes on the wire."""
        fields: dict[str, Any] = {
            "request_id": self.request_id,
            "dataset": self.resolved.dataset.name,
            "format": self.resolved.format.value,
            "filter": self.query[:_MAX_FILTER_LENGTH],
            "rows": rows,
            "bytes": size,
            "elapsed_ms": round((time.monotonic() - self.started) * 1000),
            "outcome": outcome,
        }
        if error is None:
            self.logger.info("download", extra=fields)
        else:
            self.logger.error("download", extra=fields, exc_info=error)
        emit_metrics(
            Downloads=int(outcome in _SERVED),
            RowsSent=rows or 0 if outcome in {"complete", "abandoned", "failed"} else 0,
            BytesSent=size,
            DownloadsFailed=int(outcome == "failed"),
        )


def emit_metrics(**values: int) -> None:
    """Print metrics in CloudWatch's embedded metric format; the function name distinguishes deployments."""
    metrics = EphemeralMetrics(namespace="Sluice", service="dataset_download")
    metrics.add_dimension("function_name", os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"))
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.Bytes if name.startswith("Bytes") else MetricUnit.Count, value)
    metrics.flush_metrics()

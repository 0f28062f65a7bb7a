"""Response and metrics of an invocation."""

import json
from collections import Counter
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from csv_streamer.schemas import FileResult

type Response = dict[str, Any]


def respond(status: HTTPStatus, body: dict[str, Any]) -> Response:
    """Return a response with a JSON body."""
    return {"statusCode": int(status), "body": json.dumps(body, ensure_ascii=False)}


def refuse(status: HTTPStatus, message: str, code: str) -> Response:
    """Return a response that explains why there was no run."""
    return respond(status, {"message": message, "code": code})


def summarise(results: list[FileResult], seconds: float, requests: dict[str, int]) -> tuple[HTTPStatus, dict[str, Any]]:
    """Return the response's status and body: 502 if there were files and all of them failed, else 200."""
    counts = Counter(result.status for result in results)
    parts = [f"{counts['success']} ok", f"{counts['failed']} failed"]
    parts += [f"{counts[status]} {status}" for status in ("unchanged", "deferred") if counts[status]]
    body = {
        "message": f"Streamed {', '.join(parts)}",
        "elapsed_seconds": round(seconds, 2),
        "summary": {
            "total_files": len(results),
            "successful": counts["success"],
            "failed": counts["failed"],
            "unchanged": counts["unchanged"],
            "deferred": counts["deferred"],
            "total_bytes": sum(result.bytes for result in results if result.status == "success"),
        },
        "s3_request_counts": requests,
        "results": [result.as_dict() for result in results],
    }
    all_failed = bool(results) and counts["failed"] == len(results)
    return HTTPStatus.BAD_GATEWAY if all_failed else HTTPStatus.OK, body


def emit_metrics(function_name: str, results: list[FileResult], *, run_failed: bool = False) -> None:
    """Print the invocation's metrics in CloudWatch's embedded metric format; the name tells deployments apart."""
    counts = Counter(result.status for result in results)
    metrics = EphemeralMetrics(namespace="Sluice", service="csv_streamer")
    metrics.add_dimension("function_name", function_name)
    for name, status in (
        ("FilesSucceeded", "success"),
        ("FilesFailed", "failed"),
        ("FilesUnchanged", "unchanged"),
        ("FilesDeferred", "deferred"),
    ):
        metrics.add_metric(name, MetricUnit.Count, counts[status])  # type: ignore[index]
    stored = sum(result.bytes for result in results if result.status == "success")
    metrics.add_metric("BytesStreamed", MetricUnit.Bytes, stored)
    metrics.add_metric("RunsFailed", MetricUnit.Count, int(run_failed))
    metrics.flush_metrics()

"""Execution of one export, by a request or by the export function."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from dataset_download.reading.result_stream import Download, start_download
from dataset_download.request.problem import explain
from dataset_download.request.resolve import ResolvedRequest
from dataset_download.runtime.cancellation import ignore_cancellation
from dataset_download.settings import Settings
from dataset_download.telemetry import emit_metrics

from .store import Exports, ExportTooLongError, StoredStatus

if TYPE_CHECKING:
    from dataset_download.schemas import ExportStatus


def make_export(
    settings: Settings,
    exports: Exports,
    resolved: ResolvedRequest,
    stored: StoredStatus,
    seconds_left: Callable[[], float],
    logger: Logger,
) -> ExportStatus:
    """Write the result to the export bucket and record the outcome; return the recorded status.

    Args:
        settings: the formula guard of CSV.
        exports: the export bucket.
        resolved: the request.
        stored: the status object that this caller has claimed.
        seconds_left: returns the remaining time.
        logger: receives `export_made` or `export_failed`.

    Raises:
        ExportTooLongError: the time is over. Nothing was written; the claim is unchanged for a worker with more time.
    """
    started = time.monotonic()

    def check_time() -> None:
        if seconds_left() <= 0:
            raise ExportTooLongError(f"not done after {time.monotonic() - started:.0f} s")

    fields = {"export": resolved.tag, "dataset": resolved.dataset.name, "format": resolved.format.value}
    download = start_download(resolved.plan, resolved.format, formula_guard=settings.formula_guard)
    try:
        with download, ignore_cancellation():
            size = exports.write(resolved, stored.status.key, _watch(download, check_time), check_time)
    except ExportTooLongError:
        raise
    except Exception as error:
        logger.exception("export_failed", extra=fields)
        emit_metrics(ExportsFailed=1)
        problem = explain(error)
        return finish_export(
            exports, stored, {"state": "failed", "status": problem.status.value, "detail": problem.detail}
        )
    elapsed_ms = round((time.monotonic() - started) * 1000)
    logger.info("export_made", extra={**fields, "rows": download.rows, "bytes": size, "elapsed_ms": elapsed_ms})
    emit_metrics(ExportsMade=1)
    return finish_export(exports, stored, {"state": "ready", "rows": download.rows, "bytes": size})


def finish_export(exports: Exports, stored: StoredStatus, changes: dict[str, object]) -> ExportStatus:
    """Record the outcome of an export unless another worker has taken the claim; return the recorded status."""
    status = stored.status.model_copy(update={**changes, "expires": datetime.now(UTC)})
    if exports.replace(status, stored) is None and (other := exports.find(status.export)):
        return other.status
    return status


def _watch(download: Download, check_time: Callable[[], None]) -> Iterator[bytes]:
    for chunk in download:
        yield chunk
        del chunk
        check_time()

"""Making one export: in the request, or by the export function."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from dataset_download.reading.result_stream import Download, start_download
from dataset_download.request.problem import explain
from dataset_download.request.resolve import Asked
from dataset_download.runtime.cancellation import finish_regardless
from dataset_download.settings import Settings
from dataset_download.telemetry import emit_metrics

from .store import Exports, ExportTooLongError, Found

if TYPE_CHECKING:
    from dataset_download.schemas import ExportStatus


def make_export(
    settings: Settings, exports: Exports, asked: Asked, found: Found, seconds_left: Callable[[], float], logger: Logger
) -> ExportStatus:
    """Write the answer to the bucket and note how that went; return the status that was noted.

    Args:
        settings: how CSV is guarded.
        exports: where to.
        asked: the answer.
        found: the claim, which is this caller's.
        seconds_left: how long it may still take.
        logger: gets `export_made` or `export_failed`.

    Raises:
        ExportTooLongError: time is over; nothing was written and the claim is as it was, for someone with more time.
    """
    started = time.monotonic()

    def check_time() -> None:
        if seconds_left() <= 0:
            raise ExportTooLongError(f"not done after {time.monotonic() - started:.0f} s")

    fields = {"export": asked.tag, "dataset": asked.dataset.name, "format": asked.format.value}
    download = start_download(asked.plan, asked.format, formula_guard=settings.formula_guard)
    try:
        with download, finish_regardless():
            size = exports.write(asked, found.status.key, _watch(download, check_time), check_time)
    except ExportTooLongError:
        raise
    except Exception as error:
        logger.exception("export_failed", extra=fields)
        emit_metrics(ExportsFailed=1)
        problem = explain(error)
        return settle(exports, found, {"state": "failed", "status": problem.status.value, "detail": problem.detail})
    elapsed_ms = round((time.monotonic() - started) * 1000)
    logger.info("export_made", extra={**fields, "rows": download.rows, "bytes": size, "elapsed_ms": elapsed_ms})
    emit_metrics(ExportsMade=1)
    return settle(exports, found, {"state": "ready", "rows": download.rows, "bytes": size})


def settle(exports: Exports, found: Found, changes: dict[str, object]) -> ExportStatus:
    """Note the end of an export, unless its claim has meanwhile become somebody else's; return what is noted."""
    status = found.status.model_copy(update={**changes, "expires": datetime.now(UTC)})
    if exports.replace(status, found) is None and (other := exports.find(status.export)):
        return other.status
    return status


def _watch(download: Download, check_time: Callable[[], None]) -> Iterator[bytes]:
    for piece in download:
        yield piece
        del piece
        check_time()

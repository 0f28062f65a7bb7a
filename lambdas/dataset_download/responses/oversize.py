"""Answers that are too large to be streamed: exported to a bucket, or refused."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from starlette.responses import Response

from dataset_download.clients import get_lambda
from dataset_download.exports.run import make_export, settle
from dataset_download.exports.store import Exports, ExportTooLongError, Found
from dataset_download.request.problem import Problem
from dataset_download.request.resolve import Asked
from dataset_download.service import Service
from dataset_download.settings import MIB
from dataset_download.telemetry import Record

from .export_status import RETRY, answer_head, answer_running, make_failure
from .presigning import presign_export, redirect

if TYPE_CHECKING:
    from dataset_download.schemas import ExportStatus

_FUNCTION_SECONDS = 960
"""After so long an export that was left to the function (15 minutes) is taken for dead."""
_GRACE_SECONDS = 60
"""By how much the claim of a request outlives it."""


@dataclass(frozen=True)
class LargeAnswer:
    """An answer, what is said of it, and how long it may take."""

    asked: Asked
    query: str
    """The query string as it came."""
    seconds: float
    record: Record
    headers: dict[str, str]
    head: bool


def answer_large(service: Service, large: LargeAnswer, *, begins: bool = False) -> Response:
    """Return a 303 to the export, made now or before, or a 202 naming where its status is.

    A HEAD asks about the answer, and begins nothing, unless `begins` says so.

    Raises:
        Problem: 413 where exports are off, the export's own where it failed.
    """
    if service.exports is None:
        raise _refuse(service, large.asked)
    found = service.exports.find(large.asked.tag)
    if found and found.status.state == "ready" and service.exports.holds(found.status):
        return _send_there(service, service.exports, found.status, large)
    if large.head and not begins:
        large.record.finish("head")
        return answer_head(large.headers)
    if found and found.is_alive(datetime.now(UTC)):
        large.record.finish("export_running")
        return answer_running(found.status)
    return _begin(service, service.exports, large, found)


def _refuse(service: Service, asked: Asked) -> Problem:
    limit = service.stream_limit or service.whole_limit
    name = "STREAM_LIMIT_MB" if limit == service.settings.stream_limit else "BUFFER_LIMIT_MB"
    detail = (
        f"The answer would be about {max(asked.estimate, limit) / MIB:.1f} MB; "
        f"the limit is {limit / MIB:.1f} MB ({name}). "
        "Ask for fewer rows, by a filter or limit=, or for fewer columns, by select=."
    )
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def _begin(service: Service, exports: Exports, large: LargeAnswer, found: Found | None) -> Response:
    is_left = bool(service.settings.export_function) and large.asked.estimate > service.settings.export_inline
    seconds = _FUNCTION_SECONDS if is_left else large.seconds + _GRACE_SECONDS
    claim = exports.claim(large.asked, str(uuid.uuid4()), seconds, found)
    if claim is None:  # another request was faster
        other = exports.find(large.asked.tag)
        if other and other.status.state == "ready":
            return _send_there(service, exports, other.status, large)
        if other is None or other.status.state == "failed":
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The export has just failed; please ask again.", RETRY)
        large.record.finish("export_running")
        return answer_running(other.status)
    if is_left:
        return _leave_to_function(service, exports, large, claim)
    try:
        status = make_export(
            service.settings,
            exports,
            large.asked,
            claim,
            partial(_count_down, monotonic() + large.seconds),
            service.logger,
        )
    except ExportTooLongError as error:
        return _take_longer(service, exports, large, claim, error)
    if status.state == "failed":
        raise make_failure(status)
    return _send_there(service, exports, status, large)


def _count_down(end: float) -> float:
    return end - monotonic()


def _take_longer(
    service: Service, exports: Exports, large: LargeAnswer, claim: Found, error: ExportTooLongError
) -> Response:
    """Leave to the function what a request is too short for."""
    if not service.settings.export_function:
        problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"The export takes longer than a request may: {error}.")
        settle(exports, claim, {"state": "failed", "status": problem.status.value, "detail": problem.detail})
        raise problem
    renewed = exports.claim(large.asked, claim.status.owner, _FUNCTION_SECONDS, claim)
    if renewed is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The export is somebody else's by now; please ask again.", RETRY)
    return _leave_to_function(service, exports, large, renewed)


def _leave_to_function(service: Service, exports: Exports, large: LargeAnswer, claim: Found) -> Response:
    from dataset_download.schemas import ExportEvent  # noqa: PLC0415  # see exports/store.py

    asked = large.asked
    event = ExportEvent(
        export=asked.tag, dataset=asked.dataset.name, format=asked.format, query=large.query, owner=claim.status.owner
    )
    try:
        get_lambda().invoke(
            FunctionName=service.settings.export_function,
            InvocationType="Event",
            Payload=event.model_dump_json().encode(),
        )
    except (ClientError, BotoCoreError):
        detail = "The export could not be begun; please try again."
        settle(exports, claim, {"state": "failed", "status": HTTPStatus.SERVICE_UNAVAILABLE.value, "detail": detail})
        raise
    large.record.finish("export_started")
    return answer_running(claim.status)


def _send_there(service: Service, exports: Exports, status: ExportStatus, large: LargeAnswer) -> Response:
    large.record.finish("exported", status.rows)
    headers = {**large.headers, "X-Row-Count": str(status.rows)}
    return redirect(HTTPStatus.SEE_OTHER, presign_export(service, exports.bucket, status, head=large.head), headers)

"""Results that are too large to be streamed: exported to a bucket, or refused."""

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
from dataset_download.exports.run import finish_export, make_export
from dataset_download.exports.store import Exports, ExportTooLongError, StoredStatus
from dataset_download.request.problem import Problem
from dataset_download.request.resolve import ResolvedRequest
from dataset_download.service import Service
from dataset_download.settings import MIB
from dataset_download.telemetry import Record

from .export_status import RETRY, make_accepted_response, make_failure, make_head_response
from .presigning import presign_export, redirect

if TYPE_CHECKING:
    from dataset_download.schemas import ExportStatus

_FUNCTION_SECONDS = 960
"""An export delegated to the function (timeout 15 minutes) counts as dead after this time."""
_GRACE_SECONDS = 60
"""The time by which a request's claim outlives the request."""


@dataclass(frozen=True)
class ResponseContext:
    """A resolved request with its response headers, log record and time limit."""

    resolved: ResolvedRequest
    query: str
    """The raw query string."""
    seconds: float
    record: Record
    headers: dict[str, str]
    head: bool


def respond_with_export(service: Service, context: ResponseContext, *, starts_export: bool = False) -> Response:
    """Return a 303 to the finished export, or a 202 with the URL of its status.

    A HEAD starts no export unless `starts_export` is set.

    Raises:
        Problem: 413 if exports are off; the export's own problem if it failed.
    """
    if service.exports is None:
        raise _refuse(service, context.resolved)
    stored = service.exports.find(context.resolved.tag)
    if stored and stored.status.state == "ready" and service.exports.holds(stored.status):
        return _redirect_to_export(service, service.exports, stored.status, context)
    if context.head and not starts_export:
        context.record.finish("head")
        return make_head_response(context.headers)
    if stored and stored.is_alive(datetime.now(UTC)):
        context.record.finish("export_running")
        return make_accepted_response(stored.status)
    return _start_export(service, service.exports, context, stored)


def _refuse(service: Service, resolved: ResolvedRequest) -> Problem:
    limit = service.stream_limit or service.in_memory_limit
    name = "STREAM_LIMIT_MB" if limit == service.settings.stream_limit else "BUFFER_LIMIT_MB"
    detail = (
        f"The result would be about {max(resolved.estimate, limit) / MIB:.1f} MB; "
        f"the limit is {limit / MIB:.1f} MB ({name}). "
        "Request fewer rows, by a filter or limit=, or fewer columns, by select=."
    )
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def _start_export(
    service: Service, exports: Exports, context: ResponseContext, stored: StoredStatus | None
) -> Response:
    is_delegated = bool(service.settings.export_function) and context.resolved.estimate > service.settings.export_inline
    seconds = _FUNCTION_SECONDS if is_delegated else context.seconds + _GRACE_SECONDS
    claim = exports.claim(context.resolved, str(uuid.uuid4()), seconds, stored)
    if claim is None:  # another request was faster
        other = exports.find(context.resolved.tag)
        if other and other.status.state == "ready":
            return _redirect_to_export(service, exports, other.status, context)
        if other is None or other.status.state == "failed":
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "The export has just failed; please repeat the request.", RETRY
            )
        context.record.finish("export_running")
        return make_accepted_response(other.status)
    if is_delegated:
        return _delegate_to_function(service, exports, context, claim)
    try:
        status = make_export(
            service.settings,
            exports,
            context.resolved,
            claim,
            partial(_count_down, monotonic() + context.seconds),
            service.logger,
        )
    except ExportTooLongError as error:
        return _handle_timeout(service, exports, context, claim, error)
    if status.state == "failed":
        raise make_failure(status)
    return _redirect_to_export(service, exports, status, context)


def _count_down(end: float) -> float:
    return end - monotonic()


def _handle_timeout(
    service: Service, exports: Exports, context: ResponseContext, claim: StoredStatus, error: ExportTooLongError
) -> Response:
    """Delegate to the export function an export that exceeds the request's time."""
    if not service.settings.export_function:
        problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"The export exceeded the request's time limit: {error}.")
        finish_export(exports, claim, {"state": "failed", "status": problem.status.value, "detail": problem.detail})
        raise problem
    renewed = exports.claim(context.resolved, claim.status.owner, _FUNCTION_SECONDS, claim)
    if renewed is None:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Another worker has taken over the export; please repeat the request.",
            RETRY,
        )
    return _delegate_to_function(service, exports, context, renewed)


def _delegate_to_function(
    service: Service, exports: Exports, context: ResponseContext, claim: StoredStatus
) -> Response:
    from dataset_download.schemas import ExportEvent  # noqa: PLC0415  # see exports/store.py

    resolved = context.resolved
    event = ExportEvent(
        export=resolved.tag,
        dataset=resolved.dataset.name,
        format=resolved.format,
        query=context.query,
        owner=claim.status.owner,
    )
    try:
        get_lambda().invoke(
            FunctionName=service.settings.export_function,
            InvocationType="Event",
            Payload=event.model_dump_json().encode(),
        )
    except (ClientError, BotoCoreError):
        detail = "The export could not be started; please try again."
        finish_export(
            exports, claim, {"state": "failed", "status": HTTPStatus.SERVICE_UNAVAILABLE.value, "detail": detail}
        )
        raise
    context.record.finish("export_started")
    return make_accepted_response(claim.status)


def _redirect_to_export(service: Service, exports: Exports, status: ExportStatus, context: ResponseContext) -> Response:
    context.record.finish("exported", status.rows)
    headers = {**context.headers, "X-Row-Count": str(status.rows)}
    return redirect(HTTPStatus.SEE_OTHER, presign_export(service, exports.bucket, status, head=context.head), headers)

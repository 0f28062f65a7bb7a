"""Responses about existing exports."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from dataset_download.request.problem import Problem
from dataset_download.service import Service

from .presigning import presign_export, redirect

if TYPE_CHECKING:
    from dataset_download.schemas import ExportStatus

_RETRY_AFTER_SECONDS = 3
RETRY = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
_STATUSES = frozenset(status.value for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST)


def make_accepted_response(status: ExportStatus, folder: str = "./exports/") -> Response:
    """Return the 202 for a running export; ``folder`` is the relative URL of exports, seen from the request."""
    location = f"{folder}{status.export}"
    body = {
        "export": status.export,
        "state": status.state,
        "dataset": status.dataset,
        "format": status.format.value,
        "started": status.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "statusUrl": location,
    }
    headers = {"Location": location, "Cache-Control": "no-store", **RETRY}
    return JSONResponse(body, HTTPStatus.ACCEPTED, headers)


def make_failure(status: ExportStatus) -> Problem:
    """Return the problem that describes a failed export."""
    code = HTTPStatus(status.status) if status.status in _STATUSES else HTTPStatus.INTERNAL_SERVER_ERROR
    return Problem(code, status.detail)


def make_head_response(headers: dict[str, str]) -> Response:
    """Return the response to a HEAD without a Content-Length, which is unknown before the result is complete."""
    response = Response(headers=headers)
    del response.headers["Content-Length"]
    return response


def respond_with_export_status(service: Service, export: str, *, head: bool) -> Response:
    """Return the status of an export: 202 while it runs, 303 when it is ready.

    Raises:
        Problem: 404 if the export does not exist; the export's own problem if it failed.
    """
    stored = service.exports.find(export) if service.exports else None
    if service.exports is None or stored is None:
        raise Problem(HTTPStatus.NOT_FOUND, "No such export exists.")
    status = stored.status
    if status.state == "failed":
        raise make_failure(status)
    if status.state == "running":
        if stored.is_alive(datetime.now(UTC)):
            return make_accepted_response(status, "./")
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "The export stopped without a result; please request the download again."
        )
    if not service.exports.holds(status):
        raise Problem(HTTPStatus.NOT_FOUND, "The export has expired; please request the download again.")
    headers = {"X-Dataset": status.dataset, "X-Row-Count": str(status.rows)}
    return redirect(HTTPStatus.SEE_OTHER, presign_export(service, service.exports.bucket, status, head=head), headers)

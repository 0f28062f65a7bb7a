"""The HTTP API's events, payload format 2.0: body, headers and responses."""

import base64
from http import HTTPStatus

from .exceptions import Code, FieldError, RequestRejected
from .http_responses import POLL_AFTER_SECONDS, Event, Response, respond_json, respond_problem
from .request_parser import reject_body

_MAX_ERRORS_SHOWN = 100  # Lambda's responses end at 6 MB, and 100,000 keys may all be wrong


def read_body(event: Event, max_bytes: int) -> str:
    """Return the request's body as text.

    Raises:
        RequestRejected: 413 above ``max_bytes``; 400 if there is no body or it is not UTF-8.
    """
    text = event.get("body") or ""
    try:
        raw = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
        if len(raw) > max_bytes:
            _reject_size(max_bytes)
        body = raw.decode()
    except ValueError:  # base64 or UTF-8
        reject_body("not UTF-8 text")
    if not body.strip():
        reject_body("a JSON object is required")
    return body


def _reject_size(max_bytes: int) -> None:
    detail = f"larger than {max_bytes} bytes; name a prefix, or put the keys into an object and give its manifestKey"
    errors = [FieldError("body", detail)]
    raise RequestRejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Code.BODY_TOO_LARGE, errors)


def read_idempotency_key(event: Event) -> str | None:
    """Return the Idempotency-Key header, or None if there is none."""
    headers = event.get("headers") or {}
    return next((value for name, value in headers.items() if name.lower() == "idempotency-key"), None)


def respond_accepted(job_id: str, status: str) -> Response:
    """Return the 202 with the job's URL and the time of the first poll.

    The Location is relative to the URL of the request, so a base path, a stage or a proxy's path in front of the API
    does not matter.
    """
    headers = {"location": f"zip-jobs/{job_id}", "retry-after": str(POLL_AFTER_SECONDS)}
    return respond_json(HTTPStatus.ACCEPTED, {"jobId": job_id, "status": status}, headers)


def respond_rejection(rejection: RequestRejected) -> Response:
    """Return the problem document of a 4xx, with the wrong fields (the first 100 of them)."""
    shown = [{"field": error.field, "detail": error.detail} for error in rejection.errors[:_MAX_ERRORS_SHOWN]]
    return respond_problem(rejection.status, rejection.code, str(rejection), errors=shown)

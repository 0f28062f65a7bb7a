"""HTTP API events (payload format 2.0) in, HTTP answers out."""

import base64
import json
from http import HTTPStatus
from typing import Any

from .core import reject_body
from .exceptions import Code, FieldError, RequestRejected

type Event = dict[str, Any]
type Answer = dict[str, Any]

_RETRY_AFTER_SECONDS = 5
_POLL_AFTER_SECONDS = 2
_MAX_ERRORS_SHOWN = 100  # an answer of Lambda's ends at 6 MB, and 100,000 keys may all be wrong


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
    except ValueError:  # of base64 as well as of UTF-8
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


def answer_accepted(job_id: str, status: str) -> Answer:
    """Return the 202 that says where the job can be watched, and when to look first.

    The Location is relative to the request's own address: a base path, a stage or a proxy's path in front of the API
    does not matter.
    """
    return {
        "statusCode": HTTPStatus.ACCEPTED.value,
        "headers": {
            "content-type": "application/json",
            "location": f"zip-jobs/{job_id}",
            "retry-after": str(_POLL_AFTER_SECONDS),
        },
        "body": json.dumps({"jobId": job_id, "status": status}),
    }


def answer_rejection(rejection: RequestRejected) -> Answer:
    """Return the problem document of a 4xx, with the wrong fields (the first 100 of them)."""
    shown = [{"field": error.field, "detail": error.detail} for error in rejection.errors[:_MAX_ERRORS_SHOWN]]
    return _answer_problem(rejection.status, rejection.code, str(rejection), {"errors": shown})


def answer_unavailable() -> Answer:
    """Return the 503 of a service behind us that did not answer; the caller may try again."""
    detail = "The job could not be queued; please try again."
    answer = _answer_problem(HTTPStatus.SERVICE_UNAVAILABLE, Code.SERVICE_UNAVAILABLE, detail)
    answer["headers"]["retry-after"] = str(_RETRY_AFTER_SECONDS)
    return answer


def answer_failure() -> Answer:
    """Return the 500 of a fault in this service, which says nothing about it."""
    detail = "The request could not be handled."
    return _answer_problem(HTTPStatus.INTERNAL_SERVER_ERROR, Code.INTERNAL_ERROR, detail)


def _answer_problem(status: HTTPStatus, code: Code, detail: str, more: dict[str, Any] | None = None) -> Answer:
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": code, "detail": detail}
    return {
        "statusCode": status.value,
        "headers": {"content-type": "application/problem+json"},
        "body": json.dumps(problem | (more or {})),
    }

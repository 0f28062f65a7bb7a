"""Responses of an HTTP API's functions, payload format 2.0: JSON, and problem documents (RFC 9457).

One source file, linked into each Lambda package that uses it, so that every zip carries its own copy.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

type Event = dict[str, Any]
type Response = dict[str, Any]

POLL_AFTER_SECONDS = 2
"""``Retry-After`` of a job that has not ended."""
_RETRY_AFTER_SECONDS = 5
"""``Retry-After`` of a 503."""


def respond_json(status: HTTPStatus, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    return {
        "statusCode": status.value,
        "headers": {"content-type": "application/json", **(headers or {})},
        "body": json.dumps(body),
    }


def respond_problem(
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document.

    Args:
        status: of the response; its phrase is the document's title.
        code: for programs, stable.
        detail: for people.
        errors: the wrong fields, each with ``field`` and ``detail``; ``None`` if the problem is not about fields.
        headers: in addition to the content type.
    """
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": code, "detail": detail}
    return respond_json(
        status,
        problem if errors is None else {**problem, "errors": list(errors)},
        {**(headers or {}), "content-type": "application/problem+json"},
    )


def respond_unavailable(code: str, detail: str) -> Response:
    """Return the 503 for an AWS service that did not respond; ``Retry-After`` says when to repeat the request."""
    headers = {"retry-after": str(_RETRY_AFTER_SECONDS)}
    return respond_problem(HTTPStatus.SERVICE_UNAVAILABLE, code, detail, headers=headers)


def respond_failure(code: str) -> Response:
    """Return the 500 for a fault of the function itself; it discloses nothing about the fault."""
    return respond_problem(HTTPStatus.INTERNAL_SERVER_ERROR, code, "The request could not be handled.")

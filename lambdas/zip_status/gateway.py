"""HTTP API events (payload format 2.0) in, HTTP answers out."""

import json
import re
from http import HTTPStatus
from typing import Any

from .exceptions import RequestRejected
from .schemas import Answer

type Event = dict[str, Any]
type Response = dict[str, Any]

_RETRY_AFTER_SECONDS = 5
_METHODS = {r"/zip-jobs": "GET, POST", r"/zip-jobs/[^/]+": "DELETE, GET"}


def reject_route(event: Event) -> RequestRejected:
    """Return the answer to a request that no route is for: 405 on a known path, else 404."""
    path = _read_path(event)
    for pattern, allow in _METHODS.items():
        if re.fullmatch(pattern, path):
            return RequestRejected(HTTPStatus.METHOD_NOT_ALLOWED, f"Use one of {allow}.", allow=allow)
    return RequestRejected(HTTPStatus.NOT_FOUND, "There is nothing at this path.")


def _read_path(event: Event) -> str:
    # A named stage is the first segment of the path; the $default stage has none.
    path, stage = str(event.get("rawPath", "")), (event.get("requestContext") or {}).get("stage", "$default")
    return path.removeprefix(f"/{stage}") if path.startswith(f"/{stage}/") else path


def read_job_id(event: Event) -> str:
    """Return the path's job id, empty if there is none."""
    return str((event.get("pathParameters") or {}).get("jobId", ""))


def read_query(event: Event) -> dict[str, str]:
    """Return the query parameters; a repeated one has its values joined by commas."""
    return event.get("queryStringParameters") or {}


def answer_json(body: Answer) -> Response:
    """Return a 200 that nothing on the way may keep: it tells a moment's state, and may hold a signed address."""
    return {
        "statusCode": HTTPStatus.OK.value,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": json.dumps(body),
    }


def answer_rejection(rejection: RequestRejected) -> Response:
    """Return the problem document of a 4xx."""
    errors = [{"field": rejection.field, "detail": rejection.reason}] if rejection.field else []
    answer = _answer_problem(rejection.status, str(rejection), {"errors": errors} if errors else {})
    if rejection.allow:
        answer["headers"]["allow"] = rejection.allow
    return answer


def answer_unavailable() -> Response:
    """Return the 503 of a service behind us that did not answer; the caller may try again."""
    answer = _answer_problem(HTTPStatus.SERVICE_UNAVAILABLE, "The job table did not answer; please try again.", {})
    answer["headers"]["retry-after"] = str(_RETRY_AFTER_SECONDS)
    return answer


def answer_failure() -> Response:
    """Return the 500 of a fault in this service, which says nothing about it."""
    return _answer_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The request could not be handled.", {})


def _answer_problem(status: HTTPStatus, detail: str, more: dict[str, Any]) -> Response:
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return {
        "statusCode": status.value,
        "headers": {"content-type": "application/problem+json"},
        "body": json.dumps(problem | more),
    }

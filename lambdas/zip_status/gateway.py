"""HTTP API events (payload format 2.0) in, HTTP answers out."""

import json
import re
from http import HTTPStatus
from typing import Any

from .exceptions import Code, RequestRejected
from .schemas import Answer

type Event = dict[str, Any]
type Response = dict[str, Any]

_RETRY_AFTER_SECONDS = 5
_POLL_AFTER_SECONDS = 2
_METHODS = {r"/zip-jobs": "GET, HEAD, POST", r"/zip-jobs/[^/]+": "DELETE, GET, HEAD"}
_JOB_PATH = re.compile(r"/zip-jobs/([^/]+)")


def read_route(event: Event) -> str:
    """Return the route that answers the request: a HEAD, which the API has no routes for, is answered as a GET."""
    route = str(event.get("routeKey", ""))
    if route != "$default" or not is_head(event):
        return route
    path = _read_path(event)
    if path == "/zip-jobs":
        return "GET /zip-jobs"
    return "GET /zip-jobs/{jobId}" if _JOB_PATH.fullmatch(path) else route


def is_head(event: Event) -> bool:
    """Say whether the caller wants no body."""
    http = (event.get("requestContext") or {}).get("http") or {}
    return http.get("method") == "HEAD"


def reject_route(event: Event) -> RequestRejected:
    """Return the answer to a request that no route is for: 405 on a known path, else 404."""
    path = _read_path(event)
    for pattern, allow in _METHODS.items():
        if re.fullmatch(pattern, path):
            reason = f"Use one of {allow}."
            return RequestRejected(HTTPStatus.METHOD_NOT_ALLOWED, Code.METHOD_NOT_ALLOWED, reason, allow=allow)
    return RequestRejected(HTTPStatus.NOT_FOUND, Code.PATH_NOT_FOUND, "There is nothing at this path.")


def _read_path(event: Event) -> str:
    # A named stage is the first segment of the path; the $default stage has none.
    path, stage = str(event.get("rawPath", "")), (event.get("requestContext") or {}).get("stage", "$default")
    return path.removeprefix(f"/{stage}") if path.startswith(f"/{stage}/") else path


def read_job_id(event: Event) -> str:
    """Return the path's job id, empty if there is none."""
    found = (event.get("pathParameters") or {}).get("jobId")
    if found is None and (match := _JOB_PATH.fullmatch(_read_path(event))):
        return match[1]
    return str(found or "")


def read_query(event: Event) -> dict[str, str]:
    """Return the query parameters; a repeated one has its values joined by commas."""
    return event.get("queryStringParameters") or {}


def answer_json(body: Answer) -> Response:
    """Return a 200 that nothing on the way may keep: it tells a moment's state, and may hold a signed address.

    That of a job which has not ended says when to ask again.
    """
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    if body.get("status") == "PENDING":
        headers["retry-after"] = str(_POLL_AFTER_SECONDS)
    return {"statusCode": HTTPStatus.OK.value, "headers": headers, "body": json.dumps(body)}


def answer_rejection(rejection: RequestRejected) -> Response:
    """Return the problem document of a 4xx."""
    errors = [{"field": rejection.field, "detail": rejection.reason}] if rejection.field else []
    answer = _answer_problem(rejection.status, rejection.code, str(rejection), {"errors": errors} if errors else {})
    if rejection.allow:
        answer["headers"]["allow"] = rejection.allow
    return answer


def answer_unavailable() -> Response:
    """Return the 503 of a service behind us that did not answer; the caller may try again."""
    detail = "The job table or the archive's bucket did not answer; please try again."
    answer = _answer_problem(HTTPStatus.SERVICE_UNAVAILABLE, Code.SERVICE_UNAVAILABLE, detail, {})
    answer["headers"]["retry-after"] = str(_RETRY_AFTER_SECONDS)
    return answer


def answer_failure() -> Response:
    """Return the 500 of a fault in this service, which says nothing about it."""
    detail = "The request could not be handled."
    return _answer_problem(HTTPStatus.INTERNAL_SERVER_ERROR, Code.INTERNAL_ERROR, detail, {})


def _answer_problem(status: HTTPStatus, code: Code, detail: str, more: dict[str, Any]) -> Response:
    problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": code, "detail": detail}
    return {
        "statusCode": status.value,
        "headers": {"content-type": "application/problem+json"},
        "body": json.dumps(problem | more),
    }

"""The HTTP API's events, payload format 2.0: routes, parameters and responses."""

import re
from http import HTTPStatus

from .exceptions import Code, RequestRejected
from .http_responses import POLL_AFTER_SECONDS, Event, Response, respond_json, respond_problem
from .schemas import Body

_METHODS = {r"/zip-jobs": "GET, HEAD, POST", r"/zip-jobs/[^/]+": "DELETE, GET, HEAD"}
_JOB_PATH = re.compile(r"/zip-jobs/([^/]+)")


def read_route(event: Event) -> str:
    """Return the route of the request; a HEAD, for which the API has no routes, counts as a GET."""
    route = str(event.get("routeKey", ""))
    if route != "$default" or not is_head(event):
        return route
    path = _read_path(event)
    if path == "/zip-jobs":
        return "GET /zip-jobs"
    return "GET /zip-jobs/{jobId}" if _JOB_PATH.fullmatch(path) else route


def is_head(event: Event) -> bool:
    """Return whether the request is a HEAD, whose response has no body."""
    http = (event.get("requestContext") or {}).get("http") or {}
    return http.get("method") == "HEAD"


def reject_route(event: Event) -> RequestRejected:
    """Return the rejection of a request without a route: 405 on a known path, else 404."""
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
    """Return the job id in the path, an empty string if there is none."""
    found = (event.get("pathParameters") or {}).get("jobId")
    if found is None and (match := _JOB_PATH.fullmatch(_read_path(event))):
        return match[1]
    return str(found or "")


def read_query(event: Event) -> dict[str, str]:
    """Return the query parameters; the API joins the values of a repeated one by commas."""
    return event.get("queryStringParameters") or {}


def respond_ok(body: Body) -> Response:
    """Return a 200 that no cache may keep: it describes one moment, and may hold a signed URL.

    For a job that has not ended, ``Retry-After`` says when to poll again.
    """
    headers = {"cache-control": "no-store"}
    if body.get("status") == "PENDING":
        headers["retry-after"] = str(POLL_AFTER_SECONDS)
    return respond_json(HTTPStatus.OK, body, headers)


def respond_rejection(rejection: RequestRejected) -> Response:
    """Return the problem document of a 4xx."""
    errors = [{"field": rejection.field, "detail": rejection.reason}] if rejection.field else None
    headers = {"allow": rejection.allow} if rejection.allow else {}
    return respond_problem(rejection.status, rejection.code, str(rejection), errors=errors, headers=headers)

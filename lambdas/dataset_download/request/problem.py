"""Problem documents (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError
from starlette.responses import Response

from dataset_download.exceptions import (
    CorruptDatasetError,
    DatasetError,
    DatasetNotFoundError,
    MemoryLimitError,
    ObjectChangedError,
    QueryError,
    SourceUnreadableError,
)
from dataset_download.runtime.cancellation import ClientDisconnectedError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
_REPLACED = "The dataset was replaced while it was read; repeat the request to get the new version."
_NO_ANSWER = "The storage failed; please try again."
# Subclasses come before their bases. An empty text stands for the error's own message.
_ANSWERS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], HTTPStatus, str], ...] = (
    (ClientDisconnectedError, HTTPStatus.REQUEST_TIMEOUT, ""),
    (DatasetNotFoundError, HTTPStatus.NOT_FOUND, ""),
    (QueryError, HTTPStatus.BAD_REQUEST, ""),
    (MemoryLimitError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ""),
    (CorruptDatasetError, HTTPStatus.BAD_GATEWAY, ""),
    (ObjectChangedError, HTTPStatus.SERVICE_UNAVAILABLE, _REPLACED),
    ((SourceUnreadableError, ClientError, BotoCoreError), HTTPStatus.SERVICE_UNAVAILABLE, _NO_ANSWER),
    (DatasetError, HTTPStatus.INTERNAL_SERVER_ERROR, ""),
)


class Problem(Exception):  # noqa: N818  # a response to the caller, not always an error of the service
    """An error response: a 4xx or 5xx ``status`` and the reason."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.is_logged = False


def explain(error: Exception) -> Problem:
    """Return the problem that describes ``error`` to a caller; an unexpected error is not described."""
    if isinstance(error, Problem):
        return error
    for kinds, status, detail in _ANSWERS:
        if isinstance(error, kinds):
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
            return Problem(status, detail or str(error), headers)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The request could not be handled.")


def make_problem_response(problem: Problem) -> Response:
    """Return the response with the problem document; it must not be cached."""
    document = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
    }
    headers = {"Cache-Control": "no-store", **problem.headers}
    body = json.dumps(document, ensure_ascii=False)
    # A name in the request may contain a lone surrogate, which UTF-8 cannot encode.
    return Response(body.encode(errors="replace"), problem.status, headers, MEDIA_TYPE)

"""Errors of a request: the caller's, and those of AWS services."""

from enum import StrEnum
from http import HTTPStatus


class Code(StrEnum):
    """The ``code`` of a problem document: stable, for programs, and listed in the OpenAPI document."""

    INVALID_PARAMETER = "invalid_parameter"
    CALLER_UNKNOWN = "caller_unknown"
    JOB_NOT_FOUND = "job_not_found"
    PATH_NOT_FOUND = "path_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    JOB_HAS_NO_ARCHIVE = "job_has_no_archive"
    INTERNAL_ERROR = "internal_error"
    SERVICE_UNAVAILABLE = "service_unavailable"


class RequestRejected(Exception):  # noqa: N818  # it is a response to the caller, not an error of the function
    """The caller's error: a 4xx, its code, the reason, the wrong ``field`` and the methods that are allowed."""

    def __init__(self, status: HTTPStatus, code: Code, reason: str, *, field: str = "", allow: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.status = status
        self.code = code
        self.reason = reason
        self.field = field
        self.allow = allow


class ServiceUnavailableError(Exception):
    """A call to DynamoDB or S3 failed; the same request may succeed later."""

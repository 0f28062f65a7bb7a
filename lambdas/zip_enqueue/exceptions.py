"""Errors of a request: the caller's, and those of AWS services."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus


class Code(StrEnum):
    """The ``code`` of a problem document: stable, for programs, and listed in the OpenAPI document."""

    INVALID_BODY = "invalid_body"
    INVALID_FIELD = "invalid_field"
    MISSING_KEYS = "missing_keys"
    INVALID_IDEMPOTENCY_KEY = "invalid_idempotency_key"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    BODY_TOO_LARGE = "body_too_large"
    BUCKET_NOT_ALLOWED = "bucket_not_allowed"
    KEY_NOT_ALLOWED = "key_not_allowed"
    CALLER_UNKNOWN = "caller_unknown"
    INTERNAL_ERROR = "internal_error"
    SERVICE_UNAVAILABLE = "service_unavailable"


@dataclass(frozen=True)
class FieldError:
    """A wrong field: its name as the caller wrote it (``keys[3]``) and the reason."""

    field: str
    detail: str


class RequestRejected(Exception):  # noqa: N818  # it is a response to the caller, not an error of the function
    """The caller's error: a 4xx status, its code, and at least one wrong field."""

    def __init__(self, status: HTTPStatus, code: Code, errors: Sequence[FieldError]) -> None:
        super().__init__(describe_errors(errors))
        self.status = status
        self.code = code
        self.errors = tuple(errors)


class ServiceUnavailableError(Exception):
    """A call to DynamoDB, S3, SQS or IAM failed; the same request may succeed later."""


def describe_errors(errors: Sequence[FieldError]) -> str:
    """Return one sentence with the first wrong field and the number of further ones."""
    first, more = errors[0], len(errors) - 1
    sentence = f"{first.field}: {first.detail}"
    return f"{sentence} (and {more} more)" if more else sentence

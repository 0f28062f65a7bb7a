"""What can go wrong with a request: the caller's fault, or a service of ours that does not answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class FieldError:
    """One wrong field: its name as the caller wrote it (``keys[3]``) and what is wrong with it."""

    field: str
    detail: str


class RequestRejected(Exception):  # noqa: N818  # it is an answer to the caller, not an error of ours
    """The caller's fault: a 4xx status, and the fields to blame, at least one."""

    def __init__(self, status: HTTPStatus, errors: Sequence[FieldError]) -> None:
        super().__init__(describe_errors(errors))
        self.status = status
        self.errors = tuple(errors)


class ServiceUnavailableError(Exception):
    """DynamoDB, S3 or SQS did not do what was asked; the same request may succeed later."""


def describe_errors(errors: Sequence[FieldError]) -> str:
    """Return one sentence that names the first wrong field and says how many more there are."""
    first, more = errors[0], len(errors) - 1
    sentence = f"{first.field}: {first.detail}"
    return f"{sentence} (and {more} more)" if more else sentence

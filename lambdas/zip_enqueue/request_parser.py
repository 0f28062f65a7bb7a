"""The parser of the request's body."""

import json
from http import HTTPStatus
from typing import Any, NoReturn

from pydantic import ValidationError

from .exceptions import Code, FieldError, RequestRejected
from .schemas import ZipJobRequest, list_field_errors

_SOURCES_OF_KEYS = ("keys", "prefix", "manifestKey")


def parse_request(body: str) -> ZipJobRequest:
    """Return the validated request in the JSON text ``body``.

    Raises:
        RequestRejected: 400 with every wrong field.
    """
    document = _load_object(body)
    missing: list[FieldError] = []
    if not any(name in document for name in _SOURCES_OF_KEYS):
        missing = [FieldError("keys", "one of keys, prefix and manifestKey is required")]
    try:
        request = ZipJobRequest.model_validate(document)
    except ValidationError as error:
        errors = [*list_field_errors(error), *missing]
        raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.INVALID_FIELD, errors) from None
    if missing:
        raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.MISSING_KEYS, missing)
    return request


def _load_object(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        reject_body(f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except RecursionError:
        reject_body("nested too deeply")
    except ValueError:  # NaN and Infinity, and integers of more digits than Python converts
        reject_body("not valid JSON: a number is out of range")
    if not isinstance(document, dict):
        reject_body("must be a JSON object")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def reject_body(detail: str) -> NoReturn:
    """Raise the 400 for a body that cannot be read."""
    raise RequestRejected(HTTPStatus.BAD_REQUEST, Code.INVALID_BODY, [FieldError("body", detail)])

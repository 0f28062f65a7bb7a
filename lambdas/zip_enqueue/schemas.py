"""The model of the body of ``POST /zip-jobs``, and the texts of its errors."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from .exceptions import FieldError
from .keys import MAX_KEY_BYTES, find_prefix_fault
from .settings import MAX_PRESIGN_TTL_SECONDS, MIN_PRESIGN_TTL_SECONDS

_MAX_FILE_NAME_BYTES = 255  # the longest file name of the usual file systems
_MAX_FIELD_NAME = 100
_ARCHIVE_SUFFIX = ".zip"
# Separators, controls, line separators, direction marks and noncharacters.
_NOT_IN_FILE_NAME = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
_WORDING = {
    "bool_type": "must be true or false",
    "extra_forbidden": "is not a field of this request",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "string_unicode": "must be valid Unicode",
    "too_short": "must have at least one entry",
}
"""This API's texts for pydantic's kinds of errors."""


def _check_key_length(value: str) -> str:
    if len(value.encode()) > MAX_KEY_BYTES:
        raise PydanticCustomError("key_too_long", "must be at most 1024 bytes in UTF-8")
    return value


def _check_target_prefix(value: str) -> str:
    if fault := find_prefix_fault(value):
        raise PydanticCustomError("target_prefix", "{fault}", {"fault": fault})
    return value


def _complete_archive_name(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("archive_name", "must not be blank")
    if _NOT_IN_FILE_NAME.search(value):
        raise PydanticCustomError("archive_name", "must not contain '/', '\\' or control characters")
    name = value if value.lower().endswith(_ARCHIVE_SUFFIX) else value + _ARCHIVE_SUFFIX
    if len(name.encode()) > _MAX_FILE_NAME_BYTES:
        raise PydanticCustomError("archive_name", "must be at most 255 bytes in UTF-8, '.zip' included")
    return name


def _check_policy(value: str) -> str:
    if value not in {"fail", "skip"}:
        raise PydanticCustomError("policy", "must be 'fail' or 'skip'")
    return value


def _accept_whole_float(value: object) -> object:
    # JSON has one number type: 3600.0 is the integer 3600.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Text = Annotated[str, Field(min_length=1)]
_Key = Annotated[_Text, AfterValidator(_check_key_length)]


class ZipJobRequest(BaseModel):
    """A validated request. JSON names are camelCase; fields that the caller left out are empty or 0."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )

    source_bucket: _Text = ""
    target_bucket: _Text = ""
    target_prefix: Annotated[_Key, AfterValidator(_check_target_prefix)] = ""
    keys: Annotated[list[_Key], Field(min_length=1)] = []
    prefix: _Key = ""
    manifest_key: _Key = ""
    archive_name: Annotated[_Text, AfterValidator(_complete_archive_name)] = ""
    paths: Literal["basename", "relative", "full"] = "basename"
    names: Literal["portable", "asIs"] = "portable"
    on_missing: Literal["fail", "skip"] = "fail"
    on_unreadable: Annotated[str, AfterValidator(_check_policy)] = ""
    on_changed: Literal["fail", "skip"] = "fail"
    compression: Literal["stored", "deflated"] = "stored"
    compute_crc: bool = False
    presign_ttl_seconds: Annotated[
        int, Field(ge=MIN_PRESIGN_TTL_SECONDS, le=MAX_PRESIGN_TTL_SECONDS), BeforeValidator(_accept_whole_float)
    ] = 0


def list_field_errors(error: ValidationError) -> list[FieldError]:
    """Return every error that pydantic found, in its order, with the caller's field names."""
    found = error.errors(include_url=False, include_input=False)
    return [FieldError(_name_field(fault["loc"]), _describe(fault)) for fault in found]


def _describe(fault: Mapping[str, Any]) -> str:
    wording = _WORDING.get(fault["type"])
    return wording.format(**fault.get("ctx", {})) if wording else str(fault["msg"])


def _name_field(location: tuple[Any, ...]) -> str:
    name = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in location)
    return name if len(name) <= _MAX_FIELD_NAME else name[:_MAX_FIELD_NAME] + "…"

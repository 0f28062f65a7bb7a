"""The body of ``POST /zip-jobs``, and how its faults are told to the caller."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from .exceptions import FieldError
from .settings import MAX_PRESIGN_TTL_SECONDS, MIN_PRESIGN_TTL_SECONDS

MAX_KEY_BYTES = 1024  # the longest S3 object key, in UTF-8 bytes
KEY_LIST_PREFIX = ".zip-jobs/"
_MAX_FILE_NAME_BYTES = 255  # the longest file name of the usual file systems
_MAX_FIELD_NAME = 100
_ARCHIVE_SUFFIX = ".zip"
# Separators, controls, line separators and the marks that make a name read backwards.
_NOT_IN_FILE_NAME = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def _check_key_length(value: str) -> str:
    if len(value.encode()) > MAX_KEY_BYTES:
        raise PydanticCustomError("key_too_long", "must be at most 1024 bytes in UTF-8")
    return value


def _check_target_prefix(value: str) -> str:
    if value.startswith(("/", KEY_LIST_PREFIX)):
        raise PydanticCustomError("target_prefix", "must not start with '/' or '.zip-jobs/'")
    return value


def _complete_archive_name(value: str) -> str:
    if _NOT_IN_FILE_NAME.search(value):
        raise PydanticCustomError("archive_name", "must not contain '/', '\\' or control characters")
    name = value if value.lower().endswith(_ARCHIVE_SUFFIX) else value + _ARCHIVE_SUFFIX
    if len(name.encode()) > _MAX_FILE_NAME_BYTES:
        raise PydanticCustomError("archive_name", "must be at most 255 bytes in UTF-8, '.zip' included")
    return name


def _accept_whole_float(value: object) -> object:
    # JSON has one number type: 3600.0 is the integer 3600.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Text = Annotated[str, Field(min_length=1)]
_Key = Annotated[_Text, AfterValidator(_check_key_length)]


class ZipJobRequest(BaseModel):
    """A checked request. Names on the wire are camelCase; what the caller left out is empty or 0."""

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
    on_missing: Literal["fail", "skip"] = "fail"
    compression: Literal["stored", "deflated"] = "stored"
    compute_crc: bool = False
    presign_ttl_seconds: Annotated[
        int, Field(ge=MIN_PRESIGN_TTL_SECONDS, le=MAX_PRESIGN_TTL_SECONDS), BeforeValidator(_accept_whole_float)
    ] = 0


def list_field_errors(error: ValidationError) -> list[FieldError]:
    """Return every fault that pydantic found, in its order, under the caller's own field names."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [FieldError(_name_field(fault["loc"]), fault["msg"]) for fault in found]


def _name_field(location: tuple[Any, ...]) -> str:
    name = "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in location)
    return name if len(name) <= _MAX_FIELD_NAME else name[:_MAX_FIELD_NAME] + "…"

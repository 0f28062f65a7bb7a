"""Parser of an entry's expectations: ``expect``, and the checksums and size next to it."""

import re
from collections.abc import Mapping
from typing import Any

from csv_streamer.exceptions import EntryError
from csv_streamer.schemas import Expectation

DIGESTS = {"sha256": 64, "md5": 32}
"""Checksums that an entry may declare, and their hexadecimal digits."""

_FIELDS = {"content_type", "min_size", "first_line", "size", *DIGESTS}
_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAX_LINE = 16 * 1024
_MAX_SIZE = 5 * 1024**4
"""The largest object of S3, bytes."""


def parse_expectation(expect: object, declared: Mapping[str, Any]) -> Expectation:
    """Return the expectations of ``expect``, and of the entry's own ``size`` and checksums.

    Raises:
        EntryError: naming what is wrong.
    """
    given = {} if expect is None else expect
    if not isinstance(given, dict):
        raise EntryError('expect is not an object like {"first_line": "id,name"}')
    unknown = sorted(set(given) - _FIELDS)
    if unknown:
        raise EntryError(f"expect: unknown: {', '.join(map(ascii, unknown))}; known are {', '.join(sorted(_FIELDS))}")
    for name, value in declared.items():
        if name in given and given[name] != value:
            raise EntryError(f"{name} and expect.{name} differ")
    fields = {**given, **declared}
    size, min_size = _read_size(fields, "size"), _read_size(fields, "min_size")
    if size is not None and min_size is not None and size < min_size:
        raise EntryError("size is less than expect.min_size")
    return Expectation(
        content_types=_read_types(fields.get("content_type")),
        size=size,
        min_size=min_size,
        first_line=_read_line(fields.get("first_line")),
        **{name: _read_digest(fields.get(name), name, digits) for name, digits in DIGESTS.items()},
    )


def _read_types(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    given: list[object] = value if isinstance(value, list) else [value]
    types = [one for one in given if isinstance(one, str) and _MEDIA_TYPE.fullmatch(one)]
    if not types or len(types) < len(given):
        raise EntryError('expect.content_type is neither a media type like "text/csv" nor a list of them')
    return tuple(one.lower() for one in types)


def _read_size(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_SIZE:
        raise EntryError(f"{name} is not a whole number of bytes between 0 and {_MAX_SIZE}")
    return value


def _read_line(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or "\n" in value or "\r" in value or len(value) > _MAX_LINE:
        raise EntryError(f"expect.first_line is not one line of at most {_MAX_LINE} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise EntryError("expect.first_line has characters that UTF-8 cannot have") from None
    return value


def _read_digest(value: object, name: str, digits: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(f"[0-9A-Fa-f]{{{digits}}}", value):
        raise EntryError(f"{name} is not {digits} hexadecimal digits")
    return value.lower()

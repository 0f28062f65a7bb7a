"""The ``Range`` and ``If-Range`` headers (RFC 9110, section 14)."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class RequestedRange:
    """A byte range of a result; ``end`` is exclusive."""

    start: int
    end: int


class UnsatisfiableRangeError(ValueError):
    """The range contains no byte of the result."""


def is_range(header: str | None) -> bool:
    """Return whether a ``Range`` is supported: several ranges and other units are ignored."""
    match = _ONE_RANGE.fullmatch(header or "")
    return match is not None and bool(match[1] or match[2]) and not _is_backwards(match)


def find_range(header: str, size: int) -> RequestedRange:
    """Return the part of ``size`` bytes that a supported range selects.

    Raises:
        UnsatisfiableRangeError: the range selects no byte.
    """
    match = _ONE_RANGE.fullmatch(header)
    if match is None:
        raise UnsatisfiableRangeError(header)
    first, last = match.groups()
    if not first:
        part = RequestedRange(max(0, size - int(last)), size)
    else:
        part = RequestedRange(int(first), min(size, int(last) + 1) if last else size)
    if part.start >= part.end:
        raise UnsatisfiableRangeError(header)
    return part


def holds(if_range: str | None, tag: str, last_modified: datetime) -> bool:
    """Return whether an ``If-Range`` matches this result: by its strong tag or its exact date."""
    if if_range is None:
        return True
    if if_range.strip().startswith(('"', "W/")):
        return if_range.strip() == f'"{tag}"'
    try:
        return parsedate_to_datetime(if_range) == last_modified.replace(microsecond=0)
    except ValueError:
        return False


def _is_backwards(match: re.Match[str]) -> bool:
    return bool(match[1] and match[2]) and int(match[1]) > int(match[2])

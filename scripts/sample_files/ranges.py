"""Conditional requests and ranges as in RFC 9110, sections 13 and 14."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from sample_files.catalogue import Resource

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_TAG = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True)
class Choice:
    """The status, and which bytes from `start` up to `stop` go with it."""

    status: HTTPStatus
    start: int = 0
    stop: int = 0


def choose(headers: Mapping[str, str], resource: Resource, *, ranges: bool, check_if_range: bool = True) -> Choice:
    """Return the status and the range for a GET with these headers (names in lower case).

    Without `ranges` a Range header is ignored; without `check_if_range` an If-Range is.
    """
    if _has_changed(headers, resource):
        return Choice(HTTPStatus.PRECONDITION_FAILED)
    if _is_known(headers, resource):
        return Choice(HTTPStatus.NOT_MODIFIED)
    whole = Choice(HTTPStatus.OK, 0, resource.body.size)
    if not ranges or (check_if_range and not _is_same(headers.get("if-range", ""), resource)):
        return whole
    return _read_range(headers.get("range", ""), resource.body.size) or whole


def _read_range(text: str, size: int) -> Choice | None:
    """Return the requested range; None for no range, several, or an invalid one."""
    match = _RANGE.fullmatch(text.replace(" ", ""))
    first, last = match.groups() if match else ("", "")
    if first:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    elif last:
        start, stop = max(size - int(last), 0), size
    else:
        return None
    if start >= stop:
        return Choice(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, size, size)
    return Choice(HTTPStatus.PARTIAL_CONTENT, start, stop)


def _has_changed(headers: Mapping[str, str], resource: Resource) -> bool:
    if "if-match" in headers:
        tags = _TAG.findall(headers["if-match"])
        strong = resource.etag if not resource.etag.startswith("W/") else ""
        return headers["if-match"].strip() != "*" and strong not in tags
    limit = _read_time(headers.get("if-unmodified-since", ""))
    return limit is not None and bool(resource.modified) and resource.modified > limit


def _is_known(headers: Mapping[str, str], resource: Resource) -> bool:
    if "if-none-match" in headers:
        tags = [tag.removeprefix("W/") for tag in _TAG.findall(headers["if-none-match"])]
        return headers["if-none-match"].strip() == "*" or (resource.etag.removeprefix("W/") in tags)
    limit = _read_time(headers.get("if-modified-since", ""))
    return limit is not None and bool(resource.modified) and resource.modified <= limit


def _is_same(condition: str, resource: Resource) -> bool:
    """Compare an If-Range strongly; an absent one holds."""
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == resource.etag and not condition.startswith("W/")
    return bool(resource.modified) and condition == resource.last_modified


def _read_time(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None

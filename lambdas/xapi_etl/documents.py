"""One line as a JSON document: what it means, and what is wrong with it.

A line is RFC 8259 JSON in UTF-8, an object, at most 1,024 levels deep. Of keys that come twice the last one counts.
Numbers of any size are fine where no column wants them.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from .exceptions import LineError
from .mapping import Kind, Leaf

DEPTH_LIMIT = 1024
"""orjson's own."""
_INT64 = 2**63
_NAMES: dict[Kind, str] = {"text": "a text", "number": "a number", "integer": "a whole number", "flag": "true or false"}

type Document = dict[str, Any]


def parse_document(text: memoryview | bytes) -> Document:
    """Return the line's document.

    Raises:
        LineError: it is no JSON object.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not str(error).startswith("number is infinity"):
            raise LineError(f"not JSON: {_shorten(error)}") from error
        document = _parse_huge_numbers(bytes(text))
    if not isinstance(document, dict):
        raise LineError(f"not a JSON object but {_describe(document)}")
    return document


def take_value(document: Document, leaf: Leaf) -> Any:  # noqa: ANN401  # what the leaf's kind says
    """Return the value at a path; ``None`` where there is none, or null.

    Raises:
        LineError: something at the path is of another type.
    """
    value: Any = document
    for depth, key in enumerate(leaf.place):
        if not isinstance(value, dict):
            raise LineError(f"{_name(leaf.place[:depth])} is {_describe(value)}, not an object")
        value = value.get(key)
        if value is None:
            return None
    if leaf.kind == "any":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not _fits(value, leaf.kind):
        raise LineError(f"{_name(leaf.place)} is {_describe(value)}, not {_NAMES[leaf.kind]}")
    return float(value) if leaf.kind == "number" else value


def _fits(value: object, kind: Kind) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "flag":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _describe(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number" if math.isfinite(value) else "a number out of range"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"


def _name(place: tuple[str, ...]) -> str:
    return "/" + "/".join(place) if place else "the line"


def _shorten(error: ValueError) -> str:
    """Return a parser's message, which names places and no contents."""
    return str(error).replace(" line 1 ", " ")[:200]


def _parse_huge_numbers(text: bytes) -> Any:  # noqa: ANN401  # any document
    """Parse what orjson refuses for a number beyond a double's range; such numbers become infinite."""
    try:
        document = json.loads(text.decode(), parse_constant=_refuse, parse_int=_to_int)
    except (ValueError, RecursionError) as error:
        raise LineError(f"not JSON: {type(error).__name__}") from error
    _check_contents(document)
    return document


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _to_int(digits: str) -> int | float:
    number = float(digits)
    return number if math.isinf(number) else int(digits)


def _check_contents(document: object) -> None:
    """Raise for what the standard parser takes and orjson would not."""
    waiting: list[tuple[object, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise LineError("not JSON: half of a surrogate pair") from error
        elif isinstance(value, dict | list):
            if depth > DEPTH_LIMIT:
                raise LineError("not JSON: nested too deeply")
            children = [*value, *value.values()] if isinstance(value, dict) else value
            waiting.extend((child, depth + 1) for child in children)

"""The careful parser of the slow path: one line as a JSON document, or the reason why the line is rejected.

A line is RFC 8259 JSON in UTF-8, an object, at most 1,024 levels deep. If a key is repeated, the last value counts.
Numbers of any size and unpaired surrogates are accepted in values that no column reads. An empty list counts as an
empty object, because PHP writes both alike.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import orjson

from xapi_etl.exceptions import LineError

from .mapping import CONDITION, WILDCARD, Kind, leads_into_list

MAX_DEPTH = 1024
"""orjson's own limit."""
MAX_VALUES = 400_000
"""Maximum values of one line; as a Python object each takes up to some 200 bytes."""
_MIN_COUNTED_BYTES = 512 * 1024
"""Lines of at most this many bytes are not checked for the number of their values."""
_INT64 = 2**63
_NAMES: dict[Kind, str] = {"text": "a text", "number": "a number", "integer": "a whole number", "flag": "true or false"}

type Document = dict[str, Any]


def parse_document(text: memoryview | bytes) -> Document:
    """Return the line's document.

    Raises:
        LineError: it is not a JSON object, or has too many values.
    """
    document = parse_value(text)
    if not isinstance(document, dict):
        raise LineError("not_an_object", f"not a JSON object but {describe(document)}")
    return document


def parse_value(text: memoryview | bytes) -> Any:  # noqa: ANN401  # any JSON value
    """Return the JSON value of a text; raises LineError as :func:`parse_document` does."""
    if len(text) > _MIN_COUNTED_BYTES and _count_values(bytes(text)) > MAX_VALUES:
        raise LineError("too_many_values", f"more than {MAX_VALUES} values")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        is_number = str(error).startswith("number is infinity")
        if not is_number and b"\\u" not in bytes(text):
            raise LineError("not_json", f"not JSON: {_shorten(error)}") from error
        return _parse_with_json(bytes(text), error)


def is_statement(document: Document) -> bool:
    """Return whether a document is a statement: it has an actor, a verb with an id, and an object."""
    actor, verb, target = (document.get(name) for name in ("actor", "verb", "object"))
    if not (isinstance(actor, dict) and actor and isinstance(target, dict) and target and isinstance(verb, dict)):
        return False
    return isinstance(verb.get("id"), str) and bool(verb["id"])


def check_statement(document: Document) -> None:
    """Raise LineError unless a document is a statement."""
    if not is_statement(document):
        raise LineError("not_a_statement", "not a statement: it has no actor, no verb with an id, or no object")


def get_value(document: Any, path: Sequence[str], kind: Kind, name: str) -> Any:  # noqa: ANN401  # any JSON value
    """Return the value at a path, for the column ``name``; ``None`` if it is missing or null.

    Raises:
        LineError: something at the path is of another type.
    """
    value = _walk(document, path, 0, name)
    if value is None:
        return None
    if kind in {"any", "raw"}:
        return _write(value)
    if kind == "texts":
        return [_check(one, "text", path, name) for one in value]
    return _check(value, kind, path, name)


def _walk(value: Any, path: Sequence[str], depth: int, name: str) -> Any:  # noqa: ANN401  # any JSON value
    for step in range(depth, len(path)):
        if value is None or value == []:
            return None
        key = path[step]
        if isinstance(value, dict):
            # xAPI 1.0 has a single object where later versions have a list of objects.
            if key not in value and (key in {WILDCARD, "0"} or key.startswith(CONDITION)):
                value = [value]
            else:
                value = value.get(key)
                continue
        if not isinstance(value, list):
            what = f"{_name(path[:step])} is {describe(value)}, not an object"
            raise LineError(f"wrong_type:{name}", what)
        if key == WILDCARD:
            found = [_walk(one, path, step + 1, name) for one in value]
            return [one for one in found if one is not None]
        if key.startswith(CONDITION):
            value = _find_element(value, key)
            continue
        if not leads_into_list(key):
            raise LineError(f"wrong_type:{name}", f"{_name(path[:step])} is a list, not an object")
        value = value[int(key)] if int(key) < len(value) else None
    return value


def _find_element(elements: list[Any], condition: str) -> Any:  # noqa: ANN401  # any JSON value
    """Return the first element that has the value of a condition, like ``?definition.type=x``."""
    path, _, wanted = condition.removeprefix(CONDITION).partition("=")
    for element in elements:
        value = element
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value == wanted:
            return element
    return None


def _check(value: Any, kind: Kind, path: Sequence[str], name: str) -> Any:  # noqa: ANN401  # any JSON value
    if not _fits(value, kind):
        raise LineError(f"wrong_type:{name}", f"{_name(path)} is {describe(value)}, not {_NAMES[kind]}")
    return float(value) if kind == "number" else value


def _fits(value: object, kind: Kind) -> bool:
    match kind:
        case "text":
            return isinstance(value, str) and _is_unicode(value)
        case "flag":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def describe(value: object) -> str:
    """Return the kind of a JSON value, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number" if math.isfinite(value) else "a number out of range"
        case str():
            return "a text" if _is_unicode(value) else "a text with an unpaired surrogate"
        case list():
            return "a list"
        case _:
            return "an object"


def _write(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # UTF-8 cannot encode an unpaired surrogate; a JSON escape can.
    return text if _is_unicode(text) else json.dumps(value, separators=(",", ":"))


def _name(path: Sequence[str]) -> str:
    return "/" + "/".join(path) if path else "the line"


def _shorten(error: ValueError) -> str:
    """Return a parser's message, which contains positions and no contents."""
    return str(error).replace(" line 1 ", " ")[:200]


def _count_values(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _parse_with_json(text: bytes, orjson_error: ValueError) -> Any:  # noqa: ANN401  # any JSON value
    """Parse a text that orjson rejects for a number beyond a double's range, which becomes infinite, or a surrogate."""
    try:
        document = json.loads(text.decode(), parse_constant=_reject_constant, parse_int=_to_int)
    except (ValueError, RecursionError) as error:
        raise LineError("not_json", f"not JSON: {_shorten(orjson_error)}") from error
    _check_depth(document)
    return document


def _reject_constant(constant: str) -> None:
    raise ValueError(constant)


def _to_int(digits: str) -> int | float:
    number = float(digits)
    return number if math.isinf(number) else int(digits)


def _check_depth(document: object) -> None:
    """Raise LineError for nesting that the standard parser accepts and orjson rejects."""
    waiting: list[tuple[object, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise LineError("not_json", "not JSON: nested too deeply")
            children = value.values() if isinstance(value, dict) else value
            waiting.extend((child, depth + 1) for child in children)

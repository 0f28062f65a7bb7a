"""The types of the table's columns, and the exact conversion of JSON values into them.

ClickHouse turns values that it cannot convert into NULL if the column is nullable, and truncates numbers. This module
therefore converts each value before it is sent: exactly, or the line is bad. Times are truncated to a DateTime64's
decimals, as documented.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as PyMapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from .mapping import ColumnType, Mapping
from .transforms import parse_nanoseconds

_COMPATIBLE_TYPES: dict[ColumnType, re.Pattern[str]] = {
    "String": re.compile(r"String"),
    "DateTime64(3)": re.compile(r"DateTime64\([3-8].*\)"),
    "Float64": re.compile(r"Float64"),
    "Int64": re.compile(r"Int64"),
    "UInt64": re.compile(r"UInt64"),
    "Bool": re.compile(r"Bool"),
    "Array(String)": re.compile(r"Array\((LowCardinality\()?String\)?\)"),
}
"""Table types, without wrappers, that accept every value of a mapping's type unchanged."""

type Convert = Callable[[Any], Any]

_WRAPPERS = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
_INTEGER = re.compile(r"(U?)Int(\d+)")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MAX_DIGITS = 80
"""No column accepts longer numbers."""
# Source: ClickHouse documentation, "DateTime64", "DateTime", "Date32", "Date".
_TIME_RANGE = (datetime(1900, 1, 1).date(), datetime(2299, 12, 31).date())  # noqa: DTZ001  # a day
_DATE_RANGE = (date(1970, 1, 1), date(2149, 6, 6))
_EPOCH = date(1970, 1, 1)
_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_UNITS = ((3, "ms", 1_000_000), (6, "us", 1_000), (9, "ns", 1))


@dataclass(frozen=True, slots=True)
class TableType:
    """A column's type."""

    name: str
    """As ClickHouse writes it."""
    inner: str
    """Without wrappers."""
    family: str
    """Without wrappers and parameters."""
    is_nullable: bool
    arrow: pa.DataType
    """The Arrow type in which values are sent."""
    convert: Convert
    """Returns a JSON value as Arrow accepts it; raises ValueError if the conversion is not exact."""

    @property
    def needs_value(self) -> bool:
        """Return whether ClickHouse would store a made-up date for a missing value."""
        return not self.is_nullable and self.family in {"Date", "Date32", "DateTime", "DateTime64"}

    def fit(self, values: Sequence[Any]) -> tuple[pa.Array, list[int]]:
        """Return JSON values, dates and times as the column accepts them, and the indices of those that it rejects."""
        found, wrong = [], []
        for index, value in enumerate(values):
            try:
                found.append(None if value is None else self.convert(value))
            except (ValueError, TypeError, OverflowError, InvalidOperation, RecursionError):
                found.append(None)
                wrong.append(index)
        return pa.array(found, self.arrow), wrong


@lru_cache(maxsize=4096)
def parse_type(name: str) -> TableType:
    """Return the type that DESCRIBE names; values of an unknown type are sent as JSON, and ClickHouse decides."""
    inner, is_nullable = name, False
    while match := _WRAPPERS.fullmatch(inner):
        is_nullable |= inner.startswith("Nullable")
        inner = match[1]
    family, _, rest = inner.partition("(")
    parameters = rest.removesuffix(")")
    arrow, convert = _choose(family, parameters)
    return TableType(name, inner, family, is_nullable, arrow, convert)


def find_differences(mapping: Mapping, types: PyMapping[str, TableType] | None) -> dict[str, TableType]:
    """Return the table's columns whose types differ from the mapping's."""
    return {
        column.name: types[column.name]
        for column in mapping.columns
        if types and column.name in types and not _COMPATIBLE_TYPES[column.type].fullmatch(types[column.name].inner)
    }


def _choose(  # noqa: C901, PLR0911, PLR0912  # a table of types
    family: str, parameters: str
) -> tuple[pa.DataType, Convert]:
    if match := _INTEGER.fullmatch(family):
        return _choose_integer(is_unsigned=bool(match[1]), bits=int(match[2]))
    match family:
        case "String":
            return pa.string(), write_text
        case "FixedString":
            return pa.string(), lambda value: _limit(value, int(parameters))
        case "Bool":
            return pa.bool_(), _to_bool
        case "Float64":
            return pa.float64(), _to_double
        case "Float32" | "BFloat16":
            return pa.float32(), _to_single
        case "Decimal":
            precision, scale = (int(number) for number in parameters.split(","))
            kind = pa.decimal128 if precision <= 38 else pa.decimal256  # noqa: PLR2004  # Arrow's limit
            return kind(precision, scale), lambda value: _to_decimal(value, precision, scale)
        case "DateTime":
            return pa.timestamp("ms", "UTC"), _to_seconds
        case "DateTime64":
            scale = int(parameters.partition(",")[0])
            unit, factor = next((unit, factor) for limit, unit, factor in _UNITS if scale <= limit)
            return pa.timestamp(unit, "UTC"), lambda value: _to_ticks(value, scale, factor)
        case "Date":
            return pa.date32(), lambda value: _to_date(value, _DATE_RANGE)
        case "Date32":
            return pa.date32(), lambda value: _to_date(value, _TIME_RANGE)
        case "UUID":
            return pa.string(), lambda value: _match(value, _UUID)
        case "Enum8" | "Enum16":
            names = _read_names(parameters)
            return pa.string(), lambda value: _find_name(value, names)
        case "IPv4":
            return pa.string(), lambda value: str(ipaddress.IPv4Address(_check_text(value)))
        case "IPv6":
            return pa.string(), lambda value: str(ipaddress.IPv6Address(_check_text(value)))
        case "Array":
            item = parse_type(parameters)
            return pa.list_(item.arrow), lambda value: _to_list(value, item)
        case _:
            return pa.string(), write_json


def _choose_integer(*, is_unsigned: bool, bits: int) -> tuple[pa.DataType, Convert]:
    # Arrow has no wider integers, so values beyond 64 bits are rejected.
    width = min(bits, 64)
    low, high = (0, 2**width - 1) if is_unsigned else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    arrow = getattr(pa, f"{'u' if is_unsigned else ''}int{width}")()

    def convert(value: Any) -> int:  # noqa: ANN401  # any JSON value
        number = _to_whole(value)
        if not low <= number <= high:
            raise ValueError("out of range")
        return number

    return arrow, convert


def write_text(value: Any) -> str:  # noqa: ANN401  # any JSON value
    """Return a text unchanged and any other value as JSON; raises ValueError for an unpaired surrogate."""
    text = value if isinstance(value, str) else write_json(value)
    text.encode()
    return text


def write_json(value: Any) -> str:  # noqa: ANN401  # any JSON value
    """Return a value as JSON."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text.encode()
    return text


def _check_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    value.encode()
    return value


def _limit(value: object, length: int) -> str:
    text = _check_text(value)
    if len(text.encode()) > length:
        raise ValueError("too long")
    return text


def _match(value: object, pattern: re.Pattern[str]) -> str:
    text = _check_text(value)
    if not pattern.fullmatch(text):
        raise ValueError("does not match the format")
    return text


def _find_name(value: object, names: frozenset[str]) -> str:
    if _check_text(value) not in names:
        raise ValueError("not a name of the Enum")
    return str(value)


def _read_names(parameters: str) -> frozenset[str]:
    found = re.findall(r"'((?:[^'\\]|\\.)*)'\s*=", parameters)
    return frozenset(re.sub(r"\\(.)", r"\1", name) for name in found)


def _to_bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _to_whole(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError("not a number")
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and _WHOLE.fullmatch(value) and value != "-0":
        return int(value)
    raise ValueError("not a whole number")


def _to_exact(value: object) -> Decimal:
    """Return the exact number that a value represents."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("not a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("out of range")
    text = repr(value) if isinstance(value, float) else str(value)
    if len(text) > _MAX_DIGITS or (isinstance(value, str) and not _NUMBER.fullmatch(text)):
        raise ValueError("not a number that fits")
    return Decimal(text)


def _to_double(value: object) -> float:
    exact = _to_exact(value)
    number = float(exact)
    # A decimal fraction stands for the nearest double; reject digits that the double would lose.
    if not math.isfinite(number) or Decimal(repr(number)) != exact:
        raise ValueError("not exactly a Float64")
    return number


def _to_single(value: object) -> float:
    exact = _to_exact(value)
    with np.errstate(over="ignore"):
        number = np.float32(float(exact))
    if not np.isfinite(number) or Decimal(str(number)) != exact:
        raise ValueError("not exactly a Float32")
    return float(number)


def _to_decimal(value: object, precision: int, scale: int) -> Decimal:
    exact = _to_exact(value)
    scaled = exact.scaleb(scale)
    if scaled != scaled.to_integral_value() or abs(scaled) >= Decimal(10) ** precision:
        raise ValueError("more digits than the column")
    return exact


def _to_nanoseconds(value: object) -> int:
    if isinstance(value, datetime):
        return int(value.timestamp()) * _SECOND + value.microsecond * 1000
    found = parse_nanoseconds(_check_text(value))
    if found is None:
        raise ValueError("not a time")
    return found


def _to_seconds(value: object) -> int:
    """Return milliseconds: Parquet has no type for seconds."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    nanoseconds: int = value * _SECOND if is_count else _to_nanoseconds(value)  # type: ignore[operator]
    if nanoseconds % _SECOND or not 0 <= nanoseconds < 2**32 * _SECOND:
        raise ValueError("not a DateTime")
    return nanoseconds // 1_000_000


def _to_ticks(value: object, scale: int, factor: int) -> int:
    nanoseconds = _to_nanoseconds(value)
    day = _EPOCH + timedelta(days=nanoseconds // _DAY)
    if not _TIME_RANGE[0] <= day <= _TIME_RANGE[1] or (factor == 1 and abs(nanoseconds) >= 2**63):
        raise ValueError("out of range")
    kept: int = 10 ** (9 - scale)
    return nanoseconds // kept * kept // factor


def _to_date(value: object, limits: tuple[date, date]) -> date:
    text = value if isinstance(value, str) else None
    if text and _DATE.fullmatch(text):
        day = date.fromisoformat(text)
    else:
        nanoseconds = _to_nanoseconds(value)
        if nanoseconds % _DAY:
            raise ValueError("has a time of day")
        day = _EPOCH + timedelta(days=nanoseconds // _DAY)
    if not limits[0] <= day <= limits[1]:
        raise ValueError("out of range")
    return day


def _to_list(value: object, item: TableType) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    if not item.is_nullable and any(one is None for one in value):
        raise ValueError("null in a list of values")
    return [None if one is None else item.convert(one) for one in value]

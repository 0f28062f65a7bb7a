"""A Parquet file's values as pyarrow reads them one by one, and whether an answer has the same.

Nothing here is shared with the service: values become text in Python, days by a count of years.
"""

import base64
import json
import math
import struct
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

UNITS = {"s": (1, 0), "ms": (10**3, 3), "us": (10**6, 6), "ns": (10**9, 9)}
UTC = frozenset({"UTC", "Etc/UTC", "Z", "GMT", "+00:00"})


@dataclass(frozen=True)
class Number:
    """A number; of floating ones so many bits, of others none."""

    value: Any
    bits: int = 0


@dataclass(frozen=True)
class Moment:
    """A time in a zone, as a count of a unit since 1970 in UTC."""

    count: int
    unit: str


class Pairs(list[tuple[str, Any]]):
    """An object of JSON, in the order of its names, which may repeat."""


def parse(text: str) -> Any:
    """Return JSON with exact numbers."""
    return json.loads(text, object_pairs_hook=Pairs, parse_float=Decimal, parse_int=Decimal)


def is_leap(year: int) -> bool:
    """Return whether a year has 366 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def write_day(days: int) -> str:
    """Return a date, by taking away cycles, years and months."""
    cycles, days = divmod(days, 146_097)
    year = 1970 + 400 * cycles
    while days >= (length := 365 + is_leap(year)):
        days -= length
        year += 1
    for month, length in enumerate((31, 28 + is_leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1):
        if days < length:
            return f"{'-' if year < 0 else ''}{abs(year):04d}-{month:02d}-{days + 1:02d}"
        days -= length
    raise AssertionError


def write_clock(count: int, unit: str) -> str:
    """Return a time of day."""
    size, digits = UNITS[unit]
    seconds, fraction = divmod(abs(count), size)
    text = f"{'-' if count < 0 else ''}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return text + (f".{fraction:0{digits}d}" if digits else "")


def write_moment(count: int, unit: str) -> str:
    """Return a time without its offset."""
    days, rest = divmod(count, 86_400 * UNITS[unit][0])
    return f"{write_day(days)}T{write_clock(rest, unit)}"


def read(scalar: pa.Scalar) -> Any:  # noqa: PLR0911, PLR0912, C901 - one for each type
    """Return a value as JSON has it: None, bool, str, Number, Moment, list, or Pairs."""
    if not scalar.is_valid:
        return None
    type_ = scalar.type
    if isinstance(type_, pa.UuidType):
        return str(scalar.as_py())
    if isinstance(type_, pa.BaseExtensionType) or pa.types.is_dictionary(type_):
        return read(scalar.value)
    if pa.types.is_boolean(type_):
        return scalar.as_py()
    if pa.types.is_floating(type_):
        value = float(scalar.as_py())
        return Number(value, type_.bit_width) if math.isfinite(value) else None
    if pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        return Number(Decimal(scalar.as_py()))
    if pa.types.is_date(type_):
        return write_day(scalar.value // (1 if pa.types.is_date32(type_) else 86_400_000))
    if pa.types.is_time(type_):
        return write_clock(scalar.value, type_.unit)
    if pa.types.is_timestamp(type_):
        text = write_moment(scalar.value, type_.unit)
        if type_.tz is None or type_.tz in UTC:
            return text + ("+00:00" if type_.tz else "")
        return Moment(scalar.value, type_.unit)
    if pa.types.is_duration(type_):
        size, digits = UNITS[type_.unit]
        seconds, fraction = divmod(abs(scalar.value), size)
        return f"{'-' if scalar.value < 0 else ''}PT{seconds}" + (f".{fraction:0{digits}d}" if digits else "") + "S"
    if pa.types.is_struct(type_):
        return Pairs((type_.field(place).name, read(scalar[place])) for place in range(type_.num_fields))
    if pa.types.is_map(type_):
        return Entries((read(entry[0]), read(entry[1])) for entry in scalar.values)
    if pa.types.is_nested(type_):
        return [read(each) for each in scalar.values]
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        # Text that is not UTF-8 is text all the same to who passes it on.
        return scalar.as_buffer().to_pybytes().decode(errors="surrogateescape")
    return base64.b64encode(scalar.as_py()).decode()


class Entries(list[tuple[Any, Any]]):
    """A map's entries."""


def is_same(expected: Any, found: Any) -> bool:  # noqa: PLR0911 - one for each type
    """Return whether an answer's value, from JSON, is the one that is expected."""
    if expected is None or isinstance(expected, bool | str):
        return type(found) is type(expected) and bool(found == expected)
    if isinstance(expected, Number):
        return isinstance(found, Decimal) and is_same_number(expected, found)
    if isinstance(expected, Moment):
        return isinstance(found, str) and is_same_moment(expected, found)
    if isinstance(expected, Pairs):
        return isinstance(found, Pairs) and all(
            one[0] == other[0] and is_same(one[1], other[1]) for one, other in zip_all(expected, found)
        )
    if isinstance(expected, Entries) and isinstance(found, Pairs):
        return all(
            is_same_key(one[0], other[0]) and is_same(one[1], other[1]) for one, other in zip_all(expected, found)
        )
    if isinstance(expected, Entries):
        return isinstance(found, list) and len(expected) == len(found)
    return isinstance(found, list) and all(is_same(one, other) for one, other in zip_all(expected, found))


def zip_all(one: list[Any], other: list[Any]) -> list[tuple[Any, Any]]:
    """Return pairs; of lists of different lengths one that is never the same."""
    return list(zip(one, other, strict=True)) if len(one) == len(other) else [(("", 0), ("x", 1))]


def is_same_number(expected: Number, found: Decimal) -> bool:
    """Return whether a number is the same, in so many bits, and has the same sign if it is zero."""
    if not expected.bits:
        return bool(found == expected.value)
    form = {16: "e", 32: "f", 64: "d"}[expected.bits]
    try:
        return struct.pack(form, float(found)) == struct.pack(form, expected.value)
    except OverflowError:
        return False


def is_same_moment(expected: Moment, found: str) -> bool:
    """Return whether a local time with its offset is the moment."""
    sign = -1 if found[-6] == "-" else 1
    offset = sign * (int(found[-5:-3]) * 3600 + int(found[-2:]) * 60)
    return found[:-6] == write_moment(expected.count + offset * UNITS[expected.unit][0], expected.unit)


def is_same_key(expected: Any, found: str) -> bool:
    """Return whether a map's key, as text, is the one that is expected."""
    if isinstance(expected, bool):
        return found == str(expected).lower()
    return is_same_text(expected, found) if isinstance(expected, Number) else is_same(expected, found)


def is_same_text(expected: Any, found: str) -> bool:
    """Return whether a field of CSV holds the value."""
    if expected is None:
        return found == ""
    if isinstance(expected, bool):
        return found == str(expected).lower()
    if isinstance(expected, Number):
        try:
            return is_same_number(expected, Decimal(found))
        except InvalidOperation:
            return False
    if isinstance(expected, list):
        return is_same(expected, parse(found))
    return is_same(expected, found)

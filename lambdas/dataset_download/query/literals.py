"""Literals of a query string: parsed into values of a column's type, exactly or not at all."""

import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import pyarrow as pa  # type: ignore[import-untyped]

from .columns import is_text, is_uuid, unwrap
from .gregorian import DATE_PATTERN, read_day

WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,40}")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?|[+-]?inf(inity)?", re.IGNORECASE)
TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]{1,9}))?)?"
ONLY_TIME = re.compile(TIME)
END_OF_DAY = re.compile(r"24:00(:00(\.0{1,9})?)?")
# A plus that is not escaped in the URL arrives as a space.
TIMESTAMP = re.compile(rf"(?P<date>{DATE_PATTERN})([T ]{TIME}(?P<zone>Z|[-+ ][0-9]{{2}}:?[0-9]{{2}})?)?")
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Units per second."""
TRUE, FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
SECONDS_OF_A_DAY = 86_400


class InvalidValueError(ValueError):
    """The text is not a value of the type; the message says what is expected."""


def parse_value(text: str, type_: pa.DataType) -> pa.Scalar:
    """Return the value in the type without dictionary and extension.

    Raises:
        InvalidValueError: the text is not a value of the type.
    """
    if is_uuid(type_):
        return pa.scalar(_parse_uuid(text), pa.binary(16))
    plain = unwrap(type_)
    if is_text(plain):
        return _parse_text(text, plain)
    if pa.types.is_decimal(plain):
        return _parse_decimal(text, plain)
    for applies, parse in PARSERS:
        if applies(plain):
            return pa.scalar(parse(text, plain), plain)
    raise InvalidValueError(f"{type_} columns can only be filtered by __isnull")


def parse_flag(text: str) -> bool:
    """Return the boolean of true, false, 1 or 0."""
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise InvalidValueError("true or false is expected")


def is_filterable(type_: pa.DataType) -> bool:
    """Return whether a column of this type can be compared with values."""
    plain = unwrap(type_)
    known = is_uuid(type_) or is_text(plain) or pa.types.is_decimal(plain)
    return known or any(applies(plain) for applies, _ in PARSERS)


def is_ordered(type_: pa.DataType) -> bool:
    """Return whether a column of this type supports less and greater, and sorting."""
    return is_filterable(type_) and not is_uuid(type_) and not pa.types.is_float16(unwrap(type_))


def _parse_text(text: str, type_: pa.DataType) -> pa.Scalar:
    try:
        return pa.scalar(text, type_)
    except UnicodeEncodeError as error:
        raise InvalidValueError("text in UTF-8 is expected") from error


def _parse_integer(text: str, type_: pa.DataType) -> int:
    if not WHOLE_NUMBER.fullmatch(text):
        raise InvalidValueError("a whole number is expected")
    value = int(text)
    signed = pa.types.is_signed_integer(type_)
    low = -(1 << (type_.bit_width - 1)) if signed else 0
    high = (1 << (type_.bit_width - 1 if signed else type_.bit_width)) - 1
    if not low <= value <= high:
        raise InvalidValueError(f"a whole number from {low} to {high} is expected")
    return value


def _parse_float(text: str, _: pa.DataType) -> float:
    if not NUMBER.fullmatch(text):
        raise InvalidValueError("a number is expected")
    return float(text)


def _parse_boolean(text: str, _: pa.DataType) -> bool:
    return parse_flag(text)


def _parse_date(text: str, type_: pa.DataType) -> int:
    days = _count_days(text)
    if not -(1 << 31) <= days < 1 << 31:
        raise InvalidValueError(f"{type_} does not reach as far")
    return days if pa.types.is_date32(type_) else days * SECONDS_OF_A_DAY * UNITS["ms"]


def _parse_time(text: str, type_: pa.DataType) -> int:
    match = ONLY_TIME.fullmatch(text)
    if not match:
        raise InvalidValueError("a time such as 09:30:00 is expected")
    if END_OF_DAY.fullmatch(text):
        return SECONDS_OF_A_DAY * UNITS[type_.unit]
    return _count_time(match, type_.unit)


def _parse_timestamp(text: str, type_: pa.DataType) -> int:
    match = TIMESTAMP.fullmatch(text)
    if not match:
        raise InvalidValueError("a date or a time such as 2024-05-31T09:30:00 is expected")
    units = UNITS[type_.unit]
    value = _count_days(match["date"]) * SECONDS_OF_A_DAY * units
    if match["hour"]:
        value += _count_time(match, type_.unit)
    if match["zone"] and type_.tz is None:
        raise InvalidValueError("a time without an offset is expected: the column has no time zone")
    value -= _count_offset(match["zone"]) * units
    if not -(1 << 63) <= value < 1 << 63:
        raise InvalidValueError(f"{type_} does not reach as far")
    return value


def _count_days(text: str) -> int:
    days = read_day(text)
    if days is None:
        raise InvalidValueError("a date such as 2024-05-31 is expected")
    return days


def _count_time(match: re.Match[str], unit: str) -> int:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - of a clock
        raise InvalidValueError("there is no such time of day")
    nanoseconds = int((match["fraction"] or "").ljust(9, "0"))
    size = UNITS["ns"] // UNITS[unit]
    if nanoseconds % size:
        raise InvalidValueError(f"the column is not as fine: its unit is {unit}")
    return ((hour * 60 + minute) * 60 + second) * UNITS[unit] + nanoseconds // size


def _count_offset(zone: str | None) -> int:
    """Return the offset in seconds east of UTC; times without an offset are in UTC."""
    if zone is None or zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - of a clock
        raise InvalidValueError("there is no such offset")
    return (-60 if zone[0] == "-" else 60) * (hours * 60 + minutes)


def _parse_decimal(text: str, type_: pa.DataType) -> pa.Scalar:
    if not NUMBER.fullmatch(text) or "inf" in text.lower():
        raise InvalidValueError("a number is expected")
    try:
        # Arrow checks the scale of a decimal in an array, but not in a scalar.
        return pa.array([Decimal(text)], type_)[0]
    except (pa.ArrowException, InvalidOperation) as error:
        raise InvalidValueError(
            f"at most {type_.precision} digits, {type_.scale} of them after the point, are expected"
        ) from error


def _parse_uuid(text: str) -> bytes:
    try:
        return uuid.UUID(text).bytes
    except ValueError as error:
        raise InvalidValueError("a UUID is expected") from error


PARSERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str, pa.DataType], object]], ...] = (
    (pa.types.is_integer, _parse_integer),
    (pa.types.is_floating, _parse_float),
    (pa.types.is_boolean, _parse_boolean),
    (pa.types.is_date, _parse_date),
    (pa.types.is_time, _parse_time),
    (pa.types.is_timestamp, _parse_timestamp),
)

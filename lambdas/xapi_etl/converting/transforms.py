"""Transforms of column values: times, durations, lower case. Each returns the values and a mask of invalid ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

MILLISECONDS = pa.timestamp("ms", "UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The range of DateTime64(3). Source: ClickHouse documentation, "DateTime64".
_FIRST_MS = -2_208_988_800_000  # 1900-01-01
_LAST_MS = 10_413_791_999_999  # 2299-12-31 23:59:59.999
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?\s?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?)?",
    re.ASCII,
)
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_DURATION = re.compile(
    rf"P(?=.)(?:{_NUMBER}W|(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}D)?(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?)",
    re.ASCII,
)
_USUAL_DURATION = r"^PT(?:(?P<h>[0-9]{1,9})H)?(?:(?P<m>[0-9]{1,9})M)?(?P<s>[0-9]{1,9}(?:\.[0-9]{1,9})?)S$"
_DAY = 86_400
_SECONDS = (7 * _DAY, 365 * _DAY, 30 * _DAY, _DAY, 3_600, 60, 1)
"""Seconds of a week, year, month, day, hour, minute, second; a year counts as 365 days and a month as 30."""

type MaskedValues = tuple[pa.Array, np.ndarray | None]
"""Values, and a mask of invalid ones; ``None`` if all are valid."""


def parse_times(texts: pa.Array) -> MaskedValues:
    """Convert ISO 8601 times of any offset and precision to milliseconds in UTC; without an offset they are UTC.

    Texts that are not a time, and times outside the range of ClickHouse's DateTime64(3), are invalid.
    """
    numbers = _cast_times(texts)
    if numbers is None:
        numbers = pa.array([None if text is None else _parse_time(text) for text in texts.to_pylist()], pa.int64())
    times = numbers.cast(MILLISECONDS)
    first, last = pc.min_max(numbers).as_py().values()
    if first is None or (first >= _FIRST_MS and last <= _LAST_MS):
        return times, None
    wrong = pc.or_(pc.less(numbers, _FIRST_MS), pc.greater(numbers, _LAST_MS))
    return times, np.asarray(pc.fill_null(wrong, False))  # noqa: FBT003


def parse_durations(texts: pa.Array) -> MaskedValues:
    """Convert ISO 8601 durations to seconds; years count 365 days and months 30."""
    present = texts.drop_null()
    if not len(present):
        return pa.nulls(len(texts), pa.float64()), None
    values = _cast_durations(present)
    rest = np.flatnonzero(values.is_null())
    if len(rest):
        seconds = values.to_pylist()
        for index in rest.tolist():
            seconds[index] = _parse_duration(present[index].as_py())
        values = pa.array(seconds, pa.float64())
    if texts.null_count:
        is_present = np.asarray(texts.is_valid())
        values = values.take(pa.array(np.cumsum(is_present) - 1, pa.int64(), mask=~is_present))
    mask = np.asarray(pc.and_(texts.is_valid(), values.is_null()))
    return values, mask if mask.any() else None


def to_unsigned(numbers: pa.Array) -> MaskedValues:
    """Convert whole numbers to unsigned ones; negative numbers are invalid."""
    mask = np.asarray(pc.fill_null(pc.less(numbers, 0), False))  # noqa: FBT003
    if mask.any():
        return pc.if_else(pa.array(mask), pa.scalar(None, pa.int64()), numbers).cast(pa.uint64()), mask
    return numbers.cast(pa.uint64()), None


def find_months(times: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return each time's month, counted from 1970-01; a missing time counts as 1970-01, ClickHouse's default."""
    numbers = pc.fill_null(times.cast(pa.int64()), 0).to_numpy()
    months: np.ndarray = numbers.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return months


def _cast_times(texts: pa.Array) -> pa.Array | None:
    """Return milliseconds; ``None`` unless Arrow's parser accepts all texts: with offset and at most six decimals."""
    for unit, factor in (("ms", 1), ("us", 1000)):
        try:
            numbers = pc.cast(texts, pa.timestamp(unit, "UTC")).cast(pa.int64())
        except pa.ArrowInvalid:
            continue
        if factor == 1:
            return numbers
        values = np.floor_divide(pc.fill_null(numbers, 0).to_numpy(), factor)
        return pa.array(values, pa.int64(), mask=np.asarray(texts.is_null()))
    return None


def parse_nanoseconds(text: str) -> int | None:
    """Return an ISO 8601 time, truncated to nanoseconds since 1970; ``None`` if the text is not a time."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = match.groups(default="0")
    offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
    if int(offset_hours) > 23 or int(offset_minutes) > 59 or int(second) > 60:  # noqa: PLR2004  # parts of a clock
        return None
    try:
        # A leap second counts as the start of the next minute.
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC)
        moment += timedelta(seconds=int(second)) - (-offset if sign == "-" else offset)
    except (ValueError, OverflowError):
        return None
    seconds: int = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * 1_000_000_000 + int((fraction + "00000000")[:9])


def _parse_time(text: str) -> int:
    """Return milliseconds since 1970, or a number beyond the valid range if the text is not a time."""
    nanoseconds = parse_nanoseconds(text)
    return _LAST_MS + 1 if nanoseconds is None else nanoseconds // 1_000_000


def _cast_durations(texts: pa.Array) -> pa.Array:
    """Return the seconds of durations in hours, minutes and seconds, the common form; null for any other text."""
    parts = pc.extract_regex(texts, _USUAL_DURATION)
    total = None
    for name, seconds in (("h", 3600.0), ("m", 60.0), ("s", 1.0)):
        number = pc.struct_field(parts, name)
        number = pc.if_else(pc.equal(number, ""), "0", number).cast(pa.float64())
        part = pc.multiply(number, seconds)
        total = part if total is None else pc.add(total, part)
    return total


def _parse_duration(text: str | None) -> float | None:
    match = _DURATION.fullmatch(text) if text else None
    if not match:
        return None
    total = 0.0
    for number, seconds in zip(match.groups(), _SECONDS, strict=True):
        if number:
            total += float(number.replace(",", ".")) * seconds
    return total

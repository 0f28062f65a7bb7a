"""Timestamps and durations in ISO 8601."""

from datetime import UTC, datetime

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from .joining import DIGITS, Cells, Mode
from .zones import SAME_AS_UTC, UTC_OFFSET, find_offsets

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DATE_LENGTH = len("2024-05-31")
SECOND_LENGTH = len("2024-05-31T09:30:00")
FIRST_SECOND = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def make_time_cells(column: pa.Array, quote: str) -> Cells | None:
    """Return timestamps, in quotes, for the library in C: such as have no zone, or UTC, and years of four digits."""
    if not pa.types.is_timestamp(column.type) or column.type.tz not in {None, *SAME_AS_UTC}:
        return None
    bounds, unit = pc.min_max(column.cast(pa.int64())), UNITS[column.type.unit]
    first, last = bounds["min"].as_py(), bounds["max"].as_py()
    if first is not None and not FIRST_SECOND <= first // unit <= last // unit <= LAST_SECOND:
        return None
    return Cells(column, quote, (UTC_OFFSET if is_utc(column.type) else "") + quote, Mode.TIME)


def render_timestamp(column: pa.Array) -> pa.StringArray:
    """Return times such as 2024-05-31T09:30:00.000000+01:00: local time, with the offset if the type has a zone."""
    unit, zone = column.type.unit, column.type.tz
    if zone is None:
        return render_naive(column)
    if is_utc(column.type):
        return pc.binary_join_element_wise(render_naive(column), UTC_OFFSET, "")
    offsets = find_offsets(zone, _floor_divide(column.cast(pa.int64()), UNITS[unit]))
    shifts: pa.Array | pa.Scalar = pa.scalar(offsets.seconds[0], pa.int64())
    texts: pa.Array | str = offsets.texts[0]
    if offsets.indices is not None:
        shifts = pa.array(offsets.seconds, pa.int64()).take(offsets.indices)
        texts = pa.array(offsets.texts, pa.string()).take(offsets.indices)
    local = pc.add(column.cast(pa.int64()), pc.multiply(shifts, UNITS[unit])).cast(pa.timestamp(unit))
    return pc.binary_join_element_wise(render_naive(local), texts, "")


def _floor_divide(values: pa.Array, divisor: int) -> pa.Array:
    """Divide towards minus infinity."""
    if divisor == 1:
        return values
    quotient = pc.divide(values, divisor)
    below = pc.less(pc.subtract(values, pc.multiply(quotient, divisor)), 0)
    return pc.subtract(quotient, below.cast(pa.int64()))


def is_utc(type_: pa.DataType) -> bool:
    """Whether a type's values are timestamps that are shown in UTC."""
    return bool(pa.types.is_timestamp(type_)) and type_.tz in SAME_AS_UTC


def render_naive(column: pa.Array) -> pa.StringArray:
    """Return times without their offset, as UTC has them."""
    # With its zone Arrow takes twenty times as long.
    text = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    digits = DIGITS[column.type.unit]
    length = SECOND_LENGTH + (digits + 1 if digits else 0)
    lengths = pc.min_max(pc.binary_length(text))
    if lengths["min"].as_py() in (length, None) and lengths["max"].as_py() in (length, None):
        return pc.binary_replace_slice(text, DATE_LENGTH, DATE_LENGTH + 1, "T")
    # Years before 0 or after 9999 are longer.
    return pc.replace_substring(text, " ", "T", max_replacements=1)


def render_duration(column: pa.Array) -> pa.StringArray:
    """Return durations in seconds, such as PT90.500S or -PT0.001S."""
    unit = column.type.unit
    counts = column.cast(pa.int64())
    # As unsigned numbers: the least int64 has no positive counterpart.
    negative = pc.less(counts, 0)
    bits = counts.view(pa.uint64())
    sizes = pc.if_else(negative, pc.add(pc.bit_wise_not(bits), pa.scalar(1, pa.uint64())), bits)
    units = pa.scalar(UNITS[unit], pa.uint64())
    whole = pc.divide(sizes, units)
    parts = [pc.if_else(negative, "-PT", "PT"), whole.cast(pa.string())]
    if DIGITS[unit]:
        rest = pc.subtract(sizes, pc.multiply(whole, units)).cast(pa.string())
        parts += [".", pc.ascii_lpad(rest, DIGITS[unit], "0")]
    return pc.binary_join_element_wise(*parts, "S", "")

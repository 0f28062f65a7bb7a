"""Text of dates, times and durations in ISO 8601.

Arrow formats only the years -32767 to 32767 and times within a day, and writes a placeholder for other values. Those
are formatted here, value by value.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from dataset_download.query.gregorian import write_day

from .row_joining import DIGITS, Cells, Mode
from .zones import SAME_AS_UTC, UTC_OFFSET, find_offsets

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DATE_LENGTH = len("2024-05-31")
FIRST_SECOND = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
DAY_SECONDS = 86_400

type Common = tuple[int, int]
"""The range of seconds of the common years; the end is exclusive."""
type Render = Callable[[pa.Array], pa.StringArray]


def make_time_cells(column: pa.Array, quote: str) -> Cells | None:
    """Return timestamps in quotes for the C library: those without a zone or in UTC, with four-digit years."""
    if not pa.types.is_timestamp(column.type) or column.type.tz not in {None, *SAME_AS_UTC}:
        return None
    unit = UNITS[column.type.unit]
    if not _lies_within(column.cast(pa.int64()), FIRST_SECOND * unit, (LAST_SECOND + 1) * unit):
        return None
    return Cells(column, quote, (UTC_OFFSET if is_utc(column.type) else "") + quote, Mode.TIME)


def _lies_within(counts: pa.Array, first: int, end: int) -> bool:
    """Return whether all values of an integer column lie in a half-open range."""
    bounds = pc.min_max(counts)
    return bounds["min"].as_py() is None or first <= bounds["min"].as_py() <= bounds["max"].as_py() < end


def _render_apart(column: pa.Array, common: Common, render: Render, write: Callable[[int], str]) -> pa.StringArray:
    """Return the column as text: common values by `render`, the counts of the others by `write`."""
    counts = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())  # noqa: PLR2004 - bits
    if _lies_within(counts, *common):
        return render(column)
    far = pc.or_(pc.less(counts, common[0]), pc.greater_equal(counts, common[1]))
    far = pc.fill_null(far, fill_value=False)
    near = render(pc.if_else(far, pa.scalar(None, column.type), column))
    return pc.replace_with_mask(near, far, pa.array(map(write, counts.filter(far).to_pylist()), pa.string()))


def render_date(column: pa.Array) -> pa.StringArray:
    """Return dates such as 2024-05-31, or -0043-03-15."""
    unit = 1 if pa.types.is_date32(column.type) else DAY_SECONDS * UNITS["ms"]
    common = FIRST_SECOND // DAY_SECONDS * unit, (LAST_SECOND + 1) // DAY_SECONDS * unit
    return _render_apart(column, common, _cast, lambda count: write_day(count // unit))


def render_time(column: pa.Array) -> pa.StringArray:
    """Return times of day such as 09:30:00.000; values outside a day, such as 24:00:00, as counted."""
    unit = column.type.unit

    def write(count: int) -> str:
        return ("-" if count < 0 else "") + _write_clock(abs(count), unit)

    return _render_apart(column, (0, DAY_SECONDS * UNITS[unit]), _cast, write)


def _cast(column: pa.Array) -> pa.StringArray:
    return column.cast(pa.string())


def _write_clock(count: int, unit: str) -> str:
    seconds, fraction = divmod(count, UNITS[unit])
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:0{DIGITS[unit]}d}" if DIGITS[unit] else text


def render_timestamp(column: pa.Array) -> pa.StringArray:
    """Return times such as 2024-05-31T09:30:00.000000+01:00: local time, with an offset if the type has a zone."""
    unit, zone = column.type.unit, column.type.tz
    # One day less at both ends, for local times.
    common = (FIRST_SECOND + DAY_SECONDS) * UNITS[unit], (LAST_SECOND - DAY_SECONDS) * UNITS[unit]
    return _render_apart(column, common, _render_common, lambda count: _write_timestamp(count, unit, zone))


def _write_timestamp(count: int, unit: str, zone: str | None) -> str:
    seconds, text = 0, ""
    if zone is not None:
        offsets = find_offsets(zone, pa.array([count // UNITS[unit]], pa.int64()))
        number = offsets.indices[0].as_py() if offsets.indices is not None else 0
        seconds, text = offsets.seconds[number], offsets.texts[number]
    days, rest = divmod(count + seconds * UNITS[unit], DAY_SECONDS * UNITS[unit])
    return f"{write_day(days)}T{_write_clock(rest, unit)}{text}"


def _render_common(column: pa.Array) -> pa.StringArray:
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
    """Return the quotient, rounded towards minus infinity."""
    if divisor == 1:
        return values
    quotient = pc.divide(values, divisor)
    below = pc.less(pc.subtract(values, pc.multiply(quotient, divisor)), 0)
    return pc.subtract(quotient, below.cast(pa.int64()))


def is_utc(type_: pa.DataType) -> bool:
    """Return whether a type's values are timestamps shown in UTC."""
    return bool(pa.types.is_timestamp(type_)) and type_.tz in SAME_AS_UTC


def render_naive(column: pa.Array) -> pa.StringArray:
    """Return times of the years 1 to 9999 in UTC, without an offset."""
    # With a zone, Arrow takes twenty times as long.
    text = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    return pc.binary_replace_slice(text, DATE_LENGTH, DATE_LENGTH + 1, "T")


def render_duration(column: pa.Array) -> pa.StringArray:
    """Return durations in seconds, such as PT90.500S or -PT0.001S."""
    unit = column.type.unit
    counts = column.cast(pa.int64())
    # Unsigned, since the lowest int64 has no positive counterpart.
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

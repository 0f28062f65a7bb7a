"""Bounds of columns from row group statistics, and the evaluation of filters against them (predicate pushdown)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import Enum
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.formats.text import render
from dataset_download.parquet.metadata import Footer, Plain, RowGroup, Statistics
from dataset_download.query.columns import is_text, is_uuid, unwrap
from dataset_download.query.parameters import Filter

from .trusted_writers import count_nulls, find_bounds

type Comparable = int | float | bytes | Decimal

EXACT = Context(prec=1000)
"""Parquet decimals have as many digits as their bytes can hold."""


class Verdict(Enum):
    """The rows of a row group that pass a filter."""

    NONE = "none"
    SOME = "some"
    """Undecided: the rows have to be read."""
    ALL = "all"


@dataclass(frozen=True)
class Bounds:
    """Row count, null count and bounds of a column in a row group."""

    rows: int
    nulls: int | None
    """None: unknown."""
    low: Comparable | None = None
    """Lower bound of the values; None: unknown, or no values."""
    high: Comparable | None = None
    is_exact: bool = True
    """Whether both bounds are values of the column, not truncated ones."""


def read_column_bounds(footer: Footer, group: RowGroup, field: pa.Field) -> Bounds:
    """Return the trusted bounds of a dataset's column in a row group."""
    leaves = footer.find_leaves(field.name)
    if not leaves:
        is_absent = field.name not in footer.schema_arrow.names
        return Bounds(group.num_rows, group.num_rows if is_absent else None)
    own = footer.schema_arrow.field(field.name).type
    if len(leaves) > 1 or pa.types.is_nested(unwrap(own)):
        return Bounds(group.num_rows, None)
    is_dictionary = not footer.has_arrow_schema or pa.types.is_dictionary(own)
    bounds = _read_bounds(group, leaves[0], unwrap(own), is_dictionary=is_dictionary)
    # Files of a folder may differ in the unit of times.
    is_other = pa.types.is_temporal(unwrap(own)) and not unwrap(own).equals(unwrap(field.type))
    return Bounds(bounds.rows, bounds.nulls) if is_other else bounds


def _read_bounds(group: RowGroup, leaf: int, type_: pa.DataType, *, is_dictionary: bool) -> Bounds:
    """Return the trusted bounds of a column that consists of one leaf column."""
    chunk = group.column(leaf)
    statistics = chunk.statistics
    # In a repeated column, counts are of values, not of rows.
    if statistics is None or chunk.num_values != group.num_rows:
        return Bounds(group.num_rows, None)
    nulls = count_nulls(statistics, group.num_rows, is_dictionary=is_dictionary)
    plain = find_bounds(statistics, is_dictionary=is_dictionary)
    if plain is None:
        return Bounds(group.num_rows, nulls)
    low, high = (_read_bound(value, statistics, type_) for value in plain)
    if low is None or high is None or not low <= high:  # type: ignore[operator]
        return Bounds(group.num_rows, nulls)
    return Bounds(group.num_rows, nulls, low, high, statistics.is_exact)


def _read_bound(raw: Plain, statistics: Statistics, type_: pa.DataType) -> Comparable | None:
    """Return a bound in the comparable form of its type."""
    plain = unwrap(type_)
    if pa.types.is_decimal(plain):
        unscaled = int.from_bytes(raw, "big", signed=True) if isinstance(raw, bytes) else int(raw)
        return Decimal(unscaled).scaleb(-statistics.element.scale, EXACT)
    if pa.types.is_float16(plain):
        return None
    if pa.types.is_unsigned_integer(plain):
        # Parquet stores them as signed integers of 32 or 64 bits.
        return int(raw) % (1 << (64 if statistics.physical_type == "INT64" else 32))
    return raw


def make_comparable(value: pa.Scalar) -> Comparable | None:
    """Return a filter's value in the same comparable form as bounds; None if the type has none."""
    if pa.types.is_float16(value.type):
        return None
    if is_text(value.type):
        return str(value.as_py()).encode("utf-8", "surrogatepass")
    if pa.types.is_temporal(value.type):
        return int(value.cast(pa.int32() if value.type.bit_width == 32 else pa.int64()).as_py())  # noqa: PLR2004 - bits
    plain = value.as_py()
    return plain if isinstance(plain, (int, float, bytes, Decimal)) else None


def evaluate_filter(filter_: Filter, bounds: Bounds, type_: pa.DataType) -> Verdict:
    """Return which of a row group's rows pass the filter, as far as the bounds decide it."""
    if filter_.operator == "isnull":
        return _evaluate_nulls(bounds, wanted=filter_.values[0].as_py())
    if bounds.nulls == bounds.rows:
        return Verdict.NONE
    values = [make_comparable(value) for value in filter_.values]
    known = [value for value in values if value is not None]
    if bounds.low is None or bounds.high is None or len(known) < len(values):
        return Verdict.SOME
    verdict = _compare(filter_.operator, known, bounds.low, bounds.high)
    # Truncated bounds may be equal although the values differ.
    if not bounds.is_exact and (filter_.operator, verdict) in {("eq", Verdict.ALL), ("ne", Verdict.NONE)}:
        return Verdict.SOME
    # Bounds do not cover NaN, which is unequal to everything and otherwise compares with nothing.
    floating = pa.types.is_floating(unwrap(type_))
    if verdict is Verdict.ALL and (bounds.nulls != 0 or floating):
        return Verdict.SOME
    return Verdict.SOME if floating and filter_.operator == "ne" else verdict


def _evaluate_nulls(bounds: Bounds, *, wanted: bool) -> Verdict:
    if bounds.nulls is None:
        return Verdict.SOME
    if bounds.nulls in (0, bounds.rows):
        return Verdict.ALL if (bounds.nulls == bounds.rows) == wanted else Verdict.NONE
    return Verdict.SOME


def _compare(operator: str, values: list[Comparable], low: Comparable, high: Comparable) -> Verdict:
    compare = COMPARISONS.get(operator)
    return Verdict.SOME if compare is None else compare(values, low, high)


def _compare_any(values: list[Comparable], low: Comparable, high: Comparable) -> Verdict:
    return _decide(any(low <= each <= high for each in values), low == high)  # type: ignore[operator]


def _compare_unequal(values: list[Comparable], low: Comparable, high: Comparable) -> Verdict:
    outside = values[0] < low or values[0] > high  # type: ignore[operator]
    return _decide(not low == high == values[0], outside)


def _compare_prefix(values: list[Comparable], low: Comparable, high: Comparable) -> Verdict:
    if not (isinstance(values[0], bytes) and isinstance(low, bytes) and isinstance(high, bytes)):
        return Verdict.SOME
    prefix, size = values[0], len(values[0])
    return _decide(low[:size] <= prefix <= high[:size], low[:size] == high[:size] == prefix)


def _decide(some: bool, every: bool) -> Verdict:  # noqa: FBT001 - two flags, in this order
    return (Verdict.ALL if every else Verdict.SOME) if some else Verdict.NONE


COMPARISONS: dict[str, Callable[[list[Any], Any, Any], Verdict]] = {
    "eq": _compare_any,
    "ne": _compare_unequal,
    "startswith": _compare_prefix,
    "gt": lambda values, low, high: _decide(high > values[0], low > values[0]),
    "gte": lambda values, low, high: _decide(high >= values[0], low >= values[0]),
    "lt": lambda values, low, high: _decide(low < values[0], high < values[0]),
    "lte": lambda values, low, high: _decide(low <= values[0], high <= values[0]),
}


def show_bound(value: Comparable | None, type_: pa.DataType) -> str | None:
    """Return a bound as text for a page."""
    plain = unwrap(type_)
    if value is None or is_uuid(type_):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") if is_text(plain) else None
    if pa.types.is_temporal(plain) and isinstance(value, int):
        bits = pa.int32() if plain.bit_width == 32 else pa.int64()  # noqa: PLR2004 - bits
        shown = pa.timestamp(plain.unit) if pa.types.is_timestamp(plain) else plain
        text = str(render(pa.array([value], bits).cast(shown))[0].as_py())
        return f"{text}Z" if pa.types.is_timestamp(plain) and plain.tz else text
    return str(value)

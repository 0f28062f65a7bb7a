"""Overview of a dataset for its page: column statistics and the first rows."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.datasets.dataset import Dataset
from dataset_download.datasets.partitions import PartitionValue
from dataset_download.planning.plan import Plan, Reading, make_plan
from dataset_download.planning.statistics_bounds import Bounds, read_column_bounds, show_bound
from dataset_download.query.columns import is_binary, is_text, is_uuid, unwrap
from dataset_download.query.literals import is_filterable, is_ordered
from dataset_download.query.parameters import Query
from dataset_download.reading.result_stream import read_rows

from .cells import show_cells

PREVIEW_AHEAD_BYTES = 1024 * 1024
MAX_CHUNKS = 30_000
"""Column chunks whose statistics are merged for a page."""
PREVIEW_COLUMNS = 100
"""The largest number of columns in a preview."""
KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (is_uuid, "UUID"),
    (is_text, "text"),
    (is_binary, "bytes"),
    (pa.types.is_boolean, "true or false"),
    (pa.types.is_integer, "whole number"),
    (pa.types.is_floating, "number"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time of day"),
    (pa.types.is_duration, "duration"),
    (pa.types.is_map, "map"),
    (pa.types.is_struct, "structure"),
)


@dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of a column, from the footers."""

    name: str
    type: str
    """Readable name: text, whole number, decimal (10, 2), timestamp in UTC, list of text..."""
    nullable: bool
    nulls: int | None
    """None: unknown; the same applies to the bounds."""
    minimum: str | None
    maximum: str | None
    filterable: bool
    """Whether `column=value` is possible (not for binary and nested columns)."""
    sortable: bool


@dataclass(frozen=True)
class Preview:
    """The first rows as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    """None: null."""


def describe_columns(dataset: Dataset) -> list[ColumnStatistics]:
    """Return one entry per column, from metadata alone; of many columns, only the first have statistics."""
    groups = sum(footer.num_row_groups for footer in dataset.footers)
    known = max(1, MAX_CHUNKS // max(1, groups))
    return [_describe(dataset, number, is_known=number < known) for number in range(len(dataset.schema))]


def _describe(dataset: Dataset, number: int, *, is_known: bool) -> ColumnStatistics:
    field = dataset.schema.field(number)
    nulls, low, high = None, None, None
    if field.name in dataset.partition_columns:
        nulls, low, high = _span_partitions(dataset, field.name)
    elif is_known:
        nulls, low, high = _span_groups(dataset, number)
    return ColumnStatistics(
        field.name,
        name_type(field.type),
        field.nullable,
        nulls,
        low,
        high,
        filterable=is_filterable(field.type),
        sortable=is_ordered(field.type),
    )


def _span_groups(dataset: Dataset, number: int) -> tuple[int | None, str | None, str | None]:
    """Return a column's null count and bounds over all row groups."""
    field = dataset.schema.field(number)
    if pa.types.is_nested(unwrap(field.type)):
        return None, None, None
    total = Bounds(0, 0)
    for footer in dataset.footers:
        for group in map(footer.row_group, range(footer.num_row_groups)):
            if group.num_rows:
                total = _widen(total, read_column_bounds(footer, group, field))
    return total.nulls, show_bound(total.low, field.type), show_bound(total.high, field.type)


def _widen(total: Bounds, group: Bounds) -> Bounds:
    """Return the bounds of both; unknown if either is unknown."""
    nulls = None if total.nulls is None or group.nulls is None else total.nulls + group.nulls
    if group.nulls == group.rows:
        return replace(total, rows=total.rows + group.rows, nulls=nulls)
    unknown = group.low is None or not group.is_exact or (total.low is None and total.rows > (total.nulls or 0))
    if unknown or group.low is None or group.high is None:
        return Bounds(total.rows + group.rows, nulls)
    low = group.low if total.low is None else min(total.low, group.low)
    high = group.high if total.high is None else max(total.high, group.high)
    return Bounds(total.rows + group.rows, nulls, low, high)


def _span_partitions(dataset: Dataset, name: str) -> tuple[int, str | None, str | None]:
    index = dataset.partition_columns.index(name)
    values: list[PartitionValue] = [values[index] for values in dataset.partition_values]
    rows = [footer.num_rows for footer in dataset.footers]
    nulls = sum(count for value, count in zip(values, rows, strict=True) if value is None)
    is_number = name in dataset.partition_numbers
    given = sorted((value for value in values if value is not None), key=_count if is_number else None)
    return nulls, str(given[0]) if given else None, str(given[-1]) if given else None


def _count(text: PartitionValue) -> int:
    return int(str(text))


def name_type(type_: pa.DataType) -> str:
    """Return the readable name of a type."""
    plain = unwrap(type_)
    if pa.types.is_decimal(plain):
        return f"decimal ({plain.precision}, {plain.scale})"
    if pa.types.is_timestamp(plain):
        return f"timestamp in {plain.tz}" if plain.tz else "timestamp"
    for applies, name in KINDS:
        if applies(type_ if applies is is_uuid else plain):
            return name
    return f"list of {name_type(plain.value_type)}" if pa.types.is_nested(plain) else str(plain)


def preview(dataset: Dataset, rows: int = 20) -> Preview:
    """Return the first rows; reads as little of one row group as Parquet allows.

    Raises:
        ObjectChangedError, CorruptDatasetError, MemoryLimitError, SourceUnreadableError: as a download.
    """
    names = tuple(dataset.schema.names)[:PREVIEW_COLUMNS]
    return show_rows(make_plan(dataset, Query(limit=rows, select=names), Reading(read_ahead_bytes=PREVIEW_AHEAD_BYTES)))


def show_rows(plan: Plan) -> Preview:
    """Return all rows of a small result.

    Raises:
        ObjectChangedError, CorruptDatasetError, MemoryLimitError, SourceUnreadableError: as a download.
    """
    lines: list[tuple[str | None, ...]] = []
    with closing(read_rows(plan, plan.dataset.store.make_reader())) as batches:
        for batch in batches:
            lines += zip(*(show_cells(column) for column in batch.columns), strict=True)
    return Preview(tuple(plan.schema.names), tuple(lines))

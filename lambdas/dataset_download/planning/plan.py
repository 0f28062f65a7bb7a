"""The plan of a query: the row groups to read, the filters to run, and the estimated size of the result."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.datasets.dataset import Dataset
from dataset_download.datasets.partitions import NUMBER
from dataset_download.exceptions import SortTooLargeError
from dataset_download.formats.format import Format
from dataset_download.parquet.key_value_metadata import select_metadata
from dataset_download.query.parameters import TEXTUAL, Filter, Query
from dataset_download.runtime.memory_budget import DEFAULT_MEMORY, Memory

from .size_estimate import estimate_row_bytes, estimate_share
from .statistics_bounds import Bounds, Verdict, evaluate_filter, make_comparable, read_column_bounds

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Options for reading datasets."""

    batch_rows: int = 10_000
    max_sort_rows: int = 1_000_000
    max_sort_bytes: int = DEFAULT_MEMORY.sort
    """In-memory size of the rows held by a sort."""
    memory: Memory = DEFAULT_MEMORY
    read_ahead_bytes: int = 32 * MEGABYTE


@dataclass(frozen=True)
class Group:
    """A row group that has to be read."""

    file: int
    """Index of the file in the dataset."""
    number: int
    rows: int
    filters: tuple[Filter, ...]
    """Filters that statistics do not prove for all rows."""
    expected_rows: float
    """Estimated number of rows that pass the filters."""


@dataclass(frozen=True)
class Plan:
    """The row groups to read for a query."""

    dataset: Dataset
    query: Query
    reading: Reading
    groups: tuple[Group, ...]
    """In row order."""
    skipped_rows: int
    """Rows before the offset that are not read."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result, with the dataset's metadata."""
        if self.query.select is None:
            return self.dataset.schema
        schema, names = self.dataset.schema, self.query.select
        return pa.schema([schema.field(name) for name in names], metadata=select_metadata(schema.metadata, names))

    @property
    def row_count(self) -> int | None:
        """Rows of the result if metadata alone determine them (X-Row-Count), else None."""
        if any(group.filters for group in self.groups):
            return None
        return self._cut(sum(group.rows for group in self.groups))

    @cached_property
    def estimated_rows(self) -> int:
        """Estimated number of rows in the result."""
        return self._cut(round(sum(group.expected_rows for group in self.groups)))

    def estimate_bytes(self, format_: Format) -> int:
        """Return the estimated size of the result in bytes (uncompressed text), rather too high than too low."""
        return round(self.estimated_rows * estimate_row_bytes(self.dataset, self.schema.names, format_)) + 1024

    def _cut(self, rows: int) -> int:
        """Return the number of rows that remain after offset and limit."""
        left = max(0, rows + self.skipped_rows - self.query.offset)
        return left if self.query.limit is None else min(left, self.query.limit)


def make_plan(dataset: Dataset, query: Query, reading: Reading) -> Plan:
    """Return the plan of a query, made from metadata alone.

    Raises:
        SortTooLargeError: the sort covers more than max_sort_rows rows without a limit, or its limit is larger.
    """
    groups = _find_groups(dataset, query)
    skipped = 0
    if query.sort:
        _check_sort(groups, query, reading)
    else:
        groups, skipped = _skip_offset(groups, query.offset)
        groups = _stop_at_limit(groups, query.offset - skipped, query.limit)
    return Plan(dataset, query, reading, tuple(groups), skipped)


def _find_groups(dataset: Dataset, query: Query) -> list[Group]:
    groups = []
    for number, footer in enumerate(dataset.footers):
        for row_group in range(footer.num_row_groups):
            rows = footer.row_group(row_group).num_rows
            bounds = [_find_bounds(dataset, number, row_group, each) for each in query.filters]
            group = _evaluate_group(dataset, query, bounds, Group(number, row_group, rows, (), rows))
            if group is not None:
                groups.append(group)
    return groups


def _find_bounds(dataset: Dataset, file: int, row_group: int, filter_: Filter) -> Bounds:
    field, footer = dataset.schema.field(filter_.column), dataset.footers[file]
    if field.name not in dataset.partition_columns:
        return read_column_bounds(footer, footer.row_group(row_group), field)
    group = footer.row_group(row_group)
    value = dataset.partition_values[file][dataset.partition_columns.index(filter_.column)]
    if value is None:
        return Bounds(group.num_rows, group.num_rows)
    if field.name in dataset.partition_numbers and filter_.operator not in TEXTUAL:
        bound = make_comparable(pa.scalar(Decimal(str(value)), NUMBER))
    else:
        bound = make_comparable(pa.scalar(value, field.type))
    return Bounds(group.num_rows, 0, bound, bound)


def _evaluate_group(dataset: Dataset, query: Query, bounds: Sequence[Bounds], group: Group) -> Group | None:
    """Return the row group with the filters left to run; None if no row can pass."""
    undecided = []
    share = 1.0
    for filter_, bound in zip(query.filters, bounds, strict=True):
        verdict = evaluate_filter(filter_, bound, dataset.schema.field(filter_.column).type)
        if verdict is Verdict.NONE:
            return None
        if verdict is Verdict.SOME:
            undecided.append(filter_)
            share *= estimate_share(filter_, bound)
    if not group.rows:
        return None
    return Group(group.file, group.number, group.rows, tuple(undecided), group.rows * share)


def _check_sort(groups: Sequence[Group], query: Query, reading: Reading) -> None:
    certain = sum(group.rows for group in groups if not group.filters)
    held = certain if query.limit is None else min(certain, query.limit + query.offset)
    if query.limit is not None and query.limit + query.offset > reading.max_sort_rows:
        held = max(held, min(sum(group.rows for group in groups), query.limit + query.offset))
    if held > reading.max_sort_rows:
        raise make_sort_error(reading.max_sort_rows)


def make_sort_error(rows: int) -> SortTooLargeError:
    """Return the error of a sort that would hold more than `rows` rows."""
    return SortTooLargeError(
        f"At most {rows} rows can be sorted at a time: limit the result (limit and offset together up to {rows}), "
        "filter it, or leave out sort."
    )


def _skip_offset(groups: list[Group], offset: int) -> tuple[list[Group], int]:
    """Drop the row groups entirely before the offset, as long as their row counts are certain."""
    skipped = 0
    for position, group in enumerate(groups):
        if group.filters or skipped + group.rows > offset:
            return groups[position:], skipped
        skipped += group.rows
    return [], skipped


def _stop_at_limit(groups: list[Group], offset: int, limit: int | None) -> list[Group]:
    """Drop the row groups after those whose certain rows reach the limit."""
    if limit is None:
        return groups
    if limit == 0:
        return []
    certain = 0
    for position, group in enumerate(groups):
        certain += 0 if group.filters else group.rows
        if certain >= offset + limit:
            return groups[: position + 1]
    return groups

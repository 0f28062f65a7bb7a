"""What a page shows of a dataset: columns with statistics, and the first rows."""

from dataclasses import dataclass

from .datasets import Dataset


@dataclass(frozen=True)
class ColumnStatistics:
    """What the footers say of a column."""

    name: str
    type: str
    """As a reader would name it: text, whole number, decimal(10, 2), timestamp [UTC], list of text..."""
    nullable: bool
    nulls: int | None
    """None: not known, as the others."""
    minimum: str | None
    maximum: str | None
    filterable: bool
    """Whether `column=value` is possible (not: binary, nested)."""
    sortable: bool


@dataclass(frozen=True)
class Preview:
    """The first rows as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    """None: null."""


def describe_columns(dataset: Dataset) -> list[ColumnStatistics]:
    """Return one entry for each column, from metadata alone."""
    raise NotImplementedError


def preview(dataset: Dataset, rows: int = 20) -> Preview:
    """Read the first rows: of one row group only as much as Parquet allows.

    Raises:
        ObjectChangedError, CorruptDatasetError, SourceUnreadableError: as a download.
    """
    raise NotImplementedError

"""What a query has to read of a dataset, and how large the answer may be."""

from dataclasses import dataclass

from .datasets import Dataset
from .formats import Format
from .query import Query


@dataclass(frozen=True)
class Reading:
    """How datasets are read."""

    batch_rows: int = 10_000
    max_sort_rows: int = 1_000_000
    read_ahead_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """What is read and answered."""

    dataset: Dataset
    query: Query
    reading: Reading
    row_count: int | None
    """Rows of the answer, where Parquet's metadata alone tell (X-Row-Count)."""
    estimated_rows: int

    def estimate_bytes(self, format_: Format) -> int:
        """Return about how many bytes the answer has (uncompressed text), rather too many than too few."""
        raise NotImplementedError


def make_plan(dataset: Dataset, query: Query, reading: Reading) -> Plan:
    """Decide what to read, from metadata alone.

    Raises:
        SortTooLargeError: a sort without a limit of more rows than max_sort_rows, or with a limit above it.
    """
    raise NotImplementedError

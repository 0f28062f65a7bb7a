"""Estimates of a result's size, from Parquet metadata alone."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.formats.format import Format
from dataset_download.query.columns import is_binary, is_text, is_uuid, unwrap
from dataset_download.query.parameters import Filter

from .statistics_bounds import Bounds, make_comparable

if TYPE_CHECKING:
    from dataset_download.datasets.dataset import Dataset
    from dataset_download.parquet.metadata import Footer, RowGroup

type GroupReference = tuple["Footer", "RowGroup"]

MAX_CHUNKS = 10_000
"""Column chunks that an estimate inspects."""
SHARE_OF_ONE_TEXT = 0.25
"""Assumed share of a row group's rows that equal one value, if statistics do not exclude it."""
MIN_SHARE = 0.05
WIDTHS: tuple[tuple[Callable[[pa.DataType], bool], float], ...] = (
    (pa.types.is_boolean, 5),
    (pa.types.is_floating, 18),
    (pa.types.is_date, 10),
    (pa.types.is_time, 15),
    (pa.types.is_timestamp, 32),
    (pa.types.is_duration, 20),
    (pa.types.is_null, 4),
)
UUID_WIDTH = 36.0
DECIMAL_WIDTH = 20
KEY_BYTES = 6
"""Quotes, colon, comma around a name and a value in JSON."""
TYPICAL_INTEGER = 0.6
"""Typical length of an integer, relative to the longest of its type."""


def estimate_share(filter_: Filter, bounds: Bounds) -> float:
    """Return the estimated share of a row group's rows that pass a filter which statistics do not decide."""
    if filter_.operator == "isnull":
        share = (bounds.nulls or 0) / bounds.rows if bounds.nulls is not None else 1.0
        return share if filter_.values[0].as_py() else 1 - share
    if filter_.operator == "eq":
        return min(1.0, SHARE_OF_ONE_TEXT * len(filter_.values))
    if filter_.operator in {"gt", "gte", "lt", "lte"}:
        return _estimate_range(filter_, bounds)
    return 1.0


def _estimate_range(filter_: Filter, bounds: Bounds) -> float:
    """Return the share of the column's range that passes, assuming evenly spread values."""
    value, low, high = make_comparable(filter_.values[0]), bounds.low, bounds.high
    if not (isinstance(value, (int, float)) and isinstance(low, (int, float)) and isinstance(high, (int, float))):
        return 1.0
    if not low < high:
        return 1.0
    below = min(1.0, max(0.0, (value - low) / (high - low)))
    return max(MIN_SHARE, 1 - below if filter_.operator.startswith("g") else below)


def estimate_row_bytes(dataset: "Dataset", names: Sequence[str], format_: Format) -> float:
    """Return the estimated bytes per row of these columns."""
    total = 0.0
    groups = sample_groups(dataset, len(names))
    for name in names:
        stored = measure_stored(dataset, name, groups)
        if format_ is Format.PARQUET:
            total += stored.compressed
            continue
        width = _estimate_width(dataset.schema.field(name).type, stored.text)
        total += width + (1 if format_ is Format.CSV else len(name.encode()) + KEY_BYTES)
    return total + 2


class Stored:
    """Stored bytes per row of a column."""

    def __init__(self, compressed: float, text: float) -> None:
        self.compressed = compressed
        self.text = text
        """Uncompressed, but at least the length of the bounds: a dictionary hides the length of repeated values."""


def sample_groups(dataset: "Dataset", columns: int) -> list[GroupReference]:
    """Return all row groups or an even sample, so that at most MAX_CHUNKS column chunks are inspected."""
    references = [(footer, number) for footer in dataset.footers for number in range(footer.num_row_groups)]
    step = max(1, -(-len(references) * max(1, columns) // MAX_CHUNKS))
    return [(footer, footer.row_group(number)) for footer, number in references[::step]]


def measure_stored(dataset: "Dataset", name: str, groups: Sequence[GroupReference]) -> Stored:
    """Return the stored bytes per row of a column, averaged over these row groups."""
    rows = sum(group.num_rows for _, group in groups)
    if name in dataset.partition_columns or not rows:
        return Stored(1, 16)
    compressed = uncompressed = 0
    longest = 0.0
    for footer, group in groups:
        for leaf in footer.find_leaves(name):
            column = group.column(leaf)
            compressed += column.total_compressed_size
            uncompressed += column.total_uncompressed_size
            bound = column.statistics.max_raw if column.statistics else None
            longest = max(longest, len(bound) if isinstance(bound, bytes) else 0)
    return Stored(compressed / rows, max(uncompressed / rows, longest))


def _estimate_width(type_: pa.DataType, stored: float) -> float:
    """Return the estimated number of characters of a value; `stored` is the stored size of a text."""
    plain = unwrap(type_)
    if is_uuid(type_):
        return UUID_WIDTH
    if pa.types.is_integer(plain):
        return len(str(1 << plain.bit_width)) * TYPICAL_INTEGER
    if pa.types.is_decimal(plain):
        return float(min(plain.precision, DECIMAL_WIDTH))
    for applies, width in WIDTHS:
        if applies(plain):
            return width
    # Text is counted as stored, bytes as base64, nested values with names and punctuation.
    return stored + 1 if is_text(plain) else stored * (4 / 3 if is_binary(plain) else 3) + 8

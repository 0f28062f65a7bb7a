"""How large an answer may be, from Parquet's metadata alone."""

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
"""Column chunks that an estimate looks at."""
SHARE_OF_ONE_TEXT = 0.25
"""Of the rows of a row group that statistics do not exclude, those that equal one text: nobody knows."""
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
"""A whole number is seldom as long as its type allows."""


def estimate_share(filter_: Filter, bounds: Bounds) -> float:
    """Return the share of a row group's rows that may pass a filter on whose verdict statistics are silent."""
    if filter_.operator == "isnull":
        share = (bounds.nulls or 0) / bounds.rows if bounds.nulls is not None else 1.0
        return share if filter_.values[0].as_py() else 1 - share
    if filter_.operator == "eq":
        return min(1.0, SHARE_OF_ONE_TEXT * len(filter_.values))
    if filter_.operator in {"gt", "gte", "lt", "lte"}:
        return _estimate_range(filter_, bounds)
    return 1.0


def _estimate_range(filter_: Filter, bounds: Bounds) -> float:
    """Return how much of the column's range is on the right side, as if values were spread evenly."""
    value, low, high = make_comparable(filter_.values[0]), bounds.low, bounds.high
    if not (isinstance(value, (int, float)) and isinstance(low, (int, float)) and isinstance(high, (int, float))):
        return 1.0
    if not low < high:
        return 1.0
    below = min(1.0, max(0.0, (value - low) / (high - low)))
    return max(MIN_SHARE, 1 - below if filter_.operator.startswith("g") else below)


def estimate_row_bytes(dataset: "Dataset", names: Sequence[str], format_: Format) -> float:
    """Return about how many bytes a row of these columns takes."""
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
    """Bytes a row of a column takes in its files."""

    def __init__(self, compressed: float, text: float) -> None:
        self.compressed = compressed
        self.text = text
        """Of variable length: at least what the bounds suggest, since a dictionary hides the length of what repeats."""


def sample_groups(dataset: "Dataset", columns: int) -> list[GroupReference]:
    """Return row groups, all or some from everywhere, of which so many columns can be looked at in no time."""
    references = [(footer, number) for footer in dataset.footers for number in range(footer.num_row_groups)]
    step = max(1, -(-len(references) * max(1, columns) // MAX_CHUNKS))
    return [(footer, footer.row_group(number)) for footer, number in references[::step]]


def measure_stored(dataset: "Dataset", name: str, groups: Sequence[GroupReference]) -> Stored:
    """Return the bytes a row of a column takes, over these row groups."""
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
    """Return about how many characters a value takes; `stored` is what a text of it may take."""
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
    # Text as it is, bytes in base64, nested values with names and punctuation.
    return stored + 1 if is_text(plain) else stored * (4 / 3 if is_binary(plain) else 3) + 8

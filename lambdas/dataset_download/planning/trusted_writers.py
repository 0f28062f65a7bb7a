"""Trust in statistics: those of writers with known bugs are ignored.

Sources: apache/parquet-format, ColumnOrder and Statistics in parquet.thrift; parquet-java, CorruptStatistics;
PARQUET-251 (min and max of byte arrays); PARQUET-686, PARQUET-1025 (unsigned order); PARQUET-1655, arrow-rs #1532 and
#11073, polars #29347, parquet-go #592, ClickHouse #83754 (decimals in byte arrays); ARROW-12513, arrow #15042 (texts
written from dictionaries); polars #29321, arrow2 #1414, starrocks #78329 (counts of nulls).
"""

import math
import re
from collections.abc import Mapping

from dataset_download.parquet.footer_library import Element
from dataset_download.parquet.metadata import Plain, Statistics

NUMBERS = frozenset({"INT32", "INT64"})
FLOATS = frozenset({"FLOAT", "DOUBLE"})
DECIMAL, INTERVAL = 5, 21
"""Converted types."""
UNSIGNED = frozenset({11, 12, 13, 14})
LOGICAL_DECIMAL, LOGICAL_INTEGER = 5, 10
ORDERED_LOGICAL = frozenset({1, 4, 11, 12, 13, 14})
"""Logical types whose order is that of unsigned bytes: STRING, ENUM, UNKNOWN, JSON, BSON, UUID."""
REQUIRED = 0
WRITER = re.compile(r"(parquet-mr|parquet-cpp-arrow|parquet-rs|DuckDB) version v?([0-9]{1,9})\.([0-9]{1,9})")
type Versions = Mapping[str, tuple[int, int]]
"""The first correct version by writer; other writers are not trusted."""
RIGHT_DECIMALS: Versions = {"parquet-mr": (1, 10), "parquet-cpp-arrow": (4, 0)}
"""Writers that compare decimals in byte arrays as signed numbers."""
RIGHT_DICTIONARIES: Versions = {"parquet-cpp-arrow": (12, 0)}
RIGHT_COUNTS: Versions = {"parquet-mr": (1, 10), "parquet-cpp-arrow": (2, 0), "parquet-rs": (53, 1), "DuckDB": (1, 0)}


def find_bounds(statistics: Statistics, *, is_dictionary: bool) -> tuple[Plain, Plain] | None:
    """Return the lower and upper bound in the physical type, or None if they are not trusted.

    `is_dictionary`: the values may have been written from an Arrow dictionary.
    """
    low, high = statistics.min_raw, statistics.max_raw
    if low is None or high is None or not _has_order(statistics):
        return None
    if is_dictionary and _has_wrong_dictionary_statistics(statistics):
        return None
    if isinstance(low, float) and isinstance(high, float) and (math.isnan(low) or math.isnan(high)):
        return None
    return low, high


def count_nulls(statistics: Statistics, rows: int, *, is_dictionary: bool) -> int | None:
    """Return the null count of a column that is not repeated, or None if it is not trusted."""
    if statistics.element.repetition == REQUIRED:
        return 0
    nulls = statistics.null_count
    if nulls is None or nulls > rows or not _is_from(statistics.writer, RIGHT_COUNTS):
        return None
    return None if is_dictionary and _has_wrong_dictionary_statistics(statistics) else nulls


def _has_wrong_dictionary_statistics(statistics: Statistics) -> bool:
    """Return whether the writer is an Arrow version whose statistics of dictionary columns cover only some rows."""
    match = WRITER.match(statistics.writer)
    is_arrow = match is not None and match[1] in RIGHT_DICTIONARIES
    return is_arrow and statistics.physical_type == "BYTE_ARRAY" and not _is_from(statistics.writer, RIGHT_DICTIONARIES)


def _is_from(writer: str, versions: Versions) -> bool:
    """Return whether a writer is listed, in a correct version."""
    match = WRITER.match(writer)
    first = versions.get(match[1]) if match else None
    return match is not None and first is not None and (int(match[2]), int(match[3])) >= first


def _has_order(statistics: Statistics) -> bool:
    element, kind = statistics.element, statistics.physical_type
    if kind in NUMBERS:
        # A wrong order of fixed-size numbers is visible: the lower bound is then above the upper one.
        return statistics.is_ordered or not (element.converted in UNSIGNED or element.logical == LOGICAL_INTEGER)
    if kind in FLOATS or kind == "BOOLEAN":
        return True
    if kind == "INT96" or not statistics.is_ordered:
        return False
    return _is_from(statistics.writer, RIGHT_DECIMALS) if is_decimal(element) else _is_bytes(element)


def is_decimal(element: Element) -> bool:
    """Return whether a column holds decimals."""
    return element.converted == DECIMAL or element.logical == LOGICAL_DECIMAL


def _is_bytes(element: Element) -> bool:
    """Return whether the type is ordered as unsigned bytes; intervals, geometries and unknown types are not."""
    if element.logical:
        return element.logical in ORDERED_LOGICAL
    return element.converted != INTERVAL

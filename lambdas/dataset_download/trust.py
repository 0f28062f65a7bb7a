"""Which statistics are believed: those of writers that are known to be wrong never decide anything.

Sources: apache/parquet-format, ColumnOrder and Statistics in parquet.thrift; parquet-java, CorruptStatistics;
PARQUET-251 (min and max of byte arrays); PARQUET-686, PARQUET-1025 (unsigned order); PARQUET-1655, arrow-rs #1532 and
#11073, polars #29347, parquet-go #592, ClickHouse #83754 (decimals in byte arrays).
"""

import math
import re

from .metadata import Element, Plain, Statistics

NUMBERS = frozenset({"INT32", "INT64"})
FLOATS = frozenset({"FLOAT", "DOUBLE"})
DECIMAL, INTERVAL = 5, 21
"""Converted types."""
UNSIGNED = frozenset({11, 12, 13, 14})
LOGICAL_DECIMAL, LOGICAL_INTEGER = 5, 10
ORDERED_LOGICAL = frozenset({1, 4, 11, 12, 13, 14})
"""Logical types whose order is that of unsigned bytes: STRING, ENUM, UNKNOWN, JSON, BSON, UUID."""
WRITER = re.compile(r"(parquet-mr|parquet-cpp-arrow) version ([0-9]{1,9})\.([0-9]{1,9})")
FIRST_RIGHT_DECIMALS = {"parquet-mr": (1, 10), "parquet-cpp-arrow": (4, 0)}
"""Versions from which on writers compare decimals in byte arrays as signed numbers; of others nobody knows."""


def find_bounds(statistics: Statistics) -> tuple[Plain, Plain] | None:
    """Return the least and the greatest value, as the physical type, if they can be believed."""
    low, high = statistics.min_raw, statistics.max_raw
    if low is None or high is None or not _has_order(statistics):
        return None
    if isinstance(low, float) and isinstance(high, float) and (math.isnan(low) or math.isnan(high)):
        return None
    return low, high


def _has_order(statistics: Statistics) -> bool:
    element, kind = statistics.element, statistics.physical_type
    if kind in NUMBERS:
        # An order that is the wrong one for numbers of fixed size shows: then the least is above the greatest.
        return statistics.is_ordered or not (element.converted in UNSIGNED or element.logical == LOGICAL_INTEGER)
    if kind in FLOATS or kind == "BOOLEAN":
        return True
    if kind == "INT96" or not statistics.is_ordered:
        return False
    return _compares_decimals(statistics.writer) if is_decimal(element) else _is_bytes(element)


def is_decimal(element: Element) -> bool:
    """Whether a column holds decimals."""
    return element.converted == DECIMAL or element.logical == LOGICAL_DECIMAL


def _is_bytes(element: Element) -> bool:
    """Whether the type's order is that of unsigned bytes: not that of intervals, geometries and what is new."""
    if element.logical:
        return element.logical in ORDERED_LOGICAL
    return element.converted != INTERVAL


def _compares_decimals(writer: str) -> bool:
    match = WRITER.match(writer)
    return match is not None and (int(match[2]), int(match[3])) >= FIRST_RIGHT_DECIMALS[match[1]]

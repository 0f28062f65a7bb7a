"""Binding of page.c, which measures the decoded size of Parquet pages."""

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dataset_download.exceptions import CorruptDatasetError

LIBRARY = Path(__file__).with_name("page.so")
MALFORMED = -1


# These structures match page.c.
class PageHeader(ctypes.Structure):
    """A page header; absent fields are -1."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            "type",
            "uncompressed",
            "compressed",
            "values",
            "encoding",
            "rows",
            "definition",
            "repetition",
            "is_compressed",
        )
    )
    type: int
    uncompressed: int
    compressed: int
    values: int
    encoding: int
    rows: int
    definition: int
    repetition: int
    is_compressed: int


class _Rows(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in ("rows", "lead", "longest", "current"))


@dataclass(frozen=True)
class RowCount:
    """The rows that begin in a page of a repeated column."""

    rows: int
    lead: int
    """Values before the first row, which belong to a row of an earlier page."""
    longest: int
    """Values of the longest row within the page."""


def read_header(data: bytes) -> tuple[int, PageHeader]:
    """Return the length of the page header at the start of `data` (0 if it is incomplete), and the header.

    Raises:
        CorruptDatasetError: the data is not a page header.
    """
    header = PageHeader()
    length = _load().read_page_header(data, len(data), ctypes.byref(header))
    if length == MALFORMED:
        raise CorruptDatasetError("a page header is malformed")
    return length, header


def find_longest(data: bytes) -> int:
    """Return the length of the longest text in PLAIN encoding."""
    return _check(_load().find_longest(data, len(data)))


def find_longest_delta(data: bytes) -> int:
    """Return the length of the longest text in DELTA_LENGTH_BYTE_ARRAY encoding."""
    return _check(_load().find_longest_delta(data, len(data)))


def measure_delta_texts(data: bytes) -> tuple[int, int]:
    """Return the total length and the longest length of texts in DELTA_BYTE_ARRAY encoding."""
    longest = ctypes.c_int64()
    return _check(_load().measure_delta_texts(data, len(data), ctypes.byref(longest))), longest.value


def count_rows(levels: bytes, width: int, values: int) -> RowCount:
    """Return the rows encoded by repetition levels of `width` bits."""
    rows = _Rows()
    _check(_load().count_rows(levels, len(levels), width, values, ctypes.byref(rows)))
    return RowCount(rows.rows, rows.lead, rows.longest)


def _check(result: int) -> int:
    if result == MALFORMED:
        raise CorruptDatasetError("a page's values are malformed")
    return result


@cache
def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(LIBRARY))
    text, size, out = ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p
    library.read_page_header.argtypes = [text, size, out]
    library.find_longest.argtypes = library.find_longest_delta.argtypes = [text, size]
    library.measure_delta_texts.argtypes = [text, size, out]
    library.count_rows.argtypes = [text, size, size, size, out]
    for name in ("read_page_header", "find_longest", "find_longest_delta", "measure_delta_texts", "count_rows"):
        getattr(library, name).restype = ctypes.c_int64
    return library

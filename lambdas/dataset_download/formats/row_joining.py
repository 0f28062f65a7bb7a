"""Joining of columns to rows by a C library (join.c): quoted or escaped texts with constant texts between them."""

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import accumulate
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import allocate_buffer

from dataset_download.exceptions import MemoryLimitError

LIBRARY = Path(__file__).with_name("join.so")
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
MAX_OFFSET = 2**31 - 1
MAX_TEXT_BYTES = 96 * 1024 * 1024
"""Values of a nested column joined at a time; several copies exist meanwhile."""
WORD = bytes(8)
"""Padding after the literals, since the library copies whole words."""


class Mode(IntEnum):
    """The treatment of texts; the numbers match join.c."""

    AS_IS = 0
    CSV = 1
    """Quoted where RFC 4180 requires it, and if empty."""
    JSON = 2
    """Escaped for JSON; `before` and `after` hold the quotes."""
    TIME = 3
    """Timestamps of the years 1 to 9999; `after` holds the offset."""
    INTEGER = 4
    """64-bit integers."""


@dataclass(frozen=True)
class Cells:
    """The texts of a column, and the constants before and after each text that is not null."""

    texts: pa.StringArray | pa.TimestampArray | pa.Int64Array
    before: str = ""
    after: str = ""
    mode: Mode = Mode.AS_IS


# These structures match join.c.
class _Literal(ctypes.Structure):
    _fields_ = (("start", ctypes.c_uint32), ("length", ctypes.c_uint32))


class _Column(ctypes.Structure):
    _fields_ = (
        ("offsets", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("first_bit", ctypes.c_int64),
        ("literals", _Literal * 3),
        ("mode", ctypes.c_uint32),
        ("digits", ctypes.c_uint32),
        ("has_stops", ctypes.c_uint32),
    )


class _Table(ctypes.Structure):
    _fields_ = (
        ("columns", ctypes.POINTER(_Column)),
        ("width", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("literals", ctypes.c_char_p),
        ("literals_size", ctypes.c_int64),
        ("end", _Literal),
    )


def join_rows(columns: Sequence[Cells], literals: Sequence[str], null: str, largest: int = MAX_OFFSET) -> bytes:
    """Return all rows: literals[0], the first column, literals[1], ... literals[-1]. Nulls are written as `null`.

    Raises:
        MemoryLimitError: the rows may take more than `largest` bytes.
    """
    rows = len(columns[0].texts)
    if not rows:
        return b""
    table = _describe(columns, literals, null)
    room = allocate_buffer(_check_size(load_library().measure_rows(table), largest))
    return bytes(memoryview(room)[: load_library().join_rows(table, room.address, None)])


def _check_size(size: int, largest: int) -> int:
    if size > largest:
        raise MemoryLimitError(
            f"A row takes up to {size / 1024 / 1024:,.0f} MiB as text, more than this service's memory allows. "
            "Select fewer columns, by select=, or ask for Parquet."
        )
    return size


def join_texts(columns: Sequence[Cells], literals: Sequence[str], null: str) -> pa.StringArray:
    """Return the rows as one text each.

    Raises:
        MemoryLimitError: the rows may take too much memory.
    """
    rows = len(columns[0].texts)
    if not rows:
        return pa.array([], pa.string())
    table = _describe(columns, literals, null)
    size = _check_size(load_library().measure_rows(table), MAX_TEXT_BYTES)
    room, ends = allocate_buffer(size), allocate_buffer(4 * (rows + 1))
    load_library().join_rows(table, room.address, ends.address)
    return pa.StringArray.from_buffers(rows, ends, room)


def _describe(columns: Sequence[Cells], literals: Sequence[str], null: str) -> _Table:
    """Return the columns in join.c's structures; the arrays must outlive the call."""
    texts = [
        (literal + cells.before, cells.after, literal + null)
        for cells, literal in zip(columns, literals[:-1], strict=True)
    ]
    encoded = [text.encode() for text in (*(text for triple in texts for text in triple), literals[-1])]
    locations = iter(_locate(map(len, encoded)))
    described = (_Column * len(columns))()
    for column, cells in zip(described, columns, strict=True):
        validity, *buffers, data = cells.texts.buffers()
        column.data = data.address if data else 0
        if not buffers:
            column.data += 8 * cells.texts.offset
            column.digits = DIGITS[cells.texts.type.unit] if cells.mode is Mode.TIME else 0
        else:
            column.offsets = buffers[0].address + 4 * cells.texts.offset
        column.validity = validity.address if validity and cells.texts.null_count else None
        column.first_bit = cells.texts.offset
        column.literals = (_Literal * 3)(next(locations), next(locations), next(locations))
        column.mode = cells.mode
    joined = b"".join(encoded) + WORD
    return _Table(described, len(columns), len(columns[0].texts), joined, len(joined), next(locations))


def _locate(lengths: Iterable[int]) -> list[_Literal]:
    """Return the offsets of consecutive texts of these lengths."""
    known = list(lengths)
    return [_Literal(start, length) for start, length in zip(accumulate(known, initial=0), known, strict=False)]


@cache
def load_library() -> ctypes.CDLL:
    """Return the compiled join.c, whose functions run without the GIL.

    Raises:
        OSError: the library is missing, or built for another processor.
    """
    library = ctypes.CDLL(str(LIBRARY))
    library.measure_rows.argtypes = [ctypes.POINTER(_Table)]
    library.measure_rows.restype = ctypes.c_int64
    library.join_rows.argtypes = [ctypes.POINTER(_Table), ctypes.c_void_p, ctypes.c_void_p]
    library.join_rows.restype = ctypes.c_int64
    return library

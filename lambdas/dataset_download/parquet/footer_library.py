"""Binding of footer.c, which reads and checks footers: tables of numbers, and offsets of texts in the footer."""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

from dataset_download.exceptions import CorruptDatasetError

LIBRARY = Path(__file__).with_name("footer.so")
REFUSALS = {
    -1: "its footer is malformed",
    -2: "its footer is nested too deep",
    -3: "its schema is not a tree of columns",
    -4: "its footer contradicts itself on rows or columns",
}
CHUNK_REFUSALS = {
    -6: "is encrypted",
    -7: "is in another file",
    -8: "is not described as the schema has it",
    -9: "lies outside of the file",
}
NO_ROOM = -5


# These structures match footer.c.
class ByteRange(ctypes.Structure):
    """A byte range in the footer; `start` is negative if the field is absent."""

    start: int
    length: int
    _fields_ = (("start", ctypes.c_int64), ("length", ctypes.c_int64))


def _describe(numbers: str, ranges: str, more: str = "") -> list[tuple[str, type]]:
    fields: list[tuple[str, type]] = [(name, ctypes.c_int64) for name in numbers.split()]
    fields += [(name, ByteRange) for name in ranges.split()]
    return fields + [(name, ctypes.c_int64) for name in more.split()]


class Element(ctypes.Structure):
    """A node of the schema; absent fields are ABSENT, such as the `type` of a group."""

    type: int
    type_length: int
    repetition: int
    children: int
    converted: int
    scale: int
    precision: int
    field_id: int
    logical: int
    unit: int
    is_utc: int
    name: ByteRange
    logical_bytes: ByteRange
    bytes: ByteRange
    _fields_ = _describe(
        "type type_length repetition children converted scale precision field_id logical unit is_utc",
        "name logical_bytes bytes",
    )


class Group(ctypes.Structure):
    """A row group."""

    rows: int
    bytes: int
    columns: int
    _fields_ = _describe("rows bytes columns", "")


class Chunk(ctypes.Structure):
    """A column chunk."""

    type: int
    codec: int
    values: int
    uncompressed: int
    compressed: int
    data_offset: int
    dictionary_offset: int
    nulls: int
    min_is_inexact: int
    max_is_inexact: int
    min_value: ByteRange
    max_value: ByteRange
    old_min: ByteRange
    old_max: ByteRange
    _fields_ = _describe(
        "is_described is_encrypted is_elsewhere type codec values uncompressed compressed data_offset "
        "dictionary_offset nulls",
        "min_value max_value old_min old_max",
        "min_is_inexact max_is_inexact",
    )


class Table(ctypes.Structure):
    """The content of a footer, and the reason if it is rejected."""

    rows: int
    leaves: int
    element_count: int
    group_count: int
    chunk_count: int
    order_count: int
    element_room: int
    group_room: int
    chunk_room: int
    order_room: int
    end: int
    faulty_chunk: int
    created_by: ByteRange
    schema: ByteRange
    elements: Any
    groups: Any
    chunks: Any
    orders: Any
    _fields_ = (
        *_describe(
            "rows is_encrypted leaves", "created_by schema", "element_count group_count chunk_count order_count"
        ),
        ("elements", ctypes.POINTER(Element)),
        ("groups", ctypes.POINTER(Group)),
        ("chunks", ctypes.POINTER(Chunk)),
        ("orders", ctypes.POINTER(ctypes.c_int64)),
        *_describe("element_room group_room chunk_room order_room end faulty_chunk", ""),
    )


def read_table(data: bytes, end: int) -> Table:
    """Return the footer's tables; column chunks must end before `end`."""
    table = Table()
    table.end = end
    library = load_library()
    refusal = library.read_footer(data, len(data), table)
    if refusal == NO_ROOM:
        table.element_room, table.elements = table.element_count, (Element * table.element_count)()
        table.group_room, table.groups = table.group_count, (Group * table.group_count)()
        table.chunk_room, table.chunks = table.chunk_count, (Chunk * table.chunk_count)()
        table.order_room, table.orders = table.order_count, (ctypes.c_int64 * table.order_count)()
        refusal = library.read_footer(data, len(data), table)
    if refusal in CHUNK_REFUSALS:
        group, column = divmod(table.faulty_chunk, table.leaves)
        raise CorruptDatasetError(f"column {column} of row group {group} {CHUNK_REFUSALS[refusal]}")
    if refusal:
        raise CorruptDatasetError(REFUSALS[refusal])
    return table


@cache
def load_library() -> ctypes.CDLL:
    """Return the compiled footer.c.

    Raises:
        OSError: the library is missing, or built for another processor.
    """
    library = ctypes.CDLL(str(LIBRARY))
    library.read_footer.argtypes = [ctypes.c_char_p, ctypes.c_int64, ctypes.POINTER(Table)]
    library.read_footer.restype = ctypes.c_int64
    return library

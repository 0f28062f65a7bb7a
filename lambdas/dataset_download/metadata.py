"""Parquet's footers as they are in the file: read and checked by a library in C (footer.c), before Arrow sees them.

Arrow ends the process, or reads beyond a buffer, where Python asks it for the column chunks and statistics of a footer
that is not as it should be. So nothing here comes from Arrow's view of them.
"""

import ctypes
import struct
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from .columns import count_leaves
from .exceptions import CorruptDatasetError

LIBRARY = Path(__file__).with_name("footer.so")
REFUSALS = {
    -1: "its footer is malformed",
    -2: "its footer is nested too deep",
    -3: "its schema is no tree of columns",
    -4: "its footer contradicts itself on rows or columns",
}
CHUNK_REFUSALS = {
    -6: "is encrypted",
    -7: "is in another file",
    -8: "is not described as the schema has it",
    -9: "lies outside of the file",
}
NO_ROOM = -5
ABSENT = -1
TYPES = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")
PLAIN = {"BOOLEAN": "<?", "INT32": "<i", "INT64": "<q", "FLOAT": "<f", "DOUBLE": "<d"}
TYPE_ORDER = 1
ARROW_SCHEMA = b"ARROW:schema"
MARKER_BYTES = 8

type Plain = bool | int | float | bytes


# As footer.c has them.
class _Place(ctypes.Structure):
    start: int
    length: int
    _fields_ = (("start", ctypes.c_int64), ("length", ctypes.c_int64))


def _describe(numbers: str, places: str, more: str = "") -> list[tuple[str, type]]:
    fields: list[tuple[str, type]] = [(name, ctypes.c_int64) for name in numbers.split()]
    fields += [(name, _Place) for name in places.split()]
    return fields + [(name, ctypes.c_int64) for name in more.split()]


class Element(ctypes.Structure):
    """A node of the schema; `type` is ABSENT for groups, and so is what else is not there."""

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
    name: _Place
    logical_bytes: _Place
    bytes: _Place
    _fields_ = _describe(
        "type type_length repetition children converted scale precision field_id logical unit is_utc",
        "name logical_bytes bytes",
    )


class _Group(ctypes.Structure):
    rows: int
    bytes: int
    columns: int
    _fields_ = _describe("rows bytes columns", "")


class _Chunk(ctypes.Structure):
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
    min_value: _Place
    max_value: _Place
    old_min: _Place
    old_max: _Place
    _fields_ = _describe(
        "is_described is_encrypted is_elsewhere type codec values uncompressed compressed data_offset "
        "dictionary_offset nulls",
        "min_value max_value old_min old_max",
        "min_is_inexact max_is_inexact",
    )


class _Footer(ctypes.Structure):
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
    created_by: _Place
    schema: _Place
    elements: Any
    groups: Any
    chunks: Any
    orders: Any
    _fields_ = (
        *_describe(
            "rows is_encrypted leaves", "created_by schema", "element_count group_count chunk_count order_count"
        ),
        ("elements", ctypes.POINTER(Element)),
        ("groups", ctypes.POINTER(_Group)),
        ("chunks", ctypes.POINTER(_Chunk)),
        ("orders", ctypes.POINTER(ctypes.c_int64)),
        *_describe("element_room group_room chunk_room order_room end faulty_chunk", ""),
    )


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a column chunk says of its values, believed by nobody yet."""

    physical_type: str
    element: Element
    """The column's node in the schema."""
    null_count: int | None
    min_raw: Plain | None
    """As the physical type; None: not there, or not of the type's length."""
    max_raw: Plain | None
    is_ordered: bool
    """Whether the file says that the bounds are in the order that the type defines; `min` and `max` never were, but for
    signed numbers."""
    is_exact: bool
    """Whether both bounds are values of the column, as far as the file tells."""
    writer: str
    """What the writer calls itself."""

    @property
    def has_null_count(self) -> bool:
        """Whether the number of nulls is there."""
        return self.null_count is not None

    @property
    def has_min_max(self) -> bool:
        """Whether both bounds are there."""
        return self.min_raw is not None and self.max_raw is not None


class ColumnChunk:
    """One column of one row group."""

    __slots__ = ("_chunk", "_footer", "_leaf")

    def __init__(self, footer: "Footer", chunk: _Chunk, leaf: int) -> None:
        self._footer = footer
        self._chunk = chunk
        self._leaf = leaf

    @property
    def num_values(self) -> int:
        """Values, nulls and those of empty lists included."""
        return self._chunk.values

    @property
    def total_compressed_size(self) -> int:
        """Bytes in the file."""
        return self._chunk.compressed

    @property
    def total_uncompressed_size(self) -> int:
        """Bytes before compression."""
        return self._chunk.uncompressed

    @property
    def data_page_offset(self) -> int:
        """Where the first data page is."""
        return self._chunk.data_offset

    @property
    def dictionary_page_offset(self) -> int | None:
        """Where the dictionary is; zero is no place, though some writers say so."""
        return self._chunk.dictionary_offset if self._chunk.dictionary_offset > 0 else None

    @property
    def has_dictionary_page(self) -> bool:
        """Whether there is a dictionary."""
        return self.dictionary_page_offset is not None

    @property
    def start(self) -> int:
        """Where the chunk begins."""
        dictionary = self.dictionary_page_offset
        return self.data_page_offset if dictionary is None else min(self.data_page_offset, dictionary)

    @property
    def compression(self) -> str:
        """The codec's name; that of one that is not known is its number."""
        codec = self._chunk.codec
        return CODECS[codec] if 0 <= codec < len(CODECS) else str(codec)

    @property
    def statistics(self) -> Statistics | None:
        """What the chunk says of its values; None if nothing."""
        chunk = self._chunk
        is_new = chunk.min_value.start != ABSENT or chunk.max_value.start != ABSENT
        low, high = (chunk.min_value, chunk.max_value) if is_new else (chunk.old_min, chunk.old_max)
        nulls = chunk.nulls if chunk.nulls >= 0 else None
        if nulls is None and low.start == ABSENT and high.start == ABSENT:
            return None
        return Statistics(
            TYPES[chunk.type],
            self._footer.leaves[self._leaf],
            nulls,
            self._footer.read_plain(chunk, low),
            self._footer.read_plain(chunk, high),
            is_ordered=is_new and self._footer.is_ordered(self._leaf),
            is_exact=not (chunk.min_is_inexact or chunk.max_is_inexact),
            writer=self._footer.created_by,
        )


class RowGroup:
    """One row group."""

    __slots__ = ("_first", "_footer", "_group")

    def __init__(self, footer: "Footer", group: _Group, first: int) -> None:
        self._footer = footer
        self._group = group
        self._first = first

    @property
    def num_rows(self) -> int:
        """Its rows."""
        return self._group.rows

    @property
    def num_columns(self) -> int:
        """Its column chunks."""
        return self._group.columns

    @property
    def total_byte_size(self) -> int:
        """Bytes before compression, as the writer says."""
        return self._group.bytes

    def column(self, leaf: int) -> ColumnChunk:
        """Return the chunk of the schema's leaf of this number."""
        if not 0 <= leaf < self._group.columns:
            raise IndexError(leaf)
        return ColumnChunk(self._footer, self._footer.table.chunks[self._first + leaf], leaf)


class Layout:
    """The parts of a footer, and where they are in it."""

    def __init__(self, data: bytes, table: _Footer) -> None:
        self.data = data
        self.table = table

    @cached_property
    def elements(self) -> list[Element]:
        """The schema's nodes, each before those below it; the first is the root."""
        return list(self.table.elements[: self.table.element_count])

    @cached_property
    def leaves(self) -> list[Element]:
        """The schema's nodes that are columns of Parquet."""
        return [each for each in self.elements[1:] if not each.children and each.type != ABSENT]

    @property
    def schema(self) -> tuple[int, int]:
        """Where the list of the schema's nodes begins and ends."""
        return self.table.schema.start, self.table.schema.start + self.table.schema.length

    def read(self, place: _Place) -> bytes:
        """Return what is at a place; empty where it is absent."""
        return self.data[place.start : place.start + place.length] if place.start >= 0 else b""


class Footer(Layout):
    """A footer that has been checked. Of what pyarrow's FileMetaData has it has the parts that are used here."""

    def __init__(self, data: bytes, table: _Footer, opened: pq.ParquetFile) -> None:
        super().__init__(data, table)
        self.arrow: pq.FileMetaData = opened.metadata
        """Arrow's own view: for decoding alone."""
        self.schema_arrow: pa.Schema = opened.schema_arrow.with_metadata(_list_metadata(opened) or None)
        """The columns as Arrow reads them, UUIDs and JSON as such; with all that the file says of itself."""
        self.has_arrow_schema = ARROW_SCHEMA in (self.arrow.metadata or {})
        """Whether the columns' types are those that Arrow wrote, dictionaries among them."""
        self.serialized_size = len(data)
        self.memory_size = len(data) + sum(
            count * ctypes.sizeof(kind)
            for count, kind in (
                (table.element_room, Element),
                (table.group_room, _Group),
                (table.chunk_room, _Chunk),
                (table.order_room, ctypes.c_int64),
            )
        )
        """Bytes that it takes here, Arrow's view of it not counted."""
        self.num_rows: int = table.rows
        self.num_row_groups: int = table.group_count
        self.num_columns: int = table.leaves

    @cached_property
    def _leaves_of_columns(self) -> dict[str, range]:
        ends = [0, *accumulate(count_leaves(field.type) for field in self.schema_arrow)]
        return {name: range(*ends[place : place + 2]) for place, name in enumerate(self.schema_arrow.names)}

    def find_leaves(self, name: str) -> range:
        """Return the numbers of the leaves that hold a column; none if the file does not have it."""
        return self._leaves_of_columns.get(name, range(0))

    def row_group(self, number: int) -> RowGroup:
        """Return a row group."""
        if not 0 <= number < self.num_row_groups:
            raise IndexError(number)
        return RowGroup(self, self.table.groups[number], number * self.num_columns)

    def is_ordered(self, leaf: int) -> bool:
        """Whether the file says that a leaf's bounds are in the order that its type defines."""
        return leaf < self.table.order_count and bool(self.table.orders[leaf] == TYPE_ORDER)

    @cached_property
    def created_by(self) -> str:
        """The writer, in its own words."""
        return self.read(self.table.created_by).decode("utf-8", "replace")

    def read_plain(self, chunk: _Chunk, place: _Place) -> Plain | None:
        """Return a bound of a chunk as its physical type."""
        if place.start == ABSENT:
            return None
        raw, kind = self.read(place), TYPES[chunk.type]
        if kind not in PLAIN:
            return raw
        if len(raw) != struct.calcsize(PLAIN[kind]):
            return None
        value: Plain = struct.unpack(PLAIN[kind], raw)[0]
        return value


def read_layout(data: bytes) -> Layout:
    """Return the parts of a footer that comes from no file yet."""
    return Layout(data, _read_table(data, 1 << 62))


def parse_footer(data: bytes, file_size: int) -> Footer:
    """Return a footer, without its length and marker, of a file of so many bytes.

    Raises:
        CorruptDatasetError: it is not a footer, or the file is not as it says, or not all of the data can be read.
    """
    table = _read_table(data, file_size - len(data) - MARKER_BYTES)
    try:
        # A file of nothing but its footer is enough for metadata.
        whole = b"PAR1" + data + len(data).to_bytes(4, "little") + b"PAR1"
        return Footer(data, table, pq.ParquetFile(pa.BufferReader(whole), arrow_extensions_enabled=True))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CorruptDatasetError(str(error)) from error


def _list_metadata(opened: pq.ParquetFile) -> dict[bytes, bytes]:
    """Return the file's own metadata. Where Arrow wrote its schema into it, it takes only what is in there."""
    stored = {key: value for key, value in (opened.metadata.metadata or {}).items() if key != ARROW_SCHEMA}
    return {**(opened.schema_arrow.metadata or {}), **stored}


def _read_table(data: bytes, end: int) -> _Footer:
    """Return the footer's tables; column chunks have to lie before `end`."""
    table = _Footer()
    table.end = end
    library = load_library()
    refusal = library.read_footer(data, len(data), table)
    if refusal == NO_ROOM:
        table.element_room, table.elements = table.element_count, (Element * table.element_count)()
        table.group_room, table.groups = table.group_count, (_Group * table.group_count)()
        table.chunk_room, table.chunks = table.chunk_count, (_Chunk * table.chunk_count)()
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
        OSError: it is not there, or not for this processor.
    """
    library = ctypes.CDLL(str(LIBRARY))
    library.read_footer.argtypes = [ctypes.c_char_p, ctypes.c_int64, ctypes.POINTER(_Footer)]
    library.read_footer.restype = ctypes.c_int64
    return library

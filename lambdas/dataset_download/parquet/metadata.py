"""Parquet metadata: footers, read and checked by a C library (footer.c) before Arrow parses them.

Arrow crashes, or reads beyond a buffer, when Python accesses the column chunks or statistics of a malformed footer.
Therefore nothing here comes from Arrow's metadata of column chunks.
"""

import ctypes
import struct
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError
from dataset_download.query.columns import count_leaves

from .footer_library import ByteRange, Chunk, Element, Group, Table, read_table

ABSENT = -1
TYPES = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")
PLAIN = {"BOOLEAN": "<?", "INT32": "<i", "INT64": "<q", "FLOAT": "<f", "DOUBLE": "<d"}
TYPE_ORDER = 1
ARROW_SCHEMA = b"ARROW:schema"
MARKER_BYTES = 8

type Plain = bool | int | float | bytes


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of a column chunk, not yet trusted."""

    physical_type: str
    element: Element
    """The schema node of the column."""
    null_count: int | None
    min_raw: Plain | None
    """In the physical type; None: absent, or not of the type's length."""
    max_raw: Plain | None
    is_ordered: bool
    """Whether the file says that the bounds are in the order that the type defines; `min` and `max` never were, but for
    signed numbers."""
    is_exact: bool
    """Whether both bounds are values of the column, according to the file."""
    writer: str
    """The writer's name and version."""


class ColumnChunk:
    """One column of one row group."""

    __slots__ = ("_chunk", "_footer", "_leaf")

    def __init__(self, footer: "Footer", chunk: Chunk, leaf: int) -> None:
        self._footer = footer
        self._chunk = chunk
        self._leaf = leaf

    @property
    def num_values(self) -> int:
        """Number of values, including nulls and empty lists."""
        return self._chunk.values

    @property
    def total_compressed_size(self) -> int:
        """Compressed size in bytes."""
        return self._chunk.compressed

    @property
    def total_uncompressed_size(self) -> int:
        """Uncompressed size in bytes."""
        return self._chunk.uncompressed

    @property
    def data_page_offset(self) -> int:
        """Offset of the first data page."""
        return self._chunk.data_offset

    @property
    def dictionary_page_offset(self) -> int | None:
        """Offset of the dictionary page; some writers use 0 for none."""
        return self._chunk.dictionary_offset if self._chunk.dictionary_offset > 0 else None

    @property
    def start(self) -> int:
        """Offset of the chunk."""
        dictionary = self.dictionary_page_offset
        return self.data_page_offset if dictionary is None else min(self.data_page_offset, dictionary)

    @property
    def compression(self) -> str:
        """The codec's name, or its number if it is unknown."""
        codec = self._chunk.codec
        return CODECS[codec] if 0 <= codec < len(CODECS) else str(codec)

    @property
    def statistics(self) -> Statistics | None:
        """The statistics of the chunk, or None."""
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

    def __init__(self, footer: "Footer", group: Group, first: int) -> None:
        self._footer = footer
        self._group = group
        self._first = first

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return self._group.rows

    @property
    def num_columns(self) -> int:
        """Number of column chunks."""
        return self._group.columns

    @property
    def total_byte_size(self) -> int:
        """Uncompressed size in bytes, according to the writer."""
        return self._group.bytes

    def column(self, leaf: int) -> ColumnChunk:
        """Return the chunk of a leaf column by its index."""
        if not 0 <= leaf < self._group.columns:
            raise IndexError(leaf)
        return ColumnChunk(self._footer, self._footer.table.chunks[self._first + leaf], leaf)


class Layout:
    """The parts of a footer and their offsets."""

    def __init__(self, data: bytes, table: Table) -> None:
        self.data = data
        self.table = table

    @cached_property
    def elements(self) -> list[Element]:
        """The schema's nodes in depth-first order; the first is the root."""
        return list(self.table.elements[: self.table.element_count])

    @cached_property
    def leaves(self) -> list[Element]:
        """The leaf nodes of the schema."""
        return [each for each in self.elements[1:] if not each.children and each.type != ABSENT]

    @property
    def schema(self) -> tuple[int, int]:
        """Start and end of the schema's node list."""
        return self.table.schema.start, self.table.schema.start + self.table.schema.length

    def read(self, byte_range: ByteRange) -> bytes:
        """Return the bytes of a range; empty if it is absent."""
        return self.data[byte_range.start : byte_range.start + byte_range.length] if byte_range.start >= 0 else b""


class Footer(Layout):
    """A checked footer, with the subset of pyarrow's FileMetaData that this package uses."""

    def __init__(self, data: bytes, table: Table, opened: pq.ParquetFile) -> None:
        super().__init__(data, table)
        self.arrow: pq.FileMetaData = opened.metadata
        """Arrow's metadata, used for decoding only."""
        self.schema_arrow: pa.Schema = opened.schema_arrow.with_metadata(_list_metadata(opened) or None)
        """The Arrow schema, with extension types for UUID and JSON and the file's key-value metadata."""
        self.has_arrow_schema = ARROW_SCHEMA in (self.arrow.metadata or {})
        """Whether the types come from a stored Arrow schema, which may have dictionaries."""
        self.serialized_size = len(data)
        self.memory_size = len(data) + sum(
            count * ctypes.sizeof(kind)
            for count, kind in (
                (table.element_room, Element),
                (table.group_room, Group),
                (table.chunk_room, Chunk),
                (table.order_room, ctypes.c_int64),
            )
        )
        """Memory size in bytes, without Arrow's metadata."""
        self.num_rows: int = table.rows
        self.num_row_groups: int = table.group_count
        self.num_columns: int = table.leaves

    @cached_property
    def _leaves_of_columns(self) -> dict[str, range]:
        ends = [0, *accumulate(count_leaves(field.type) for field in self.schema_arrow)]
        return {name: range(*ends[index : index + 2]) for index, name in enumerate(self.schema_arrow.names)}

    def find_leaves(self, name: str) -> range:
        """Return the indices of the leaves that store a column; empty if the file lacks it."""
        return self._leaves_of_columns.get(name, range(0))

    def row_group(self, number: int) -> RowGroup:
        """Return a row group."""
        if not 0 <= number < self.num_row_groups:
            raise IndexError(number)
        return RowGroup(self, self.table.groups[number], number * self.num_columns)

    def is_ordered(self, leaf: int) -> bool:
        """Return whether the file declares the type-defined order for a leaf's bounds."""
        return leaf < self.table.order_count and bool(self.table.orders[leaf] == TYPE_ORDER)

    @cached_property
    def created_by(self) -> str:
        """The writer's name and version."""
        return self.read(self.table.created_by).decode("utf-8", "replace")

    def read_plain(self, chunk: Chunk, byte_range: ByteRange) -> Plain | None:
        """Return a bound of a chunk in its physical type."""
        if byte_range.start == ABSENT:
            return None
        raw, kind = self.read(byte_range), TYPES[chunk.type]
        if kind not in PLAIN:
            return raw
        if len(raw) != struct.calcsize(PLAIN[kind]):
            return None
        value: Plain = struct.unpack(PLAIN[kind], raw)[0]
        return value


def read_layout(data: bytes) -> Layout:
    """Return the parts of a footer that is not in a file yet."""
    return Layout(data, read_table(data, 1 << 62))


def parse_footer(data: bytes, file_size: int) -> Footer:
    """Return the parsed footer (without length and marker) of a file with `size` bytes.

    Raises:
        CorruptDatasetError: the data is not a footer, contradicts the file, or is not supported.
    """
    table = read_table(data, file_size - len(data) - MARKER_BYTES)
    try:
        # A file that consists of its footer alone is enough for metadata.
        whole = b"PAR1" + data + len(data).to_bytes(4, "little") + b"PAR1"
        return Footer(data, table, pq.ParquetFile(pa.BufferReader(whole), arrow_extensions_enabled=True))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CorruptDatasetError(str(error)) from error


def _list_metadata(opened: pq.ParquetFile) -> dict[bytes, bytes]:
    """Return the file's key-value metadata; with a stored Arrow schema, only the metadata of that schema."""
    stored = {key: value for key, value in (opened.metadata.metadata or {}).items() if key != ARROW_SCHEMA}
    return {**(opened.schema_arrow.metadata or {}), **stored}

"""Upper bounds of decoded sizes, computed from the pages before Arrow decodes them.

Footers do not contain these sizes: a dictionary, runs of one value or shared prefixes hold many rows in a few bytes,
and statistics may be absent, truncated or wrong. Therefore every page header is read first and, if necessary, the
lengths of texts and the levels of repeated columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError

from .page_library import PageHeader, count_rows, find_longest, find_longest_delta, measure_delta_texts, read_header

if TYPE_CHECKING:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    from .metadata import ColumnChunk

DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = 0, 2, 3
PLAIN, PLAIN_DICTIONARY, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, RLE_DICTIONARY = 0, 2, 6, 7, 8
FIRST_HEADER_BYTES = 128
MAX_HEADER_BYTES = 16 * 1024 * 1024
"""Arrow's own limit."""
NUMBER_BYTES = 16
OFFSET_BYTES = 8
OBJECT_BYTES = 150
"""Size of a value that becomes a Python object before its text: bytes, UUIDs."""
DICTIONARY_COPIES, ENTRY_BYTES = 2, 22
"""Arrow's copies of a dictionary: its page, its values, and their offsets."""
NESTED_WEIGHT, BYTES_WEIGHT = 2, 3
SMALL_BYTES = 256 * 1024
"""Smaller sizes are not computed exactly."""
MAX_SCAN_BYTES = 128 * 1024 * 1024
CODECS = {"UNCOMPRESSED": "", "SNAPPY": "snappy", "GZIP": "gzip", "BROTLI": "brotli", "ZSTD": "zstd"}
"""Codecs that Arrow offers by name. Pages with other codecs are not inspected, so their bounds are wider."""
TEXTS = frozenset({"STRING", "JSON", "ENUM"})

type Peek = Callable[[int, int], bytes]
"""Returns the bytes of a file between two offsets."""


@dataclass(frozen=True)
class Leaf:
    """The memory characteristics of a leaf column."""

    has_lengths: bool
    """Whether values have variable length."""
    fixed: int
    """Bytes per value, without text."""
    repetition_bits: int
    """Bit width of a repetition level; 0: one value per row."""
    has_definition: bool
    weight: int
    """Copies of a text during encoding, relative to plain text."""


def describe_leaf(column: pq.ColumnSchema) -> Leaf:
    """Return the memory characteristics of a leaf column."""
    physical, path, levels = column.physical_type, column.path, column.max_definition_level
    has_lengths = physical == "BYTE_ARRAY"
    kind = str(column.logical_type.type)
    is_bytes = (has_lengths and kind not in TEXTS) or (physical == "FIXED_LEN_BYTE_ARRAY" and kind != "DECIMAL")
    fixed = OFFSET_BYTES if has_lengths else max(NUMBER_BYTES, column.length)
    is_nested = "." in path or column.max_repetition_level > 0
    if is_bytes:
        fixed += OBJECT_BYTES
    if is_nested:
        # Levels, names and brackets of the JSON around each value, and the text itself.
        fixed += OFFSET_BYTES + len(path) + NUMBER_BYTES
    weight = BYTES_WEIGHT if is_bytes else NESTED_WEIGHT if is_nested else 1
    return Leaf(has_lengths, fixed, column.max_repetition_level.bit_length(), levels > 0, weight)


@dataclass(frozen=True)
class Page:
    """A data page; sizes are in bytes."""

    first: int
    """The row of its first value, or an upper bound of it."""
    end: int
    """The row after its last row."""
    values: int
    size: int
    """Uncompressed size."""
    stored: int
    texts: int
    """Decoded size of all its texts."""
    longest: int
    """Size of the longest text."""
    most: int
    """Number of values in its longest row."""
    unknown: tuple[PageHeader, int] | None = None
    """The location of the texts if the longest one has not been searched for."""


class Bound(NamedTuple):
    """The size of rows of a column, in bytes."""

    expected: int
    most: int
    pages: int
    """The largest of their pages and the dictionary, uncompressed."""
    stored: int
    """The largest of these pages, as stored."""


class LeafPages:
    """Iterates over the pages of one column of a row group."""

    def __init__(self, leaf: Leaf, chunk: ColumnChunk, location: tuple[int, int], peek: Peek) -> None:
        self._leaf = leaf
        self._codec = CODECS.get(chunk.compression)
        self._position, self._end = location
        self._peek = peek
        self._dictionary: tuple[PageHeader, int] | None = None
        self._longest: int | None = None
        self._seen: deque[Page] = deque()
        self._rows = 0

    def bound(self, first: int, rows: int) -> Bound:
        """Return the size of `rows` rows from `first` on, and of their pages."""
        while self._seen and self._seen[0].end <= first and len(self._seen) > 1:
            self._seen.popleft()
        while self._rows < first + rows and self._position < self._end:
            self._read_page()
        expected = most = pages = 0
        stored = self._dictionary[0].compressed if self._dictionary and not first else 0
        for page in self._seen:
            if page.end > first and page.first < first + rows:
                shared = min(page.end, first + rows) - max(page.first, first)
                one, other = self._bound_page(page, max(shared, 1))
                expected, most = expected + one, most + other
                pages, stored = max(pages, page.size), max(stored, page.stored)
        return Bound(expected, most, pages + self._measure_dictionary(), stored)

    def find_end(self, first: int) -> int:
        """Return the row up to which the bound of rows from `first` on is valid: the end of their page."""
        return next((page.end for page in self._seen if page.first <= first < page.end), first)

    def _measure_dictionary(self) -> int:
        if not self._dictionary:
            return 0
        header = self._dictionary[0]
        return DICTIONARY_COPIES * header.uncompressed + ENTRY_BYTES * max(0, header.values)

    def refine(self) -> None:
        """Search for the longest text of pages that were assumed to be one text."""
        for number, page in enumerate(self._seen):
            if page.unknown and page.size > SMALL_BYTES // 8:
                body = self._read_values(*page.unknown)
                find = find_longest if page.unknown[0].encoding == PLAIN else find_longest_delta
                self._seen[number] = replace(page, longest=page.longest if body is None else find(body), unknown=None)

    def _bound_page(self, page: Page, rows: int) -> tuple[int, int]:
        values = min(page.values, rows * page.most)
        fixed = values * self._leaf.fixed
        share = page.texts * values // max(1, page.values)
        worst = min(page.texts, values * page.longest)
        return fixed + share * self._leaf.weight, fixed + worst * self._leaf.weight

    def _read_page(self) -> None:
        length, header = self._read_header()
        start, self._position = self._position + length, self._position + length + header.compressed
        if self._position > self._end:
            raise CorruptDatasetError("a page is longer than its column")
        if header.type == DICTIONARY_PAGE:
            self._dictionary, self._longest = (header, start), None
        elif header.type in {DATA_PAGE, DATA_PAGE_V2}:
            self._add(header, start)

    def _read_header(self) -> tuple[int, PageHeader]:
        size = FIRST_HEADER_BYTES
        while True:
            data = self._peek(self._position, min(self._end, self._position + size))
            length, header = read_header(data)
            if length:
                return length, header
            if len(data) < size or size > MAX_HEADER_BYTES:
                raise CorruptDatasetError("a page header is malformed")
            size *= 8

    def _add(self, header: PageHeader, start: int) -> None:
        page = Page(
            self._rows,
            self._rows + header.values,
            max(0, header.values),
            header.uncompressed,
            header.compressed,
            0,
            0,
            1,
        )
        if self._leaf.has_lengths:
            page = self._measure_texts(page, header, start)
        if self._leaf.repetition_bits:
            page = self._measure_rows(page, header, start)
        self._rows = page.end
        self._seen.append(page)

    def _measure_texts(self, page: Page, header: PageHeader, start: int) -> Page:
        if header.encoding in {PLAIN_DICTIONARY, RLE_DICTIONARY} and self._dictionary:
            size = self._dictionary[0].uncompressed
            longest = size if size * page.values <= SMALL_BYTES else self._find_longest()
            return replace(page, texts=longest * page.values, longest=longest)
        texts = longest = header.uncompressed
        if header.encoding == DELTA_BYTE_ARRAY:
            # A prefix may be as long as all stored bytes.
            texts = longest * page.values
            body = self._read_values(header, start) if texts > SMALL_BYTES else None
            if body is not None:
                texts, longest = measure_delta_texts(body)
        unknown = (header, start) if header.encoding in {PLAIN, DELTA_LENGTH_BYTE_ARRAY} else None
        return replace(page, texts=texts, longest=longest, unknown=unknown)

    def _find_longest(self) -> int:
        """Return the length of the longest text of the dictionary, or its size if it cannot be inspected."""
        if self._longest is None and self._dictionary:
            header, start = self._dictionary
            body = self._undo(self._peek(start, start + header.compressed), header.uncompressed)
            self._longest = header.uncompressed if body is None else find_longest(body)
        return self._longest or 0

    def _measure_rows(self, page: Page, header: PageHeader, start: int) -> Page:
        """Return the distribution of a repeated column's values over rows."""
        levels = self._read_repetition(header, start)
        if levels is None:  # the first row may have all of them
            return replace(page, end=page.first + 1, most=page.values)
        found = count_rows(levels, self._leaf.repetition_bits, page.values)
        first = page.first - 1 if found.lead and page.first else page.first
        return replace(page, first=first, end=page.first + found.rows, most=max(found.longest, found.lead))

    def _read_repetition(self, header: PageHeader, start: int) -> bytes | None:
        if header.type == DATA_PAGE_V2:
            return self._peek(start, start + max(0, header.repetition))
        body = self._undo(self._peek(start, start + header.compressed), header.uncompressed)
        return None if body is None else body[4 : 4 + int.from_bytes(body[:4], "little")]

    def _read_values(self, header: PageHeader, start: int) -> bytes | None:
        """Return a page without its levels."""
        if header.type == DATA_PAGE_V2:
            levels = max(0, header.definition) + max(0, header.repetition)
            stored = self._peek(start + levels, start + header.compressed)
            return self._undo(stored, header.uncompressed - levels) if header.is_compressed else stored
        body = self._undo(self._peek(start, start + header.compressed), header.uncompressed)
        for has_levels in (self._leaf.repetition_bits > 0, self._leaf.has_definition):
            if has_levels and body is not None:
                body = body[4 + int.from_bytes(body[:4], "little") :]
        return body

    def _undo(self, stored: bytes, size: int) -> bytes | None:
        """Return a page uncompressed; None if the codec is not supported here, or the page is too large."""
        if not self._codec:
            return stored if self._codec == "" else None
        if size > MAX_SCAN_BYTES or size < 0:
            return None
        try:
            return bytes(pa.decompress(stored, size, self._codec, asbytes=True)) if size else b""
        except (pa.ArrowException, OSError) as error:
            raise CorruptDatasetError(f"a page cannot be decompressed: {error}") from error

"""How many bytes decoding takes at most, known from the pages themselves before Arrow decodes them.

Footers do not tell: a dictionary, runs of one value or shared prefixes hold many rows in a few bytes, and statistics
may be absent, cut off or wrong. So every page's header is read first, and where it is not enough the lengths of texts
and the levels of repeated columns.
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
"""Arrow takes no larger one."""
NUMBER_BYTES = 16
OFFSET_BYTES = 8
OBJECT_BYTES = 150
"""Of a value that becomes an object of Python's on its way to text: bytes, UUIDs."""
DICTIONARY_COPIES, ENTRY_BYTES = 2, 22
"""What Arrow holds of a dictionary: its page, its values once more, and places of each."""
NESTED_WEIGHT, BYTES_WEIGHT = 2, 3
SMALL_BYTES = 256 * 1024
"""What is no larger need not be known exactly."""
MAX_SCAN_BYTES = 128 * 1024 * 1024
CODECS = {"UNCOMPRESSED": "", "SNAPPY": "snappy", "GZIP": "gzip", "BROTLI": "brotli", "ZSTD": "zstd"}
"""Those that Arrow undoes by name. Pages of others are not looked into: their bounds are wider."""
TEXTS = frozenset({"STRING", "JSON", "ENUM"})

type Peek = Callable[[int, int], bytes]
"""Returns the bytes of a file between two places."""


@dataclass(frozen=True)
class Leaf:
    """A column of Parquet as far as memory goes."""

    has_lengths: bool
    """Whether each value has a length of its own."""
    fixed: int
    """Bytes of a value, without its text."""
    repetition_bits: int
    """Of a repetition level; 0: each row has one value."""
    has_definition: bool
    weight: int
    """How often a text is held while it is encoded, against a plain text's."""


def describe_leaf(column: pq.ColumnSchema) -> Leaf:
    """Return what a leaf column's values take in memory."""
    physical, path, levels = column.physical_type, column.path, column.max_definition_level
    has_lengths = physical == "BYTE_ARRAY"
    kind = str(column.logical_type.type)
    is_bytes = (has_lengths and kind not in TEXTS) or (physical == "FIXED_LEN_BYTE_ARRAY" and kind != "DECIMAL")
    fixed = OFFSET_BYTES if has_lengths else max(NUMBER_BYTES, column.length)
    is_nested = "." in path or column.max_repetition_level > 0
    if is_bytes:
        fixed += OBJECT_BYTES
    if is_nested:
        # Levels, then names and brackets of the JSON text around each value, and the text itself.
        fixed += OFFSET_BYTES + len(path) + NUMBER_BYTES
    weight = BYTES_WEIGHT if is_bytes else NESTED_WEIGHT if is_nested else 1
    return Leaf(has_lengths, fixed, column.max_repetition_level.bit_length(), levels > 0, weight)


@dataclass(frozen=True)
class Page:
    """A data page; sizes are bytes."""

    first: int
    """The row that its first value belongs to, or at the latest follows."""
    end: int
    """The row after its last."""
    values: int
    size: int
    """Uncompressed."""
    stored: int
    texts: int
    """All its texts, decoded."""
    longest: int
    """The longest text."""
    most: int
    """Values of its longest row."""
    unknown: tuple[PageHeader, int] | None = None
    """Of texts whose longest nobody has looked for: where they are."""


class Bound(NamedTuple):
    """What rows of a column take, in bytes."""

    expected: int
    most: int
    pages: int
    """The largest of the pages they lie in, and the dictionary, uncompressed."""
    stored: int
    """The largest of these pages, as it is stored."""


class LeafPages:
    """Walks over the pages of one column of one row group."""

    def __init__(self, leaf: Leaf, chunk: ColumnChunk, place: tuple[int, int], peek: Peek) -> None:
        self._leaf = leaf
        self._codec = CODECS.get(chunk.compression)
        self._position, self._end = place
        self._peek = peek
        self._dictionary: tuple[PageHeader, int] | None = None
        self._longest: int | None = None
        self._seen: deque[Page] = deque()
        self._rows = 0

    def bound(self, first: int, rows: int) -> Bound:
        """Return the bytes of so many rows from `first` on, and of the pages they lie in."""
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
        """Return the row up to which what was found for rows from `first` on holds: the end of their page."""
        return next((page.end for page in self._seen if page.first <= first < page.end), first)

    def _measure_dictionary(self) -> int:
        if not self._dictionary:
            return 0
        header = self._dictionary[0]
        return DICTIONARY_COPIES * header.uncompressed + ENTRY_BYTES * max(0, header.values)

    def refine(self) -> None:
        """Look for the longest texts of pages that are taken to be one."""
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
            # A prefix may be as long as all that is stored.
            texts = longest * page.values
            body = self._read_values(header, start) if texts > SMALL_BYTES else None
            if body is not None:
                texts, longest = measure_delta_texts(body)
        unknown = (header, start) if header.encoding in {PLAIN, DELTA_LENGTH_BYTE_ARRAY} else None
        return replace(page, texts=texts, longest=longest, unknown=unknown)

    def _find_longest(self) -> int:
        """Return the longest text of the dictionary, or its size where it cannot be looked into."""
        if self._longest is None and self._dictionary:
            header, start = self._dictionary
            body = self._undo(self._peek(start, start + header.compressed), header.uncompressed)
            self._longest = header.uncompressed if body is None else find_longest(body)
        return self._longest or 0

    def _measure_rows(self, page: Page, header: PageHeader, start: int) -> Page:
        """Find out how the values of a repeated column are spread over rows."""
        levels = self._read_repetition(header, start)
        if levels is None:  # one row may have them all, and it may be the first
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
        """Return a page uncompressed; None where that is not possible here, or would take too much."""
        if not self._codec:
            return stored if self._codec == "" else None
        if size > MAX_SCAN_BYTES or size < 0:
            return None
        try:
            return bytes(pa.decompress(stored, size, self._codec, asbytes=True)) if size else b""
        except (pa.ArrowException, OSError) as error:
            raise CorruptDatasetError(f"a page cannot be uncompressed: {error}") from error

"""Mutated footers and pages for footer.c and page.c: what they read stays inside the buffer, whatever it says."""

import ctypes
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError
from dataset_download.parquet.footer_library import Table, read_table
from dataset_download.parquet.page_library import (
    count_rows,
    find_longest,
    find_longest_delta,
    measure_delta_texts,
    read_header,
)
from tests.unit.dataset_download.parquet.footer_fuzz import make_files, mutate

MARKER_BYTES = 8
MAGIC_BYTES = 4
AT_ONCE = 1000
ENCODINGS = ("PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY")
LARGEST_LEVEL_BITS = 8


def cut_footer(file: bytes) -> tuple[bytes, int]:
    """Return a file's footer, and where it begins."""
    length = int.from_bytes(file[-MARKER_BYTES:-MAGIC_BYTES], "little")
    start = len(file) - MARKER_BYTES - length
    return file[start:-MARKER_BYTES], start


def check_table(table: Table, data: bytes) -> None:
    """What is said to be in the footer lies in it, and chunks lie in the file before it."""
    places = [table.created_by, table.schema]
    for number in range(table.element_count):
        element = table.elements[number]
        places += [element.name, element.logical_bytes, element.bytes]
    for number in range(table.chunk_count):
        chunk = table.chunks[number]
        places += [chunk.min_value, chunk.max_value, chunk.old_min, chunk.old_max]
        assert 0 <= chunk.data_offset <= table.end
    for place in places:
        assert place.start < 0 or 0 <= place.start <= place.start + place.length <= len(data)


def fuzz_footer(seed: int) -> Iterator[int]:
    """Read mutated footers; those of which nothing was changed say what Arrow says."""
    dice = Random(seed)
    files = make_files()
    for file in files:
        footer, end = cut_footer(file)
        table, arrow = read_table(footer, end), pq.read_metadata(io.BytesIO(file))
        found = (table.rows, table.leaves, table.group_count)
        assert found == (arrow.num_rows, arrow.num_columns, arrow.num_row_groups)
    accepted = 0
    while True:
        for _ in range(AT_ONCE):
            footer, end = cut_footer(mutate(dice.choice(files), dice))
            with suppress(CorruptDatasetError):
                check_table(read_table(footer, end), footer)
                accepted += 1
        yield AT_ONCE
        assert accepted


def make_pages() -> list[bytes]:
    """Return files of one column of texts, from the first page on: headers, levels and values of every encoding."""
    texts = pa.table({"t": ["", "a", "é" * 30, None, "prefix-1", "prefix-22", "x" * 300] * 40})
    nested = pa.table({"t": [["a", "bb"], [], None, ["c"] * 9] * 40})
    found = []
    for table in (texts, nested):
        for encoding in ENCODINGS:
            for version in ("1.0", "2.0"):
                sink = io.BytesIO()
                options = {"use_dictionary": False, "column_encoding": encoding, "data_page_version": version}
                pq.write_table(table, sink, compression="none", **options)
                found.append(sink.getvalue()[MAGIC_BYTES:])
    return found


MEASURES: tuple[Callable[[bytes], object], ...] = (find_longest, find_longest_delta, measure_delta_texts)


def fuzz_page(seed: int) -> Iterator[int]:
    """Read mutated page headers, values and levels, each from wherever it may begin."""
    dice = Random(seed)
    pages = make_pages()
    headers = 0
    while True:
        for _ in range(AT_ONCE):
            page = bytearray(dice.choice(pages))
            for _ in range(dice.choice((0, 1, 1, 2, 8))):
                page[dice.randrange(min(len(page), 600))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
            data = bytes(page[: dice.choice((len(page), dice.randrange(len(page))))])
            with suppress(CorruptDatasetError):
                length, header = read_header(data)
                assert length <= len(data)
                headers += length > 0
                check_values(data[length:], header.values, dice)
        yield AT_ONCE
        assert headers


def check_values(data: bytes, values: int, dice: Random) -> None:
    """Measure values and levels that begin at any byte."""
    body = data[dice.randrange(min(len(data), 40) + 1) :]
    for measure in MEASURES:
        with suppress(CorruptDatasetError):
            measure(body)
    wanted = min(abs(values), 1 << 20)
    rows = count_rows(body, dice.randrange(LARGEST_LEVEL_BITS + 1), wanted)
    assert 0 <= rows.rows <= wanted
    assert ctypes.c_int64(rows.longest).value <= wanted

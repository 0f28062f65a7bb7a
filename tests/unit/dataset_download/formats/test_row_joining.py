# ruff: noqa: DTZ001 - columns without a time zone hold times without one
"""The C library that joins columns to rows: compared with plain Python, and checked for stray memory accesses."""

import csv
import ctypes
import io
import json
import mmap
from collections.abc import Sequence
from datetime import date, datetime
from random import Random
from unittest.mock import patch

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_download.exceptions import CorruptDatasetError, MemoryLimitError
from dataset_download.formats import row_joining
from dataset_download.formats.csv_rows import make_csv_rows
from dataset_download.formats.json_rows import make_json_lines
from dataset_download.formats.row_joining import Cells, Mode, join_rows, join_texts
from tests.support.own_process import count_in_own_process
from tests.support.tiers import scale

SEED = 20261121
ALPHABET = [*"aZ09 ,\"\n\r\t\b\f\\\x00\x01\x1f\x7f/'", "é", "€", "\u2028", "😀"]
TEXTS = st.none() | st.text(st.sampled_from(ALPHABET), max_size=20) | st.text(max_size=40)
PIECES = st.sampled_from(["", ",", '"', "+00:00", '{"a name that is long":', "é€"])
PAGE = 16 * mmap.PAGESIZE

type Rows = list[tuple[str | None, ...]]


@st.composite
def make_batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Text columns, of which the first rows are cut off, so that offsets and validity begin in the middle."""
    width = draw(st.integers(1, 4))
    rows: Rows = draw(st.lists(st.tuples(*[TEXTS] * width), max_size=40))
    columns = [pa.array([row[number] for row in rows], pa.string()) for number in range(width)]
    batch = pa.RecordBatch.from_arrays(columns, [f"c{number}" for number in range(width)])
    start = draw(st.integers(0, len(rows)))
    return batch.slice(start, draw(st.none() | st.integers(0, len(rows))))


def list_rows(batch: pa.RecordBatch) -> Rows:
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def quote(text: str | None, width: int) -> str:
    """A field as the csv module writes it; it quotes an empty text only where there is no other field."""
    if text is None:
        return '""' if width == 1 else ""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="").writerow([text])
    return line.getvalue()


@settings(max_examples=scale(500, 20))
@given(make_batches())
def test_csv_is_what_the_csv_module_writes(batch: pa.RecordBatch) -> None:
    wanted = "".join(",".join(quote(text, len(row)) for text in row) + "\n" for row in list_rows(batch))
    assert make_csv_rows(batch.schema, formula_guard=False)(batch).decode() == wanted


@settings(max_examples=scale(500, 20))
@given(make_batches())
def test_json_is_what_the_json_module_writes(batch: pa.RecordBatch) -> None:
    lines = [
        json.dumps(dict(zip(batch.schema.names, row, strict=True)), ensure_ascii=False, separators=(",", ":"))
        for row in list_rows(batch)
    ]
    assert make_json_lines(batch.schema)(batch).decode() == "".join(line + "\n" for line in lines)


@settings(max_examples=scale(300, 20))
@given(make_batches(), st.data())
def test_what_stands_between_texts_is_kept(batch: pa.RecordBatch, data: st.DataObject) -> None:
    around = data.draw(st.lists(st.tuples(PIECES, PIECES), min_size=batch.num_columns, max_size=batch.num_columns))
    literals = data.draw(st.lists(PIECES, min_size=batch.num_columns + 1, max_size=batch.num_columns + 1))
    null = data.draw(PIECES)
    cells = [Cells(column, *each) for column, each in zip(batch.columns, around, strict=True)]
    wanted = [
        "".join(
            literal + (null if text is None else before + text + after)
            for literal, text, (before, after) in zip(literals, row, around, strict=False)
        )
        + literals[-1]
        for row in list_rows(batch)
    ]
    joined = join_texts(cells, literals, null)
    joined.validate(full=True)
    assert joined.to_pylist() == wanted
    assert join_rows(cells, literals, null).decode() == "".join(wanted)


@pytest.mark.parametrize("character", range(0x80))
def test_every_character_is_found_at_every_place(character: int) -> None:
    texts = ["x" * before + chr(character) + "x" * after for before in range(18) for after in range(10)]
    column = pa.array(texts)
    fields = join_texts([Cells(column, mode=Mode.CSV)], ["", ""], "").to_pylist()
    assert fields == [quote(text, 1) for text in texts]
    values = join_texts([Cells(column, '"', '"', Mode.JSON)], ["", ""], "").to_pylist()
    assert values == [json.dumps(text, ensure_ascii=False) for text in texts]


@settings(max_examples=scale(300, 20))
@given(
    st.lists(st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)), max_size=30),
    st.sampled_from(["s", "ms", "us"]),
    st.sampled_from([None, "UTC"]),
    st.integers(0, 30),
)
def test_times_are_what_python_writes(moments: list[datetime | None], unit: str, zone: str | None, start: int) -> None:
    column = pa.array(moments, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)
    batch = pa.RecordBatch.from_arrays([column.cast(pa.timestamp(unit, zone)), column], ["a", "b"]).slice(start)
    precision = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}[unit]
    texts = [moment and moment.isoformat(timespec=precision) for moment in column.slice(start).to_pylist()]
    offset = "+00:00" if zone else ""
    wanted = [f"{text}{offset},{text}" if text else "," for text in texts]
    assert make_csv_rows(batch.schema, formula_guard=False)(batch).decode().splitlines() == wanted


def test_every_day_is_written_as_arrow_writes_it() -> None:
    epoch = date(1970, 1, 1)
    first, last = (date(1, 1, 1) - epoch).days, (date(9999, 12, 31) - epoch).days
    days = pa.array(np.arange(first, last + 1, dtype=np.int32)).cast(pa.date32())
    found = join_texts([Cells(days.cast(pa.timestamp("s")), mode=Mode.TIME)], ["", ""], "")
    assert found.equals(pc.binary_join_element_wise(days.cast(pa.string()), "T00:00:00", ""))


@pytest.mark.parametrize("type_", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_integers_are_what_python_writes(type_: str) -> None:
    kind = np.iinfo(type_)
    near = {sign * 10**power + more for power in range(20) for sign in (-1, 1) for more in (-1, 0, 1)}
    values = [None, *sorted(value for value in {*near, kind.min, kind.max} if kind.min <= value <= kind.max), None, 7]
    column = pa.array([5, *values], pa.type_for_alias(type_)).slice(1)
    batch = pa.RecordBatch.from_arrays([column, column], ["a", "b"])
    texts = ["" if value is None else str(value) for value in values]
    found = make_csv_rows(batch.schema, formula_guard=False)(batch).decode().splitlines()
    assert found == [f"{text},{text}" for text in texts]
    objects = make_json_lines(batch.schema)(batch).decode().splitlines()
    assert [json.loads(line)["a"] for line in objects] == values


def test_nanoseconds_before_and_after_1970_are_written() -> None:
    column = pa.array([-1, 0, 1, -(2**63), 2**63 - 1], pa.timestamp("ns"))
    assert join_texts([Cells(column, mode=Mode.TIME)], ["", ""], "").to_pylist() == [
        "1969-12-31T23:59:59.999999999",
        "1970-01-01T00:00:00.000000000",
        "1970-01-01T00:00:00.000000001",
        "1677-09-21T00:12:43.145224192",
        "2262-04-11T23:47:16.854775807",
    ]


def test_bytes_of_nulls_do_not_come_into_a_row() -> None:
    offsets, data = pa.array([0, 1, 4, 5], pa.int32()).buffers()[1], pa.py_buffer(b'a"\xff,b')
    column = pa.StringArray.from_buffers(3, offsets, data, pa.py_buffer(b"\x05"), 1)
    batch = pa.RecordBatch.from_arrays([column, column], ["a", "b"])
    assert make_csv_rows(batch.schema, formula_guard=False)(batch) == b"a,a\n,\nb,b\n"


def test_characters_cut_in_two_are_not_utf_8() -> None:
    column = pa.StringArray.from_buffers(2, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer("é".encode()))
    batch = pa.RecordBatch.from_arrays([column], ["a"])
    with pytest.raises(CorruptDatasetError, match="UTF-8"):
        make_csv_rows(batch.schema, formula_guard=False)(batch)


def test_texts_that_do_not_fit_into_a_column_are_refused() -> None:
    column = pa.array(["x" * 1_000_000])
    with pytest.raises(MemoryLimitError, match="memory allows"):
        join_texts([Cells(column)] * 120, [""] * 121, "")
    with pytest.raises(MemoryLimitError, match="memory allows"):
        join_rows([Cells(column)] * 3, [""] * 4, "", 2_000_000)


def test_nothing_is_touched_beyond_a_buffer() -> None:
    """In a process of its own, where the pages behind all buffers cannot be touched: a byte too much kills it."""
    assert count_in_own_process(__name__, "join_at_the_edge") > 5_000


class Edge:
    """Memory with pages behind it that cannot be touched."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2 * PAGE)
        self.end = ctypes.addressof(ctypes.c_char.from_buffer(self._memory)) + PAGE
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(self.end), PAGE, 0) == 0

    def reserve(self, size: int) -> pa.Buffer:
        """Return the last bytes."""
        assert size <= PAGE
        return pa.foreign_buffer(self.end - size, size, self)

    def copy(self, data: bytes) -> pa.Buffer:
        """Put a buffer there."""
        ctypes.memmove(self.end - len(data), data, len(data))
        return self.reserve(len(data))


def join_at_the_edge() -> None:
    """Join many rows whose buffers, and that of the result, end where nothing may be touched; prints how many."""
    dice, count = Random(SEED), 0
    edges = [Edge() for _ in range(6)]
    for mode in (Mode.AS_IS, Mode.CSV, Mode.JSON):
        for length in [*range(60), *range(60, 400, 37)]:
            for alphabet in (ALPHABET, ["a"], ['"'], ["\x01"], [","]):
                values = ["".join(dice.choices(alphabet, k=dice.randint(0, length))) for _ in range(dice.randint(1, 9))]
                values[-1] = "".join(dice.choices(alphabet, k=length))
                texts: list[str | None] = [text if dice.random() < 0.8 else None for text in values]
                check_at_the_edge(edges, texts, mode)
                count += len(texts)
    check_numbers_at_the_edge(edges)
    print(count)


def check_numbers_at_the_edge(edges: Sequence[Edge]) -> None:
    """Write times and integers whose buffers, and that of the result, end where nothing may be touched."""
    times = [pa.array([None, 1, 10**9], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")]
    for here in [*times, pa.array([None, 1, -(2**63)], pa.int64())]:
        mode = Mode.TIME if pa.types.is_timestamp(here.type) else Mode.INTEGER
        buffers = [
            edge.copy(each.to_pybytes()[:size])
            for edge, each, size in zip(edges, here.buffers(), (1, 24), strict=False)
        ]
        there = pa.Array.from_buffers(here.type, 3, buffers)
        wanted = join_rows([Cells(here, mode=mode)], ["", ""], "")
        with patch.object(row_joining, "allocate_buffer", lambda size: Edge().reserve(size)):
            assert join_rows([Cells(there, mode=mode)], ["", ""], "") == wanted


def check_at_the_edge(edges: Sequence[Edge], texts: list[str | None], mode: Mode) -> None:
    """Join two columns at the edge, and compare with the same somewhere else."""
    here = [pa.array(texts, pa.string()), pa.array(texts[::-1], pa.string())]
    cells, literals = [Cells(column, "<", ">", mode) for column in here], ["(", "|", ")\n"]
    wanted = join_rows(cells, literals, "null"), join_texts(cells, literals, "null").to_pylist()
    there = []
    for column, (first, second, third) in zip(here, (edges[:3], edges[3:]), strict=True):
        validity, offsets, data = column.buffers()
        size = (len(column) + 7) // 8
        buffers = [
            first.copy(validity.to_pybytes()[:size]) if validity else None,
            second.copy(offsets.to_pybytes()[: 4 * (len(column) + 1)]),
            third.copy(data.to_pybytes()[: sum(len(text.encode()) for text in column.to_pylist() if text)]),
        ]
        there.append(pa.Array.from_buffers(pa.string(), len(column), buffers))
    cells = [Cells(column, "<", ">", mode) for column in there]
    with patch.object(row_joining, "allocate_buffer", lambda size: Edge().reserve(size)):
        found = join_rows(cells, literals, "null"), join_texts(cells, literals, "null").to_pylist()
    assert found == wanted

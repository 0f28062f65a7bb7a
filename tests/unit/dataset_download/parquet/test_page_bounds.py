"""Bounds of decoded page sizes, which hold for every footer."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from dataset_download.exceptions import CorruptDatasetError, MemoryLimitError
from dataset_download.parquet.page_library import count_rows, find_longest, measure_delta_texts, read_header
from dataset_download.planning.plan import Reading
from dataset_download.reading.rows import Rows
from dataset_download.runtime.memory_budget import MIB, Memory
from tests.support.tiers import few_quick
from tests.unit.dataset_download.memory_s3 import MemoryS3, put, read_back

SMALL = Memory(left=20 * MIB, batch=MIB)
LONG = 100_000


def read_batches(store: MemoryS3, memory: Memory = SMALL) -> Iterator[pa.RecordBatch]:
    plan = store.plan([], reading=Reading(memory=memory))
    yield from Rows(plan, plan.dataset.store.make_reader(), plan.schema.names).iterate()


def repeat(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text])).dictionary_decode()


def make_lists(sizes: list[int], value: int = 0) -> pa.Array:
    return pa.array([[value] * size for size in sizes])


PLAIN: dict[str, Any] = {"use_dictionary": False}
TABLES: dict[str, tuple[Callable[[], pa.Array], dict[str, Any]]] = {
    "one long text": (lambda: repeat("x" * LONG, 500), {}),
    "short ones first": (lambda: pa.concat_arrays([repeat("x", 4000), repeat("y" * LONG, 100)]), {}),
    "no statistics": (lambda: repeat("x" * LONG, 500), {"write_statistics": False}),
    "plain": (lambda: pa.array([f"{number}" + "x" * 5_000 for number in range(500)]), PLAIN),
    "shared prefixes": (
        lambda: pa.array(["p" * LONG + str(number) for number in range(200)]),
        {**PLAIN, "column_encoding": {"c": "DELTA_BYTE_ARRAY"}},
    ),
    "lengths apart": (
        lambda: pa.array(["p" * 5_000 + str(number) for number in range(200)]),
        {**PLAIN, "column_encoding": {"c": "DELTA_LENGTH_BYTE_ARRAY"}},
    ),
    "a dictionary of Arrow's": (lambda: repeat("x" * LONG, 500).dictionary_encode(), {}),
    "lists": (lambda: make_lists([10, 30_000, 0, 3] * 50), {}),
    "lists of nulls": (lambda: pa.array([[None] * 20_000] * 100, pa.list_(pa.int32())), {}),
    "structures": (lambda: pa.array([{"a": "x" * 50_000, "b": [1, 2]}] * 200), {}),
    "numbers": (lambda: pa.array(range(300_000)), {}),
}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", few_quick(["snappy", "zstd", "none", "gzip"]))
@pytest.mark.parametrize("name", TABLES)
def test_batches_are_small_however_little_is_stored(name: str, codec: str, version: str) -> None:
    make, options = TABLES[name]
    table = pa.table({"c": make()})
    store = put(table, compression=codec, data_page_version=version, **options)
    batches = list(read_batches(store))
    assert sum(batch.num_rows for batch in batches) == table.num_rows
    assert pa.Table.from_batches(batches).column("c").cast(table.schema.field("c").type).equals(table.column("c"))
    for batch in batches:
        decoded = pa.concat_arrays([batch.column(0).slice(0)])
        expanded = decoded.dictionary_decode() if pa.types.is_dictionary(decoded.type) else decoded
        assert expanded.nbytes <= 2 * SMALL.batch or batch.num_rows == 1


@pytest.mark.parametrize(
    ("value", "what"),
    [("x" * 6_000_000, "row 3"), ([0] * 2_000_000, "row 3"), ({"a": {"b": "x" * 6_000_000}}, "row 3")],
)
def test_a_value_that_does_not_fit_is_refused(value: Any, what: str) -> None:
    smalls: dict[type, Any] = {str: "s", list: [1], dict: {"a": {"b": "s"}}}
    small = smalls[type(value)]
    store = put(pa.table({"id": [1, 2, 3, 4], "c": [small, small, value, small]}))
    with pytest.raises(MemoryLimitError, match=r"MEMORY_MB"):
        for _ in read_batches(store):
            pass
    assert store.download("csv", [("select", "id")]) == b"id\n1\n2\n3\n4\n"
    assert what
    # With more memory it is answered.
    plenty = Memory(left=2048 * MIB, batch=16 * MIB)
    assert sum(batch.num_rows for batch in read_batches(store, plenty)) == 4


def test_a_page_that_comes_to_more_than_its_footer_says_is_refused() -> None:
    table = pa.table({"c": ["x" * 30_000_000]})
    store = put(table, compression="zstd", **PLAIN)
    assert len(store.objects["data.parquet"]) < 100_000
    with pytest.raises(MemoryLimitError):
        next(read_batches(store))


def test_pages_of_many_columns_are_counted_together() -> None:
    texts = pa.array([f"{number:06}" + "x" * 90 for number in range(9000)])
    wide = pa.table({f"c{number}": texts for number in range(40)})
    store = put(wide, **PLAIN)
    with pytest.raises(MemoryLimitError, match="Select fewer columns"):
        next(read_batches(store))
    assert store.download("csv", [("select", "c1"), ("limit", "1")]).count(b"\n") == 2


def test_every_format_holds_what_was_read() -> None:
    table = pa.table({"c": repeat("x" * LONG, 300), "n": list(range(300))})
    reading = Reading(memory=SMALL)
    for format_ in ("csv", "json", "jsonl"):
        assert put(table).download(format_, reading=reading).count(b"x") == 300 * LONG
    assert read_back(put(table).download("parquet", [("n__gte", "0")], reading)).equals(table)


def test_lengths_of_texts_are_exact() -> None:
    plain = b"".join(len(text).to_bytes(4, "little") + text for text in (b"", b"abc", b"x" * 300))
    assert find_longest(plain) == 300
    for broken in (plain[:-1], plain + b"\x01", b"\xff\xff\xff\xff"):
        with pytest.raises(CorruptDatasetError):
            find_longest(broken)


def test_repetition_levels_are_rows() -> None:
    # A run of three zeros, a run of five ones, then packed: 0 1 1 0 0 0 1 1
    levels = bytes([3 << 1, 0, 5 << 1, 1, 1 << 1 | 1, 0b11000110])
    found = count_rows(levels, 1, 16)
    assert (found.rows, found.lead, found.longest) == (7, 0, 6)
    assert count_rows(bytes([4 << 1, 1, 2 << 1, 0]), 1, 6).lead == 4
    for broken in (b"", bytes([0]), bytes([3 << 1])):
        with pytest.raises(CorruptDatasetError):
            count_rows(broken, 1, 16)


def test_noise_is_refused_or_measured() -> None:
    source = random.Random(7)
    for _ in range(20_000):
        noise = source.randbytes(source.randrange(60))
        for call in (read_header, find_longest, measure_delta_texts, lambda data: count_rows(data, 3, 1000)):
            try:
                call(noise)
            except CorruptDatasetError:
                continue


def test_a_header_that_is_cut_is_not_taken_for_a_whole_one() -> None:
    body = put(pa.table({"c": ["text"] * 10})).objects["data.parquet"]
    column = pq.ParquetFile(pa.BufferReader(body)).metadata.row_group(0).column(0)
    start = column.dictionary_page_offset
    length, header = read_header(body[start : start + 200])
    assert (header.type, header.values, header.uncompressed) == (2, 1, 8)
    for cut in range(length):
        assert read_header(body[start : start + cut])[0] == 0

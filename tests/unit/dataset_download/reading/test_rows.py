"""Reads of S3: their ranges and number, and the handling of S3 errors and malformed files."""

import io
import threading
import time
from collections.abc import Generator

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from dataset_download.exceptions import CorruptDatasetError, ObjectChangedError, SourceError, SourceUnreadableError
from dataset_download.formats import parquet_file
from dataset_download.formats.format import Format
from dataset_download.planning.plan import Reading
from dataset_download.reading.decoding import DeferredColumns
from dataset_download.reading.rows import TEXT_BYTES
from dataset_download.s3 import objects
from dataset_download.s3.objects import DataFile, RangeReader
from dataset_download.s3.prefetch import ReadAhead, Segment, order_fetches
from tests.unit.dataset_download.memory_s3 import WRITTEN, MemoryS3, make_error, put, read_back

ROWS = 40_000


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "FIRST_PAUSE_SECONDS", 0.0)


def make_sorted() -> MemoryS3:
    """40 organisations in 20 row groups, sorted; large enough for a row group to be a request of its own."""
    numbers = pa.array(range(ROWS))
    table = pa.table(
        {
            "organisation-entity": pa.array([f"org-{number * 40 // ROWS:02d}" for number in range(ROWS)]),
            "entity": numbers,
            "noise": pa.array([f"{number * 7919 % 1_000_003:x}-{number}" * 4 for number in range(ROWS)]),
        }
    )
    return put(table, row_group_size=ROWS // 20, compression="none", use_dictionary=["organisation-entity"])


def test_one_organisation_of_a_sorted_file_is_read_alone() -> None:
    store = make_sorted()
    size = len(store.objects["data.parquet"])
    lines = store.download("csv", [("organisation-entity", "org-07")]).splitlines()
    assert len(lines) == 1 + ROWS // 40
    assert len(store.requests) == 2  # The footer, one row group.
    assert store.bytes_read() < size / 20 + 70_000


def test_row_groups_that_cannot_match_are_not_read_at_all() -> None:
    store = make_sorted()
    assert store.download("json", [("entity__gt", "99999999")]) == b"[]\n"
    assert len(store.requests) == 1


def test_only_the_columns_asked_for_are_read() -> None:
    store = make_sorted()
    store.download("csv", [("select", "entity")])
    chunks = 8 * ROWS
    assert store.bytes_read() < chunks + 20 * 70_000
    assert store.bytes_read() < len(store.objects["data.parquet"]) / 2


def test_an_offset_leaves_out_whole_row_groups_and_a_limit_what_follows() -> None:
    store = make_sorted()
    data = store.download("csv", [("select", "entity"), ("offset", "30001"), ("limit", "2")])
    assert data == b"entity\n30001\n30002\n"
    assert len(store.requests) == 2


def test_rows_are_counted_without_reading_where_statistics_are_enough() -> None:
    store = make_sorted()
    assert store.plan([]).row_count == ROWS
    assert store.plan([("entity__gte", "20000")]).row_count == 20_000
    assert store.plan([("entity__gte", "20000"), ("limit", "7")]).row_count == 7
    assert store.plan([("entity__gte", "20000"), ("offset", "19999")]).row_count == 1
    assert store.plan([("entity__gte", "20001")]).row_count is None
    assert store.plan([("entity__isnull", "true")]).row_count == 0
    assert len(store.requests) == 6
    assert {size for _, size in store.requests} == {64 * 1024}


def test_estimates_are_of_the_answer_s_size() -> None:
    store = make_sorted()
    for format_ in Format:
        size = len(store.download(format_, [("entity__gte", "10000")]))
        assert size / 3 < store.plan([("entity__gte", "10000")]).estimate_bytes(format_) < size * 4


def test_nothing_is_read_before_the_first_piece() -> None:
    store = make_sorted()
    download = store.start("csv")
    assert len(store.requests) == 1
    next(download)
    download.close()


@pytest.mark.parametrize("format_", list(Format))
def test_a_file_overwritten_in_mid_download_breaks_it(format_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "GROUP_ROWS", ROWS // 10)
    store = make_sorted()
    original = store.objects["data.parquet"]
    download = store.start(
        format_, [("entity__gte", "1")] if format_ == "parquet" else [], Reading(read_ahead_bytes=200_000)
    )
    pieces = [next(download)]
    store.objects["data.parquet"] = original[:-1] + b"!"
    with pytest.raises(ObjectChangedError, match="overwritten or deleted"):
        pieces.extend(download)
    assert not b"".join(pieces).endswith((b"]\n", b"PAR1"))


def test_a_file_deleted_in_mid_download_breaks_it() -> None:
    store = make_sorted()
    download = store.start("csv", reading=Reading(read_ahead_bytes=200_000))
    next(download)
    store.objects.clear()
    with pytest.raises(ObjectChangedError):
        list(download)


def test_a_store_that_ignores_conditions_is_found_out() -> None:
    store = make_sorted()
    download = store.start("csv", reading=Reading(read_ahead_bytes=200_000))
    original = store.get_object
    store.get_object = lambda **asked: original(**(asked | {"IfMatch": None}))  # type: ignore[method-assign]
    next(download)
    store.objects["data.parquet"] = store.objects["data.parquet"][:-1] + b"!"
    with pytest.raises(ObjectChangedError):
        list(download)


def test_passing_failures_are_tried_again() -> None:
    store = make_sorted()
    wanted = store.download("csv")
    first = len(store.requests) + 2
    # Four failures: even if one range has them all, it has one more attempt.
    failures = {first: make_error("SlowDown", 503), first + 2: ConnectionResetError()}

    def fail(_: str, number: int) -> None:
        if number in failures:
            raise failures[number]

    store.before_get = fail
    store.cut = {first + 1: 1000, first + 3: 0}
    assert store.download("csv") == wanted


def test_a_failure_that_stays_ends_the_download() -> None:
    store = make_sorted()
    download = store.start("csv", reading=Reading(read_ahead_bytes=200_000))
    next(download)

    def fail(key: str, number: int) -> None:
        raise make_error("SlowDown", 503)

    store.before_get = fail
    with pytest.raises(SourceUnreadableError, match=r"data\.parquet: bytes"):
        list(download)


def test_a_refusal_is_not_tried_again() -> None:
    store = make_sorted()
    download = store.start("csv", [("limit", "1")])
    asked = len(store.requests)

    def refuse(key: str, number: int) -> None:
        raise make_error("AccessDenied", 403)

    store.before_get = refuse
    with pytest.raises(SourceError, match="AccessDenied"):
        next(download)
    assert len(store.requests) <= asked + 2


def count_threads() -> int:
    return sum(thread.name.startswith(("read-ahead", "encode")) for thread in threading.enumerate())


def wait_for_no_threads() -> None:
    for _ in range(500):
        if not count_threads():
            return
        time.sleep(0.01)


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
@pytest.mark.parametrize("pairs", [[], [("select", "entity,noise")]])
def test_a_client_that_goes_away_ends_all_reading(format_: str, pairs: list[tuple[str, str]]) -> None:
    store = make_sorted()
    with store.start(format_, pairs, Reading(read_ahead_bytes=300_000)) as download:
        next(download)
    download.close()
    wait_for_no_threads()
    assert count_threads() == 0
    asked = len(store.requests)
    with pytest.raises(StopIteration):
        next(download)
    assert len(store.requests) == asked


def test_a_failed_download_leaves_no_threads() -> None:
    store = make_sorted()
    download = store.start("csv", reading=Reading(read_ahead_bytes=200_000))
    next(download)
    store.objects.clear()
    with pytest.raises(ObjectChangedError):
        list(download)
    wait_for_no_threads()
    assert count_threads() == 0


def test_what_is_read_ahead_stays_within_its_budget() -> None:
    data = bytes(range(256)) * 4096
    store = MemoryS3()
    store.objects["key"] = data
    etag = store.get_object(Bucket="b", Key="key", Range="bytes=0-0")["ETag"]
    file = DataFile("key", len(data), etag, WRITTEN)
    segments = [Segment(file, start, start + 65_536, start) for start in range(0, len(data), 65_536)]
    ahead = ReadAhead(RangeReader(store, "b"), segments, budget=200_000)  # type: ignore[arg-type]
    taken = 0
    for segment in segments:
        assert ahead.read(file, segment.start, segment.end) == data[segment.start : segment.end]
        taken += 65_536
        assert store.bytes_read() <= taken + 200_000 + 1
    assert ahead.read(file, 5, 70_000) == data[5:70_000]
    ahead.close()


def test_few_segments_are_fetched_the_largest_first_and_many_as_they_are_needed() -> None:
    file = DataFile("key", 1_000_000, '"etag"', WRITTEN)
    segments = [Segment(file, number * 1_000, number * 1_000 + 100 * (number % 5 + 1), 0) for number in range(9)]
    assert [each.end - each.start for each in order_fetches(segments[:8])] == [500, 400, 300, 300, 200, 200, 100, 100]
    assert order_fetches(segments) == segments


def test_large_rows_come_in_small_batches() -> None:
    rows = 40
    store = put(
        pa.table({"id": range(rows), "shape": [f"{number:06d}" * 100_000 for number in range(rows)]}),
        compression="none",
    )
    download = store.start("jsonl")
    largest = max(len(piece) for piece in download)
    assert download.rows == rows
    assert largest <= 16 * 1024 * 1024


def test_row_groups_larger_than_the_budget_are_read_in_pieces() -> None:
    numbers = range(200_000)
    table = pa.table(
        {"a": [number * 2_654_435_761 % 2**62 for number in numbers], "b": [float(number) ** 1.5 for number in numbers]}
    )
    store = put(table, row_group_size=200_000, compression="none", use_dictionary=False)
    found = read_back(store.download("parquet", [("a__gte", "0")], Reading(read_ahead_bytes=512 * 1024)))
    assert found.equals(table)
    assert max(size for _, size in store.requests) <= 512 * 1024
    assert store.bytes_read() < len(store.objects["data.parquet"]) + 100_000


def corrupt(data: bytes, what: str) -> bytes:
    footer = int.from_bytes(data[-8:-4], "little")
    return {
        "empty": b"",
        "short": b"PAR1",
        "text": b"entity,name\n" * 100,
        "truncated": data[: len(data) // 2],
        "without its end": data[:-1],
        "footer of zeros": data[: -8 - footer] + bytes(footer) + data[-8:],
        "footer too long": data[:-8] + (2**31 - 1).to_bytes(4, "little") + data[-4:],
        "footer of no length": data[:-8] + bytes(4) + data[-4:],
        "encrypted": data[:-4] + b"PARE",
    }[what]


@pytest.mark.parametrize(
    "what",
    [
        "empty",
        "short",
        "text",
        "truncated",
        "without its end",
        "footer of zeros",
        "footer too long",
        "footer of no length",
        "encrypted",
    ],
)
def test_what_is_not_parquet_is_said_before_the_first_byte(what: str) -> None:
    store = make_sorted()
    store.objects["data.parquet"] = corrupt(store.objects["data.parquet"], what)
    with pytest.raises(CorruptDatasetError, match=r"data\.parquet is"):
        store.open()


def test_damaged_pages_end_the_download() -> None:
    store = make_sorted()
    data = bytearray(store.objects["data.parquet"])
    middle = len(data) // 2
    data[middle : middle + 200_000] = bytes(200_000)
    store.objects["data.parquet"] = bytes(data)
    download = store.start("json")
    with pytest.raises(CorruptDatasetError, match=r"cannot be decoded|rows instead of|UTF-8"):
        b"".join(download)
    assert download.size < 5_000_000


def test_columns_of_one_name_are_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    sink = io.BytesIO()
    pq.write_table(table, sink)
    store = MemoryS3()
    store.objects["data.parquet"] = sink.getvalue()
    with pytest.raises(CorruptDatasetError, match="several columns named a"):
        store.open()


def test_footers_of_unchanged_files_are_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = put(pa.table({"once": [1]}))
    first = store.open()

    def fail(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pq, "read_metadata", fail)
    assert store.open().footers[0] is first.footers[0]


def test_a_large_footer_is_read_whole() -> None:
    table = pa.table({f"column {number}": [number] for number in range(2_000)})
    store = put(table)
    assert len(store.open().schema) == 2_000
    assert len(store.requests) == 2


def test_columns_beside_a_filter_are_decoded_only_where_something_passes() -> None:
    store = make_sorted()
    data = bytearray(store.objects["data.parquet"])
    noise = store.open().footers[0].arrow.row_group(0).column(2)
    assert noise.path_in_schema == "noise"
    start = noise.data_page_offset
    data[start : start + noise.total_compressed_size] = bytes(noise.total_compressed_size)
    store.objects["data.parquet"] = bytes(data)
    found = store.download("csv", [("organisation-entity__contains", "39"), ("select", "noise,entity")])
    assert len(found.splitlines()) == 1 + ROWS // 40
    with pytest.raises(CorruptDatasetError):
        store.download("csv", [("organisation-entity__contains", "00"), ("select", "noise,entity")])


def test_followers_find_their_rows_across_batches_of_other_sizes() -> None:
    def decode() -> Generator[pa.RecordBatch]:
        for start, end in ((0, 3), (3, 4), (4, 9), (9, 20)):
            yield pa.record_batch({"n": list(range(start, end))})

    deferred_columns = DeferredColumns(decode())
    taken = []
    for skipped, rows in ((0, 2), (1, 3), (4, 1), (0, 5), (2, 2)):
        deferred_columns.skip(skipped)
        taken.append(deferred_columns.take(rows).column(0).to_pylist())
    # At most so many: a batch that ends is not joined with the next, which may be large.
    assert taken == [[0, 1], [3], [8], [9, 10, 11, 12, 13], [16, 17]]
    deferred_columns.close()


@pytest.mark.parametrize(("pairs", "expected"), [([], 9_000), ([("n__gte", "10")], 8_990)])
def test_long_texts_that_repeat_come_in_small_batches(pairs: list[tuple[str, str]], expected: int) -> None:
    # Stored once in Parquet's dictionary: a hundred times what the file has.
    texts = pa.array(["a" * 20_000, "b" * 20_000, "c"]).take(pa.array([number % 3 for number in range(9_000)]))
    store = put(pa.table({"n": list(range(9_000)), "text": texts}))
    pieces = list(store.start("csv", pairs))
    assert sum(map(len, pieces)) > 100 * 1024 * 1024
    assert max(map(len, pieces)) < 32 * 1024 * 1024
    assert sum(piece.count(b"\n") for piece in pieces) == 1 + expected
    assert pieces[-1].endswith(b"8999,c\n")


def test_many_empty_columns_come_in_small_batches() -> None:
    columns = 500
    table = pa.table({f"a_column_whose_name_is_rather_long_{number}": pa.nulls(20_000) for number in range(columns)})
    store = put(table.cast(pa.schema([(name, pa.int64()) for name in table.column_names])))
    text = store.download("jsonl")
    assert text.count(b"\n") == table.num_rows
    assert max(map(len, store.start("jsonl"))) < 2 * TEXT_BYTES


def test_headers_of_many_small_pages_are_not_fetched_one_by_one() -> None:
    table = pa.table({f"c{number}": range(5000) for number in range(4)})
    store = put(table, data_page_size=64, use_dictionary=False, compression="none", write_batch_size=10)
    assert store.download("csv").count(b"\n") == 5001
    assert len(store.requests) < 20

"""Bodies: sizes, ranges, and that a table is one."""

import csv
import hashlib
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sample_files import expected_body, expected_sha256, expected_size
from sample_files.bodies import BytesBody, CsvBody, RandomBody, read_all
from sample_files.rows import BLOCK_BYTES, TABLES, make_header
from sample_files.target import QueryError

HEADER = len(make_header("units"))


@pytest.mark.parametrize("name", [*TABLES, "something_else"])
def test_table_has_equal_columns_and_consecutive_rows(name: str) -> None:
    content = read_all(CsvBody(name, BLOCK_BYTES + 5_000))
    assert content.endswith(b"\n")
    header, *rows = csv.reader(io.StringIO(content.decode()))
    assert len(rows) > 10_000
    assert {len(row) for row in rows} == {len(header)}
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    assert len({tuple(row[1:]) for row in rows[:10_000]}) == 10_000


@pytest.mark.parametrize("size", [0, 1, 2, HEADER - 1, HEADER, HEADER + 1, HEADER + 127, HEADER + 128, HEADER + 129])
def test_table_has_exactly_the_size_asked_for(size: int) -> None:
    content = read_all(CsvBody("units", size))
    assert len(content) == size
    assert content.endswith(b"\n") or not size


@given(size=st.integers(0, 3 * BLOCK_BYTES), cuts=st.lists(st.integers(0, 3 * BLOCK_BYTES), max_size=5))
def test_ranges_of_a_body_join_to_the_whole(size: int, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, size) for cut in cuts), size]
    for body in (CsvBody("units", size), RandomBody("1", size)):
        whole = read_all(body)
        parts = [b"".join(body.read_blocks(start, stop)) for start, stop in pairwise(places)]
        assert [len(part) for part in parts] == [stop - start for start, stop in pairwise(places)]
        assert b"".join(parts) == whole


def test_far_ranges_are_computed_at_once() -> None:
    body = CsvBody("units", 10**13)
    start = HEADER + 7 * 10**10 * 128
    assert b"".join(body.read_blocks(start, start + 13)) == b"070000000000,"
    assert b"".join(body.read_blocks(10**13 - 1, 10**13)) == b"\n"


def test_tables_of_a_family_differ_in_their_row_numbers() -> None:
    contents = {read_all(CsvBody(f"part_{number}", 5_000)) for number in range(20)}
    assert len(contents) == 20
    assert b"\n000000070000," in read_all(CsvBody("part_07", 5_000))


def test_blocks_of_random_bytes_differ() -> None:
    content = read_all(RandomBody("1", 4 << 20))
    assert len({content[start : start + 32] for start in range(0, len(content), 1 << 20)}) == 4
    assert content != read_all(RandomBody("2", 4 << 20))


def test_expectations_follow_the_address() -> None:
    url = "http://127.0.0.1:1/files/units.csv?bytes=5000&token=1"
    assert expected_body(url) == expected_body("/files/units.csv?bytes=5000")
    assert expected_sha256(url) == hashlib.sha256(expected_body(url)).hexdigest()
    assert expected_size("/files/rent_contracts.csv") >= 200_000_000
    assert expected_body("/files/units.csv?bytes=5000&version=2") != expected_body(url)
    assert expected_body("/hostile/drop/units.csv?bytes=5000&changes=1") == expected_body(
        "/files/units.csv?bytes=5000&version=2"
    )
    assert expected_body("/hostile/redirect?hops=3&to=%2Fhostile%2Fempty") == b""
    assert expected_body("/files/5000/units.csv") == expected_body(url)
    assert read_all(BytesBody(b"abc")) == b"abc"


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/nowhere",
        "/hostile",
        "/hostile/endless",
        "/hostile/echo/a.csv",
        "/files/units.txt",
        "/files/units.csv?mb=x",
    ],
)
def test_addresses_without_content_have_no_expectation(address: str) -> None:
    with pytest.raises(QueryError):
        expected_body(address)

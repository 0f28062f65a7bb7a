"""Every byte is in exactly one part and one range, and S3's limits hold for any length."""

from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.exceptions import FileError
from csv_streamer.s3.part_sizes import (
    MAX_PART,
    MAX_PARTS,
    MIN_PART,
    MIN_RANGE,
    Span,
    choose_part_size,
    cut_known,
    cut_ranges,
    grow_unknown,
)

MIB = 1024 * 1024
TIB = MIB * MIB
PART_SIZES = st.integers(5, 5120).map(lambda size: size * MIB)
"""What S3_PART_MB can be."""


def assert_covers(spans: list[Span], start: int, end: int) -> None:
    assert spans[0].start == start
    assert spans[-1].end == end
    assert all(one.end == other.start for one, other in pairwise(spans))
    assert all(span.size > 0 for span in spans)


@settings(deadline=None)
@given(st.integers(1, 5 * TIB), PART_SIZES)
def test_parts_of_a_known_length_cover_it_within_the_limits(length: int, wanted: int) -> None:
    size = choose_part_size(length, wanted)
    parts = cut_known(length, size)
    assert_covers(parts, 0, length)
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert len(parts) <= MAX_PARTS
    assert all(MIN_PART <= part.size <= MAX_PART for part in parts[:-1])


@settings(deadline=None)
@given(st.integers(1, 100_000 * MIB), PART_SIZES)
def test_part_size_is_the_wanted_one_wherever_that_will_do(length: int, wanted: int) -> None:
    expected = wanted if length <= MAX_PARTS * wanted else None
    assert expected in {choose_part_size(length, wanted), None}


@pytest.mark.parametrize(("extra", "size"), [(0, 5 * MIB), (1, 5 * MIB + 1)])
def test_part_size_grows_with_the_first_byte_too_many(extra: int, size: int) -> None:
    length = MAX_PARTS * 5 * MIB + extra
    assert choose_part_size(length, 5 * MIB) >= size
    assert len(cut_known(length, choose_part_size(length, 5 * MIB))) <= MAX_PARTS


def test_nothing_has_no_parts() -> None:
    assert cut_known(0, MIN_PART) == []
    assert choose_part_size(0, 50 * MIB) == 50 * MIB


@settings(deadline=None)
@given(st.integers(1, 5 * TIB), PART_SIZES)
def test_parts_of_an_unknown_length_reach_the_largest_file(max_file_size: int, part_size: int) -> None:
    sizes = list(islice(grow_unknown(part_size, max_file_size, 1, 0), MAX_PARTS))
    assert sum(sizes) >= max_file_size
    assert all(MIN_PART <= size <= MAX_PART for size in sizes)


@settings(deadline=None)
@given(st.integers(1, 5 * TIB), PART_SIZES, st.integers(0, MAX_PARTS - 1), st.randoms(use_true_random=False))
def test_parts_reach_the_largest_file_from_wherever_an_invocation_stopped(
    max_file_size: int, part_size: int, done: int, random: object
) -> None:
    before = list(islice(grow_unknown(part_size, max_file_size, 1, 0), done))
    offset = sum(before) - (part_size - MIN_PART if before else 0)  # the last one was sent before it was full
    rest = list(islice(grow_unknown(part_size, max_file_size, done + 1, offset), MAX_PARTS - done))
    assert done + len(rest) == MAX_PARTS
    assert all(MIN_PART <= size <= MAX_PART for size in rest)
    assert offset + sum(rest) >= min(max_file_size, offset + MAX_PART)


def test_parts_stay_small_as_long_as_half_the_numbers_are_left() -> None:
    sizes = list(islice(grow_unknown(5 * MIB, 5 * TIB, 1, 0), MAX_PARTS))
    assert set(sizes[: MAX_PARTS // 2]) == {5 * MIB}
    assert sizes[MAX_PARTS // 2] > 5 * MIB


def test_part_after_the_last_number_is_refused_with_advice() -> None:
    sizes = grow_unknown(5 * MIB, MIB, MAX_PARTS, 0)
    assert next(sizes) == 5 * MIB
    with pytest.raises(FileError, match="S3_PART_MB"):
        next(sizes)


@settings(deadline=None)
@given(st.integers(0, 5 * TIB), st.integers(1, MAX_PART), st.integers(1, 64))
def test_ranges_cover_their_part(start: int, size: int, connections: int) -> None:
    ranges = cut_ranges(Span(7, start, start + size), connections)
    assert_covers(ranges, start, start + size)
    assert len(ranges) <= connections
    assert {one.number for one in ranges} == {7}
    assert all(one.size >= min(size, MIN_RANGE) for one in ranges[:-1])


def test_part_too_small_to_share_is_one_range() -> None:
    part = Span(1, 0, MIN_RANGE)
    assert cut_ranges(part, 4) == [part]

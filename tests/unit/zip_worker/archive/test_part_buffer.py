import pytest
from hypothesis import given
from hypothesis import strategies as st

from zip_worker.archive.part_buffer import Gap, PartCutter


def cut(part_size: int) -> tuple[PartCutter, dict[int, bytes]]:
    parts: dict[int, bytes] = {}

    def take(number: int, data: bytes) -> None:
        assert number not in parts
        parts[number] = bytes(data)

    return PartCutter(part_size, take), parts


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=40), st.integers(1, 25))
def test_parts_join_to_what_was_written_and_none_but_the_last_is_short(
    writes: list[tuple[bool, bytes]], part_size: int
) -> None:
    cutter, parts = cut(part_size)
    gaps: list[tuple[Gap, bytes]] = []
    for is_gap, data in writes:
        if is_gap:
            gaps.append((cutter.reserve(len(data)), data))
        else:
            cutter.write(data)
    for gap, data in gaps:
        cutter.fill(gap, data)
    last_number, last = cutter.finish()
    assert sorted(parts) == list(range(1, last_number))
    assert all(len(part) >= part_size for part in parts.values())
    whole = b"".join(data for _, data in writes)
    assert b"".join(part for _, part in sorted(parts.items())) + bytes(last) == whole
    assert cutter.position == len(whole)


def test_part_with_a_gap_waits_while_later_parts_go_ahead() -> None:
    cutter, parts = cut(4)
    gap = cutter.reserve(2)
    cutter.write(b"abcdefgh")
    assert parts == {2: b"cdef"}
    cutter.fill(gap, b"xy")
    assert parts == {1: b"xyab", 2: b"cdef"}


def test_gap_at_a_boundary_lengthens_its_part_instead_of_straddling_two() -> None:
    cutter, parts = cut(4)
    cutter.write(b"abc")
    cutter.fill(cutter.reserve(5), b"12345")
    assert parts == {1: b"abc12345"}
    cutter.write(b"z")
    assert cutter.finish() == (2, b"z")


def test_filling_with_another_length_is_refused() -> None:
    cutter, _ = cut(4)
    with pytest.raises(ValueError, match="3 bytes for a gap of 2"):
        cutter.fill(cutter.reserve(2), b"abc")


def test_stream_with_an_open_gap_cannot_be_finished() -> None:
    cutter, _ = cut(4)
    cutter.reserve(2)
    with pytest.raises(ValueError, match="gap"):
        cutter.finish()

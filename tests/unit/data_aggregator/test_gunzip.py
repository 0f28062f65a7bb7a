"""First tier: decompressing what nobody vouches for."""

import gzip
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_aggregator.exceptions import CorruptGzipError
from data_aggregator.gunzip import gunzip
from tests.tiers import scale

MIB = 2**20


def split(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@settings(max_examples=scale(200, 20), deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(0, 9), st.integers(1, 400))
def test_members_in_any_pieces_are_one_stream(members: list[bytes], padding: int, size: int) -> None:
    packed = b"".join(map(gzip.compress, members)) + (b"\0" * padding if members else b"")
    assert b"".join(gunzip(split(packed, size))) == b"".join(members)


@settings(max_examples=scale(200, 20), deadline=None)
@given(st.binary(min_size=1, max_size=300), st.data())
def test_truncated_data_is_refused(content: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(content)
    end = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(CorruptGzipError):
        list(gunzip([packed[:end]]))


@settings(max_examples=scale(200, 20), deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_bytes_or_one_kind_of_error(data: bytes) -> None:
    try:
        list(gunzip([data]))
    except CorruptGzipError:
        return
    assert gzip.decompress(data) is not None, "what we accept, the standard library accepts"


def test_empty_file_is_empty() -> None:
    assert list(gunzip([])) == []


def test_bomb_comes_in_pieces_of_a_bounded_size() -> None:
    packed = gzip.compress(b"\0" * 50 * MIB)
    sizes = [len(piece) for piece in gunzip([packed])]
    assert sum(sizes) == 50 * MIB
    assert max(sizes) <= MIB


@pytest.mark.parametrize("at", range(1, 60, 3))
def test_header_with_several_fields_may_lie_across_two_blocks(at: int) -> None:
    plain = gzip.compress(b"second")
    header = plain[:3] + b"\x1e" + plain[4:10] + b"\x05\x00extra" + b"name\0" + b"comment\0"
    member = header + (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little") + plain[10:]
    file = gzip.compress(b"first ") + member
    assert gzip.decompress(file) == b"first second"
    assert b"".join(gunzip([file[:at], file[at:]])) == b"first second"


def test_header_may_lie_across_two_pieces_of_a_block() -> None:
    first = random.Random(1).randbytes(64 * 1024 - 40)
    plain = gzip.compress(b"second")
    member = plain[:3] + b"\x18" + plain[4:10] + b"name\0" + b"comment\0" + plain[10:]
    for shorter in range(40):
        file = gzip.compress(first[shorter:]) + member
        assert b"".join(gunzip([file])) == first[shorter:] + b"second"

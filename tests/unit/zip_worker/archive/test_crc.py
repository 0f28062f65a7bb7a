import zlib

from hypothesis import given
from hypothesis import strategies as st

from zip_worker.archive.crc import combine


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_combined_crc_is_that_of_the_joined_bytes(first: bytes, second: bytes) -> None:
    assert combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_lengths_of_many_gigabytes_are_combined() -> None:
    # 8 GiB of zeros by doubling, against zlib's own value for the first MiB.
    megabyte = bytes(2**20)
    crc, length = zlib.crc32(megabyte), 2**20
    running = zlib.crc32(megabyte + megabyte)
    assert combine(crc, crc, length) == running
    for _ in range(13):
        crc, length = combine(crc, crc, length), length * 2
    # Splitting 8 GiB elsewhere must give the same checksum.
    head, head_length = zlib.crc32(bytes(2**20 * 3)), 2**20 * 3
    tail, tail_length, part, part_length = 0, 0, zlib.crc32(megabyte), 2**20
    remaining = length - head_length
    while remaining:
        if remaining & part_length:
            tail, tail_length = combine(tail, part, part_length), tail_length + part_length
            remaining -= part_length
        part, part_length = combine(part, part, part_length), part_length * 2
    assert tail_length == length - head_length
    assert combine(head, tail, tail_length) == crc

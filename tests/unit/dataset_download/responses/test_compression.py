"""Gzip of a response body."""

import gzip
import random
from collections.abc import Iterator

import pytest

from dataset_download.responses.compression import compress


def test_compressed_pieces_are_one_gzip_file() -> None:
    pieces = [b"a" * 1000, b"b" * 100_000, b"c"]
    assert gzip.decompress(b"".join(compress(pieces))) == b"".join(pieces)
    assert gzip.decompress(b"".join(compress([]))) == b""


def test_a_broken_stream_has_no_trailer() -> None:
    def make_pieces() -> Iterator[bytes]:
        yield random.Random(1).randbytes(1_000_000)
        raise ValueError("cut")

    made: list[bytes] = []
    with pytest.raises(ValueError, match="cut"):
        made.extend(compress(make_pieces()))
    with pytest.raises(EOFError):
        gzip.decompress(b"".join(made))

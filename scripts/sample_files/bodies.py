"""Response bodies, of which any range is computed without the bytes before it."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Protocol

from sample_files.rows import BLOCK_BYTES, ROW_BYTES, make_block, make_header, number_block

_RANDOM_BLOCK_BYTES = 1 << 20
_STAMP_BYTES = 32
_NUMBERED = re.compile(r"(.*\D)(\d{1,6})", re.ASCII)


class Body(Protocol):
    """Bytes that are computed from their offsets."""

    @property
    def size(self) -> int:
        """Return the number of bytes."""

    def read_blocks(self, start: int, stop: int) -> Iterator[memoryview]:
        """Give the bytes from `start` up to `stop` (both within the body) in blocks of about 1 MB."""


@dataclass(frozen=True, slots=True)
class CsvBody:
    """A table with a header and complete rows, of exactly `size` bytes.

    The last row's last field is as long as it takes; a size below the header's cuts the header. Tables whose names
    differ in a number at the end (`part_1`, `part_2`) differ in the numbers of their rows, and cost no new rows.
    """

    name: str
    size: int
    version: int = 1

    def read_blocks(self, start: int, stop: int) -> Iterator[memoryview]:
        """Give a range of the table."""
        header = make_header(self.name)
        rows = max(self.size - len(header), 0) // ROW_BYTES
        # What is left after the last whole row goes between that row and its line end.
        regular = len(header) + rows * ROW_BYTES - 1 if self.size >= len(header) else max(self.size - 1, 0)
        if start < min(len(header), regular):
            yield memoryview(header)[start : min(stop, regular)]
        if stop > len(header):
            yield from self._read_rows(max(start - len(header), 0), min(stop, regular) - len(header))
        if stop > regular:
            tail = b"0" * (self.size - regular - 1) + b"\n"
            yield memoryview(tail)[max(start - regular, 0) : stop - regular]

    def _read_rows(self, start: int, stop: int) -> Iterator[memoryview]:
        family, first = _split_name(self.name)
        block = make_block(family, self.version)
        while start < stop:
            number, offset = divmod(start, BLOCK_BYTES)
            length = min(BLOCK_BYTES - offset, stop - start)
            yield memoryview(number_block(block, first + number))[offset : offset + length]
            start += length


@dataclass(frozen=True, slots=True)
class RandomBody:
    """Incompressible bytes, of which each MiB begins with a unique stamp."""

    seed: str
    size: int

    def read_blocks(self, start: int, stop: int) -> Iterator[memoryview]:
        """Give a range of the bytes."""
        base = _make_random_block(self.seed)
        while start < stop:
            number, offset = divmod(start, _RANDOM_BLOCK_BYTES)
            length = min(_RANDOM_BLOCK_BYTES - offset, stop - start)
            block = bytearray(base)
            block[:_STAMP_BYTES] = hashlib.sha256(f"{self.seed}:{number}".encode()).digest()
            yield memoryview(block)[offset : offset + length]
            start += length


@dataclass(frozen=True, slots=True)
class BytesBody:
    """Bytes in memory."""

    content: bytes

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return len(self.content)

    def read_blocks(self, start: int, stop: int) -> Iterator[memoryview]:
        """Give a range of the bytes."""
        if start < stop:
            yield memoryview(self.content)[start:stop]


def _split_name(name: str) -> tuple[str, int]:
    """Return a table's name without the number at its end, and the number of its first block."""
    match = _NUMBERED.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, 0)


@lru_cache(maxsize=32)
def _make_random_block(seed: str) -> bytes:
    return Random(seed).randbytes(_RANDOM_BLOCK_BYTES)  # noqa: S311 - sample data


def read_all(body: Body) -> bytes:
    """Return a whole body."""
    return b"".join(body.read_blocks(0, body.size))


def hash_body(body: Body) -> str:
    """Return a body's SHA-256 in hexadecimal, without holding the body."""
    digest = hashlib.sha256()
    for block in body.read_blocks(0, body.size):
        digest.update(block)
    return digest.hexdigest()

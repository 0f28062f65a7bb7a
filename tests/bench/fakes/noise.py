"""Objects of any size that take no memory: one block of noise, over and over."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from functools import cached_property

from zip_worker.archive.crc import combine

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Pattern:
    """Endless bytes that a seed determines."""

    seed: str

    @cached_property
    def block(self) -> bytes:
        """What is repeated."""
        return random.Random(self.seed).randbytes(_BLOCK_BYTES)  # noise, not a secret

    def read(self, start: int, stop: int) -> bytes:
        """Return a range of the bytes."""
        first = start // _BLOCK_BYTES
        count = -(-stop // _BLOCK_BYTES) - first
        offset = start - first * _BLOCK_BYTES
        return (self.block * count)[offset : offset + stop - start]

    def compute_crc32(self, start: int, stop: int) -> int:
        """Return the CRC-32 of a range, most of it by arithmetic."""
        first_whole, last_whole = -(-start // _BLOCK_BYTES), stop // _BLOCK_BYTES
        if first_whole >= last_whole:
            return zlib.crc32(self.read(start, stop))
        found = zlib.crc32(self.read(start, first_whole * _BLOCK_BYTES))
        middle = (last_whole - first_whole) * _BLOCK_BYTES
        found = combine(found, self._compute_blocks_crc32(last_whole - first_whole), middle)
        tail = self.read(last_whole * _BLOCK_BYTES, stop)
        return combine(found, zlib.crc32(tail), len(tail))

    def _compute_blocks_crc32(self, count: int) -> int:
        found, power, length = 0, zlib.crc32(self.block), _BLOCK_BYTES
        while count:
            if count & 1:
                found = combine(found, power, length)
            power, length, count = combine(power, power, length), length * 2, count >> 1
        return found


@dataclass(frozen=True)
class Slice:
    """A range of a pattern."""

    pattern: Pattern
    start: int
    size: int

    @property
    def crc32(self) -> int:
        """Return the CRC-32 of the range."""
        return self.pattern.compute_crc32(self.start, self.start + self.size)

    def read(self, start: int, stop: int) -> bytes:
        """Return a range of the range's bytes."""
        return self.pattern.read(self.start + start, self.start + stop)

    def cut(self, start: int, stop: int) -> Slice:
        """Return a range of the range."""
        return Slice(self.pattern, self.start + start, stop - start)

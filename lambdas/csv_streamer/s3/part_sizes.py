"""Sizes of parts for S3, and of the ranges of a part that are fetched concurrently."""

from collections.abc import Iterator
from dataclasses import dataclass

from csv_streamer.exceptions import FileError

MIB = 1024 * 1024
MAX_PARTS = 10_000
"""S3's limit, as are the next two (Amazon S3 User Guide, "Multipart upload limits")."""
MIN_PART = 5 * MIB
MAX_PART = 5 * 1024 * MIB
MIN_RANGE = 8 * MIB
"""In smaller ranges, a request's latency costs more than a further connection gains."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` … ``end`` - 1 of a file, as part ``number`` of its upload."""

    number: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return self.end - self.start


def choose_part_size(length: int, wanted: int) -> int:
    """Return ``wanted``, or the size at which ``length`` bytes fit into 10,000 parts."""
    return max(wanted, -(-length // MAX_PARTS))


def cut_known(length: int, part_size: int) -> list[Span]:
    """Return the parts of a file of known length."""
    starts = range(0, length, part_size)
    return [Span(number, start, min(start + part_size, length)) for number, start in enumerate(starts, 1)]


def grow_unknown(part_size: int, max_file_size: int, number: int, offset: int) -> Iterator[int]:
    """Yield the sizes of the parts from ``number`` on, for a file of unknown length.

    They stay at ``part_size`` for the first half of the numbers; then they grow as far as ``max_file_size`` needs.
    """
    while number <= MAX_PARTS:
        needed = -(-(max_file_size - offset) // (MAX_PARTS - number + 1)) if number > MAX_PARTS // 2 else 0
        size = min(max(part_size, needed), MAX_PART)
        yield size
        number += 1
        offset += size
    raise FileError(f"longer than {MAX_PARTS} parts hold: raise S3_PART_MB")


def cut_ranges(part: Span, connections: int) -> list[Span]:
    """Return the ranges of one part that ``connections`` fetch concurrently."""
    size = max(-(-part.size // connections), MIN_RANGE)
    starts = range(part.start, part.end, size)
    return [Span(part.number, start, min(start + size, part.end)) for start in starts]

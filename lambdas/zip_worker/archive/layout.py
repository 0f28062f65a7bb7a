"""The archive's layout: in which steps it is put together, and which bytes S3 copies by itself.

The steps follow from the members' names, sizes and placements alone, so an invocation that carries on where another
ended makes the same steps, and skips those that are done.

S3 wants every part but the last to have 5 MiB. A copied member therefore begins with as many of its bytes, read and
written like those of any other, as make the part with its header that long; the rest becomes parts of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from zip_worker.exceptions import LimitExceededError
from zip_worker.job_record import Compression
from zip_worker.schemas import Member, Placement, Source
from zip_worker.settings import MIB, MIN_PART_SIZE

from .zip_format import STORED, local_header_size, needs_zip64

MAX_PARTS = 10_000
LARGEST_PART = 24 * MIB
"""Several parts are in memory at a time; with larger ones they would not fit into 256 MB, bytes."""
LARGEST_ARCHIVE = 5 * 1024 * 1024 * MIB
"""S3's limit for one object, bytes."""
_HEADERS = 3400
"""Bound of both headers of a member, bytes: twice a name of 1,024, which sanitising cannot lengthen, and extras."""
_RANGES = (256 * MIB, 1024 * MIB, 4096 * MIB)
"""Lengths that one copied part may have; the shorter, the more of a large object is copied side by side."""


@dataclass(frozen=True, slots=True)
class Layout:
    """All that the steps depend on."""

    members: Sequence[Member]
    part_size: int
    """Bytes of a part that is written."""
    range_size: int
    """Most bytes of a part that is copied."""
    block_size: int
    """Most bytes of one read."""
    compression: Compression


@dataclass(frozen=True, slots=True)
class Begin:
    """Member number ``index`` begins."""

    index: int


@dataclass(frozen=True, slots=True)
class Read:
    """A range of the member's bytes is read, and appended if it is to be ``kept``; else only its CRC-32 counts."""

    index: int
    start: int
    length: int
    kept: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """A range of the member's bytes becomes a part of its own, without passing through here."""

    index: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class End:
    """All of the member is there."""

    index: int


type Step = Begin | Read | Copy | End


def choose_layout(
    members: Sequence[Member],
    compression: Compression,
    *,
    part_size: int,
    block_size: int,
    copy_threshold: int,
    compute_crc: bool,
) -> Layout:
    """Return a layout with which the archive fits into S3's 10,000 parts.

    Each copied member costs two parts. Where they are too many the smaller ones are streamed after all, and ranges
    and parts get longer.

    Raises:
        LimitExceededError: there is no such layout.
    """
    total = sum(_bound(member.source.size) for member in members)
    if total > LARGEST_ARCHIVE:
        raise LimitExceededError(f"the archive would have about {total} bytes; S3's limit is {LARGEST_ARCHIVE}")
    threshold = copy_threshold if compression == "stored" else 0
    for range_size in _RANGES:
        least = threshold
        while True:
            placed = [_place(member, least, compute_crc=compute_crc) for member in members]
            size = _find_part_size(placed, part_size, range_size)
            if size:
                return Layout(placed, size, range_size, block_size, compression)
            if not any(member.placement for member in placed):
                break
            least *= 2
    most = max(part_size, LARGEST_PART) * MAX_PARTS
    raise LimitExceededError(
        f"the archive would have about {total} bytes, too many of them to be streamed; "
        f"this worker's limit is {most} (S3_PART_SIZE) and what S3 can copy by itself"
    )


def plan_steps(layout: Layout) -> Iterator[Step]:
    """Yield the archive's steps, in order."""
    fill = 0  # bytes in the part that is being filled; of deflated members nobody knows, nor needs to
    size = layout.part_size
    for index, member in enumerate(layout.members):
        header = header_size(member)
        yield Begin(index)
        if member.placement is Placement.STREAM:
            yield from _read(index, 0, member.source.size, layout.block_size, kept=True)
            if is_in_one_block(member.source, layout.block_size):
                fill = (fill + header + member.source.size) % size
            else:
                fill = (_reserve(fill, header, size) + member.source.size) % size
        else:
            is_known = member.placement is Placement.COPY
            fill = (fill + header) % size if is_known else _reserve(fill, header, size)
            yield from _copy(index, member, MIN_PART_SIZE - fill if 0 < fill < MIN_PART_SIZE else 0, layout)
            fill = 0
        yield End(index)


def header_size(member: Member) -> int:
    """Return the length of a stored member's local header, bytes."""
    zip64 = needs_zip64(member.source.size, STORED)
    return local_header_size(member.name.encode(), zip64=zip64, modified=member.source.modified)


def is_in_one_block(source: Source, block_size: int) -> bool:
    """Say whether a streamed object is read by one request at most: its CRC-32 is known before it is written."""
    return source.size <= block_size


def _copy(index: int, member: Member, lead: int, layout: Layout) -> Iterator[Step]:
    """Yield the steps of a copied member, of which ``lead`` bytes have to be written."""
    size = member.source.size
    if lead:
        yield Read(index, 0, lead, kept=True)
    # In ranges of one length, or nearly: none of them is below S3's least.
    count = ceil((size - lead) / layout.range_size)
    bounds = [lead + (size - lead) * number // count for number in range(count + 1)]
    for start, end in pairwise(bounds):
        yield Copy(index, start, end - start)
    if member.placement is Placement.COPY_AND_READ:
        yield from _read(index, lead, size, layout.block_size, kept=False)


def _read(index: int, start: int, end: int, block_size: int, *, kept: bool) -> Iterator[Step]:
    for position in range(start, end, block_size):
        yield Read(index, position, min(block_size, end - position), kept)


def _reserve(fill: int, length: int, part_size: int) -> int:
    """Return the fill after a reserved place, which lengthens its part instead of straddling two."""
    return 0 if fill + length >= part_size else fill + length


def _place(member: Member, copy_threshold: int, *, compute_crc: bool) -> Member:
    if not copy_threshold or member.source.size < copy_threshold:
        placement = Placement.STREAM
    elif member.source.crc32 is not None:
        placement = Placement.COPY
    else:
        placement = Placement.COPY_AND_READ if compute_crc else Placement.STREAM
    return member if member.placement is placement else replace(member, placement=placement)


def _find_part_size(members: Sequence[Member], smallest: int, range_size: int) -> int:
    """Return the part size that 10,000 parts need, bytes; 0 if it were too large."""
    written = parts = 0
    for member in members:
        size = member.source.size
        if member.placement is Placement.STREAM:
            written += _bound(size)
        else:
            written += _HEADERS
            parts += 1 + ceil(size / range_size)  # what its header ends with, and the ranges
    if parts >= MAX_PARTS - 1:
        return 0
    needed = ceil(written / (MAX_PARTS - 1 - parts) / MIB) * MIB  # the last part may be short
    return max(smallest, needed) if needed <= max(smallest, LARGEST_PART) else 0


def _bound(size: int) -> int:
    """Return the most bytes that a streamed member can take, headers and a deflate that does not shrink included."""
    return size + size // 1000 + _HEADERS

"""The archive's layout: the steps that write it, and the bytes that S3 copies by itself.

The steps depend only on the members' names, sizes and placements. An invocation that continues a job therefore derives
the same steps, and skips those that are done.

S3 requires 5 MiB in every part but the last. The worker reads and writes the first bytes of a copied member until the
part with its header is that long; S3 copies the rest as separate parts.
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
MAX_STREAMED_PART_SIZE = 24 * MIB
"""Bytes. Several parts are in memory at a time; larger ones would not fit into 256 MB."""
MAX_ARCHIVE_SIZE = 5 * 1024 * 1024 * MIB
"""S3's limit for one object, bytes."""
_MAX_HEADER_BYTES = 3400
"""Maximum of a member's two headers, bytes: twice a name of 1,024, which sanitising cannot lengthen, and extras."""
_RANGE_SIZES = (256 * MIB, 1024 * MIB, 4096 * MIB)
"""Maximum lengths of a copied part, bytes; shorter ranges allow more concurrent copies of a large object."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The members and sizes that the steps depend on."""

    members: Sequence[Member]
    part_size: int
    """Bytes of a written part."""
    range_size: int
    """Maximum bytes of a copied part."""
    block_size: int
    """Maximum bytes of one read."""
    compression: Compression


@dataclass(frozen=True, slots=True)
class Begin:
    """Member number ``index`` begins."""

    index: int


@dataclass(frozen=True, slots=True)
class Read:
    """A range of the member's bytes is read; it is appended if ``kept``, else only its CRC-32 is used."""

    index: int
    start: int
    length: int
    kept: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """S3 copies a range of the member's bytes as a separate part."""

    index: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class End:
    """Member number ``index`` is complete."""

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
    """Return a layout that fits the archive into S3's 10,000 parts.

    Each copied member takes at least two parts. If there are too many, the smaller ones are streamed after all, and
    ranges and parts get longer.

    Raises:
        LimitExceededError: no layout fits.
    """
    total = sum(_bound(member.source.size) for member in members)
    if total > MAX_ARCHIVE_SIZE:
        raise LimitExceededError(f"the archive would have about {total} bytes; S3's limit is {MAX_ARCHIVE_SIZE}")
    threshold = copy_threshold if compression == "stored" else 0
    for range_size in _RANGE_SIZES:
        minimum = threshold
        while True:
            placed = [_place(member, minimum, compute_crc=compute_crc) for member in members]
            size = _find_part_size(placed, part_size, range_size)
            if size:
                return Layout(placed, size, range_size, block_size, compression)
            if not any(member.placement for member in placed):
                break
            minimum *= 2
    most = max(part_size, MAX_STREAMED_PART_SIZE) * MAX_PARTS
    raise LimitExceededError(
        f"the archive would have about {total} bytes, more than can be streamed; "
        f"this worker streams at most {most} bytes (S3_PART_SIZE) in addition to what S3 copies by itself"
    )


def plan_steps(layout: Layout) -> Iterator[Step]:
    """Yield the archive's steps, in order."""
    fill = 0  # bytes in the part being filled; unknown, and not needed, for deflated members
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
    """Return whether a streamed object is read by at most one request: its CRC-32 is known before it is written."""
    return source.size <= block_size


def _copy(index: int, member: Member, lead: int, layout: Layout) -> Iterator[Step]:
    """Yield the steps of a copied member, whose first ``lead`` bytes have to be written."""
    size = member.source.size
    if lead:
        yield Read(index, 0, lead, kept=True)
    # Ranges of nearly equal length: none is below S3's minimum.
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
    """Return the fill after reserved space, which lengthens its part instead of spanning two."""
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
    """Return the part size that fits 10,000 parts, bytes; 0 if it would be too large."""
    written = parts = 0
    for member in members:
        size = member.source.size
        if member.placement is Placement.STREAM:
            written += _bound(size)
        else:
            written += _MAX_HEADER_BYTES
            parts += 1 + ceil(size / range_size)  # the part that its header ends in, and the ranges
    if parts >= MAX_PARTS - 1:
        return 0
    needed = ceil(written / (MAX_PARTS - 1 - parts) / MIB) * MIB  # the last part may be short
    return max(smallest, needed) if needed <= max(smallest, MAX_STREAMED_PART_SIZE) else 0


def _bound(size: int) -> int:
    """Return the maximum bytes of a streamed member, with headers and a deflate that does not shrink it."""
    return size + size // 1000 + _MAX_HEADER_BYTES

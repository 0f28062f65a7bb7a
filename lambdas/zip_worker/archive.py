"""Writing an archive from members whose bytes arrive in blocks.

Every header holds its member's CRC and sizes. A member of one block is complete before its header is written. For a
longer one the header's place is left open until the last block has passed; the part of the upload that contains it
waits in memory meanwhile, and the parts after it go ahead: S3 takes parts in any order. The bytes are therefore the
same whether a CRC was known beforehand or not.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from . import zipformat
from .crc import combine
from .parts import PartCutter
from .schemas import Compression, Member, Source
from .zipformat import DEFLATED, STORED, Entry

_DEFLATE_LEVEL = 6


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """A range of one source: ``length`` bytes from ``start``."""

    source: Source
    start: int
    length: int

    @property
    def is_whole(self) -> bool:
        """Whether the block is all of its source."""
        return self.length == self.source.size

    @property
    def is_last(self) -> bool:
        """Whether the source ends with the block."""
        return self.start + self.length == self.source.size


@dataclass(frozen=True, slots=True)
class Block:
    """The bytes of one :class:`BlockRequest`, already deflated where ``method`` says so."""

    data: bytes
    method: int
    size: int
    """Bytes before compression."""
    crc32: int
    """Of the bytes before compression."""


def block_requests(members: Iterable[Member], block_size: int) -> Iterator[BlockRequest]:
    """Yield what has to be read, in archive order, in blocks of at most ``block_size`` bytes; none if empty."""
    for member in members:
        source = member.source
        for start in range(0, source.size, block_size):
            yield BlockRequest(source, start, min(block_size, source.size - start))


def prepare_block(request: BlockRequest, data: bytes, compression: Compression) -> Block:
    """Checksum and deflate a block: the work that need not wait for its turn.

    The blocks of one member are deflated apart from each other and joined at byte boundaries, as pigz does, so that
    they can be worked on side by side. A member of one block that deflate does not make smaller (PDF, JPEG) is
    stored.
    """
    crc32 = zlib.crc32(data)
    if compression == "stored":
        return Block(data, STORED, len(data), crc32)
    compressor = zlib.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(data) + compressor.flush(zlib.Z_FINISH if request.is_last else zlib.Z_SYNC_FLUSH)
    if request.is_whole and len(deflated) >= len(data):
        return Block(data, STORED, len(data), crc32)
    return Block(deflated, DEFLATED, len(data), crc32)


def write_archive(
    members: Sequence[Member],
    blocks: Iterator[Block],
    cutter: PartCutter,
    *,
    block_size: int,
    compression: Compression,
    after_member: Callable[[Member], None],
    after_block: Callable[[int], None],
) -> None:
    """Write the whole archive into ``cutter``.

    Args:
        members: what the archive holds, in order.
        blocks: the blocks of :func:`block_requests` for the same members and ``block_size``, in the same order.
        cutter: takes the archive's bytes; its last part is the caller's to collect.
        block_size: bytes.
        compression: what was asked for, and is done to members of more than one block.
        after_member: called as each member is complete.
        after_block: called with the number of source bytes that each block brought.
    """
    directory = bytearray()
    for member in members:
        mine = islice(blocks, -(-member.source.size // block_size))
        counted = _counted(mine, after_block)
        if member.source.size <= block_size:
            entry = _write_small(member, next(counted, None), cutter)
        else:
            entry = _write_large(member, counted, cutter, compression)
        directory += zipformat.central_header(entry)
        after_member(member)
    start = cutter.position
    cutter.write(directory)
    cutter.write(zipformat.end_records(len(members), len(directory), start))


def _counted(blocks: Iterable[Block], after_block: Callable[[int], None]) -> Iterator[Block]:
    for block in blocks:
        after_block(block.size)
        yield block


def _write_small(member: Member, block: Block | None, cutter: PartCutter) -> Entry:
    """Write a member that is one block, or empty: its header is known before its data."""
    block = block or Block(b"", STORED, 0, 0)
    entry = Entry(
        name=member.name.encode(),
        modified=member.source.modified,
        method=block.method,
        crc32=block.crc32,
        compressed_size=len(block.data),
        size=block.size,
        offset=cutter.position,
        zip64=zipformat.needs_zip64(block.size, block.method),
    )
    cutter.write(zipformat.local_header(entry))
    cutter.write(block.data)
    return entry


def _write_large(member: Member, blocks: Iterable[Block], cutter: PartCutter, compression: Compression) -> Entry:
    """Write a member of several blocks: its header is filled in when they have passed."""
    name, modified, size = member.name.encode(), member.source.modified, member.source.size
    method = DEFLATED if compression == "deflated" else STORED
    zip64 = zipformat.needs_zip64(size, method)
    offset = cutter.position
    gap = cutter.reserve(zipformat.local_header_size(name, zip64=zip64, modified=modified))
    start = cutter.position
    crc32 = 0
    for block in blocks:
        crc32 = combine(crc32, block.crc32, block.size)
        cutter.write(block.data)
    entry = Entry(
        name=name,
        modified=modified,
        method=method,
        crc32=crc32,
        compressed_size=cutter.position - start,
        size=size,
        offset=offset,
        zip64=zip64,
    )
    cutter.fill(gap, zipformat.local_header(entry))
    return entry

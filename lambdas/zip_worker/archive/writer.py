"""The writer of an archive: performs the layout's steps.

Every header holds its member's CRC and sizes. A member of one block is complete before its header is written, and S3
knows the CRC of some others. For the rest the writer reserves space for the header until the last block has passed. The
part that contains the header waits in memory meanwhile, and later parts are uploaded first: S3 accepts parts in any
order. The archive's bytes therefore do not depend on how a CRC became known, or on who moved the bytes.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct

from zip_worker.job_record import Compression
from zip_worker.schemas import BlockRequest, CopiedRun, Member, Placement, Source
from zip_worker.settings import MIN_PART_SIZE

from . import zip_format
from .crc import combine, split
from .layout import Begin, Copy, End, Layout, Read, Step, is_in_one_block
from .part_buffer import Gap, PartCutter
from .zip_format import DEFLATED, STORED, Entry

_DEFLATE_LEVEL = 6
_RECORD = Struct("<LQB")
"""What the central directory needs of a member in addition to its name: CRC-32, compressed size, method."""
RECORD_SIZE = _RECORD.size


@dataclass(frozen=True, slots=True)
class Block:
    """The bytes of one :class:`BlockRequest`, already deflated if ``method`` says so."""

    data: bytes
    method: int
    size: int
    """Bytes before compression."""
    crc32: int
    """Of the bytes before compression."""


@dataclass(slots=True)
class Cursor:
    """The writer's position: with the cutter's buffers, all that another process needs to continue."""

    steps: int = 0
    """Completed steps."""
    offset: int = 0
    """Of the current member's local header, bytes."""
    crc32: int = 0
    """Of the current member's bytes read so far."""
    method: int = STORED
    gap: tuple[int, int, int] | None = None
    """The space reserved for the current member's header: part, start, length."""
    lead_crc32: int = 0
    """Of the bytes read before the first copied range."""
    copied: int = 0
    """Bytes of copied ranges."""
    first_copy: int = 0
    last_copy: int = 0


def prepare_block(request: BlockRequest, data: bytes, compression: Compression) -> Block:
    """Return the block with its CRC-32, deflated: the work that threads do ahead of the block's turn.

    The blocks of one member are deflated independently and joined at byte boundaries, as pigz does, so that threads can
    work on them concurrently. A member of one block that deflate does not make smaller (PDF, JPEG) is stored.
    """
    crc32 = zlib.crc32(data)
    if compression == "stored":
        return Block(data if request.kept else b"", STORED, len(data), crc32)
    compressor = zlib.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(data) + compressor.flush(zlib.Z_FINISH if request.is_last else zlib.Z_SYNC_FLUSH)
    if request.is_whole and len(deflated) >= len(data):
        return Block(data, STORED, len(data), crc32)
    return Block(deflated, DEFLATED, len(data), crc32)


class ArchiveWriter:
    """Performs the steps of a layout in order, starting at any of them.

    ``copy`` is called with the number of a part, its source, and the start and length of the copied range.
    """

    def __init__(self, layout: Layout, cutter: PartCutter, copy: Callable[[int, Source, int, int], None]) -> None:
        self._layout = layout
        self._cutter = cutter
        self._copy = copy
        self.cursor = Cursor()
        self.records = bytearray()
        """The members' records, from which :meth:`finish` makes the central directory."""
        self.runs: list[CopiedRun] = []

    def restore(self, cursor: Cursor, records: bytes, runs: Sequence[CopiedRun]) -> None:
        """Continue where another writer of the same layout stopped; the cutter must be restored, too."""
        self.cursor = cursor
        self.records = bytearray(records)
        self.runs = list(runs)

    def do(self, step: Step, block: Block | None = None) -> None:
        """Perform the next step; a step that reads needs its ``block``."""
        member = self._layout.members[step.index]
        match step:
            case Begin():
                self._begin(member)
            case Read():
                self._write(member, block)
            case Copy():
                self._place(member, step)
            case End():
                self._end(member)
        self.cursor.steps += 1

    def finish(self) -> None:
        """Write the central directory; the caller collects the cutter's last part."""
        cutter = self._cutter
        start, offset = cutter.position, 0
        for member, record in zip(self._layout.members, _RECORD.iter_unpack(self.records), strict=True):
            crc32, compressed_size, method = record
            entry = self._describe(member, method, crc32, compressed_size, offset)
            cutter.write(zip_format.central_header(entry))
            offset += self._measure_header(member, method) + compressed_size
        if offset != start:
            raise ValueError(f"the members end at {start}, but their sizes add up to {offset}")
        count = len(self._layout.members)
        cutter.write(zip_format.end_records(count, cutter.position - start, start))

    def _begin(self, member: Member) -> None:
        self.cursor = cursor = Cursor(steps=self.cursor.steps, offset=self._cutter.position)
        source = member.source
        if member.placement is Placement.COPY and source.crc32 is not None:
            self._write_header(member, source.crc32, source.size)
        elif member.placement is Placement.COPY_AND_READ or not is_in_one_block(source, self._layout.block_size):
            cursor.method = DEFLATED if self._layout.compression == "deflated" else STORED
            gap = self._cutter.reserve(self._measure_header(member, cursor.method))
            cursor.gap = (gap.number, gap.start, gap.length)
        elif not source.size:
            self._write_header(member, 0, 0)

    def _write(self, member: Member, block: Block | None) -> None:
        if block is None:
            raise ValueError(f"no block for {member.name!r}")
        cursor = self.cursor
        if member.placement is Placement.STREAM and cursor.gap is None:
            cursor.method = block.method
            self._write_header(member, block.crc32, len(block.data))
        cursor.crc32 = combine(cursor.crc32, block.crc32, block.size)
        self._cutter.write(block.data)

    def _place(self, member: Member, step: Copy) -> None:
        cursor = self.cursor
        number = self._cutter.skip(step.length, MIN_PART_SIZE)
        if not cursor.copied:
            cursor.first_copy, cursor.lead_crc32 = number, cursor.crc32
        cursor.last_copy = number
        cursor.copied += step.length
        self._copy(number, member.source, step.start, step.length)

    def _end(self, member: Member) -> None:
        cursor = self.cursor
        crc32 = cursor.crc32
        if member.placement is Placement.COPY and member.source.crc32 is not None:
            crc32 = member.source.crc32
        if cursor.copied:
            rest = split(crc32, cursor.lead_crc32, cursor.copied)
            self.runs.append(CopiedRun(cursor.first_copy, cursor.last_copy, cursor.copied, rest, member.source.key))
        size = self._cutter.position - cursor.offset - self._measure_header(member, cursor.method)
        if cursor.gap:
            entry = self._describe(member, cursor.method, crc32, size, cursor.offset)
            self._cutter.fill(Gap(*cursor.gap), zip_format.local_header(entry))
        self.records += _RECORD.pack(crc32, size, cursor.method)

    def _write_header(self, member: Member, crc32: int, compressed_size: int) -> None:
        entry = self._describe(member, self.cursor.method, crc32, compressed_size, self.cursor.offset)
        self._cutter.write(zip_format.local_header(entry))

    def _describe(self, member: Member, method: int, crc32: int, compressed_size: int, offset: int) -> Entry:
        size = member.source.size
        return Entry(
            name=member.name.encode(),
            modified=member.source.modified,
            method=method,
            crc32=crc32,
            compressed_size=compressed_size,
            size=size,
            offset=offset,
            zip64=zip_format.needs_zip64(size, method),
        )

    def _measure_header(self, member: Member, method: int) -> int:
        zip64 = zip_format.needs_zip64(member.source.size, method)
        return zip_format.local_header_size(member.name.encode(), zip64=zip64, modified=member.source.modified)

"""Cutting the archive's byte stream into the parts of a multipart upload."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class PartBuffer:
    """The bytes of a part that has not been handed on yet."""

    number: int
    data: bytearray = field(default_factory=bytearray)
    gaps: int = 0
    """Reserved places that are not filled yet."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A reserved place in the stream, to be filled once what stands there is known."""

    number: int
    """Of the part that it is in."""
    start: int
    length: int


class PartCutter:
    """Cuts what is written into numbered parts of ``part_size`` bytes and hands them on as they fill.

    A part may be handed on later than those after it: one with a gap waits, in memory, until the gap is filled.
    A gap never straddles two parts: the part that it ends is longer instead. No part but the last is ever below
    ``part_size``, save those that :meth:`skip` ends.
    """

    def __init__(self, part_size: int, hand_on: Callable[[int, bytes], None]) -> None:
        self._part_size = part_size
        self._hand_on = hand_on
        self._part = PartBuffer(number=1)
        self._waiting: dict[int, PartBuffer] = {}
        self.position = 0
        """Bytes written so far, gaps included: the offset in the archive of what comes next."""

    def write(self, data: bytes | bytearray) -> None:
        """Append ``data``, across as many parts as it takes."""
        view = memoryview(data)
        while view:
            room = self._part_size - len(self._part.data)
            self._part.data += view[:room]
            self._advance(min(room, len(view)))
            view = view[room:]

    def reserve(self, length: int) -> Gap:
        """Leave ``length`` bytes open, to be given to :meth:`fill` later."""
        gap = Gap(self._part.number, len(self._part.data), length)
        self._part.data += bytes(length)
        self._part.gaps += 1
        self._advance(length)
        return gap

    def fill(self, gap: Gap, data: bytes) -> None:
        """Put ``data`` where it was reserved; it must be as long as announced."""
        if len(data) != gap.length:
            raise ValueError(f"{len(data)} bytes for a gap of {gap.length}")
        part = self._waiting.get(gap.number, self._part)
        part.data[gap.start : gap.start + gap.length] = data
        part.gaps -= 1
        if part is not self._part and not part.gaps:
            del self._waiting[part.number]
            self._hand_on(part.number, bytes(part.data))

    def skip(self, length: int, least: int) -> int:
        """Leave a part of ``length`` bytes to someone else, and return its number; the part before it ends here.

        Raises:
            ValueError: that part has fewer than ``least`` bytes.
        """
        if self._part.data:
            if len(self._part.data) < least:
                raise ValueError(f"part {self._part.number} would have {len(self._part.data)} bytes")
            self._end_part()
        number = self._part.number
        self._part = PartBuffer(number + 1)
        self.position += length
        return number

    def finish(self) -> tuple[int, bytes]:
        """Return the number and bytes of the last part, which may be short; there is always one."""
        if self._part.gaps or self._waiting:
            raise ValueError("the last part still has a gap")
        return self._part.number, bytes(self._part.data)

    @property
    def buffers(self) -> list[PartBuffer]:
        """The parts that are not handed on yet, the one that is being filled last; not to be changed."""
        return [*self._waiting.values(), self._part]

    def restore(self, position: int, buffers: Sequence[PartBuffer]) -> None:
        """Go on where another cutter was that had written ``position`` bytes and had these ``buffers``."""
        *waiting, self._part = buffers
        self._waiting = {part.number: part for part in waiting}
        self.position = position

    def _advance(self, length: int) -> None:
        self.position += length
        if len(self._part.data) >= self._part_size:
            self._end_part()

    def _end_part(self) -> None:
        part = self._part
        self._part = PartBuffer(part.number + 1)
        if part.gaps:
            self._waiting[part.number] = part
        else:
            self._hand_on(part.number, bytes(part.data))

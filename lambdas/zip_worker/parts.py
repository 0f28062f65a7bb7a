"""Cutting the archive's byte stream into the parts of a multipart upload."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Part:
    number: int
    data: bytearray = field(default_factory=bytearray)
    gaps: int = 0
    """Reserved places that are not filled yet."""
    full: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A reserved place in the stream, to be filled once what stands there is known."""

    part: _Part
    start: int
    length: int


class PartCutter:
    """Cuts what is written into numbered parts of ``part_size`` bytes and hands them on as they fill.

    A part may be handed on later than those after it: one with a gap waits, in memory, until the gap is filled.
    A gap never straddles two parts: the part that it ends is longer instead, so no part but the last is ever below
    ``part_size``.
    """

    def __init__(self, part_size: int, hand_on: Callable[[int, bytes], None]) -> None:
        self._part_size = part_size
        self._hand_on = hand_on
        self._part = _Part(number=1)
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
        gap = Gap(self._part, len(self._part.data), length)
        self._part.data += bytes(length)
        self._part.gaps += 1
        self._advance(length)
        return gap

    def fill(self, gap: Gap, data: bytes) -> None:
        """Put ``data`` where it was reserved; it must be as long as announced."""
        if len(data) != gap.length:
            raise ValueError(f"{len(data)} bytes for a gap of {gap.length}")
        part = gap.part
        part.data[gap.start : gap.start + gap.length] = data
        part.gaps -= 1
        if part.full and not part.gaps:
            self._hand_on(part.number, bytes(part.data))

    def finish(self) -> tuple[int, bytes]:
        """Return the number and bytes of the last part, which may be short; there is always one."""
        if self._part.gaps:
            raise ValueError("the last part still has a gap")
        return self._part.number, bytes(self._part.data)

    def _advance(self, length: int) -> None:
        self.position += length
        part = self._part
        if len(part.data) >= self._part_size:
            part.full = True
            self._part = _Part(part.number + 1)
            if not part.gaps:
                self._hand_on(part.number, bytes(part.data))

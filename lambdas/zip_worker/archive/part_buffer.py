"""The cutter of the archive's byte stream into the parts of a multipart upload."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class PartBuffer:
    """The bytes of a part that has not been handed on yet."""

    number: int
    data: bytearray = field(default_factory=bytearray)
    gaps: int = 0
    """Number of gaps that are not filled yet."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Reserved space in the stream, to be filled once its content is known."""

    number: int
    """Of the part that contains it."""
    start: int
    length: int


class PartCutter:
    """Cuts the stream into numbered parts of ``part_size`` bytes and passes them to ``hand_on`` as they fill.

    A part with a gap waits in memory until the gap is filled; later parts are handed on before it. A gap never spans
    two parts: the part that it ends is longer instead. Only the last part, and parts that :meth:`skip` ends, may be
    smaller than ``part_size``.
    """

    def __init__(self, part_size: int, hand_on: Callable[[int, bytes], None]) -> None:
        self._part_size = part_size
        self._hand_on = hand_on
        self._part = PartBuffer(number=1)
        self._waiting: dict[int, PartBuffer] = {}
        self.position = 0
        """Bytes written so far, gaps included: the offset in the archive of the next byte."""

    def write(self, data: bytes | bytearray) -> None:
        """Append ``data``, over as many parts as needed."""
        view = memoryview(data)
        while view:
            room = self._part_size - len(self._part.data)
            self._part.data += view[:room]
            self._advance(min(room, len(view)))
            view = view[room:]

    def reserve(self, length: int) -> Gap:
        """Reserve ``length`` bytes, for :meth:`fill` to write later."""
        gap = Gap(self._part.number, len(self._part.data), length)
        self._part.data += bytes(length)
        self._part.gaps += 1
        self._advance(length)
        return gap

    def fill(self, gap: Gap, data: bytes) -> None:
        """Write ``data`` into its gap; the lengths must be equal."""
        if len(data) != gap.length:
            raise ValueError(f"{len(data)} bytes for a gap of {gap.length}")
        part = self._waiting.get(gap.number, self._part)
        part.data[gap.start : gap.start + gap.length] = data
        part.gaps -= 1
        if part is not self._part and not part.gaps:
            del self._waiting[part.number]
            self._hand_on(part.number, bytes(part.data))

    def skip(self, length: int, minimum: int) -> int:
        """End the current part and leave the next one, of ``length`` bytes, to S3; return its number.

        Raises:
            ValueError: the ended part has fewer than ``minimum`` bytes.
        """
        if self._part.data:
            if len(self._part.data) < minimum:
                raise ValueError(f"part {self._part.number} would have {len(self._part.data)} bytes")
            self._end_part()
        number = self._part.number
        self._part = PartBuffer(number + 1)
        self.position += length
        return number

    def finish(self) -> tuple[int, bytes]:
        """Return number and bytes of the last part, which always exists and may be short."""
        if self._part.gaps or self._waiting:
            raise ValueError("the last part still has a gap")
        return self._part.number, bytes(self._part.data)

    @property
    def buffers(self) -> list[PartBuffer]:
        """The parts that are not handed on yet, ending with the one being filled; callers must not change them."""
        return [*self._waiting.values(), self._part]

    def restore(self, position: int, buffers: Sequence[PartBuffer]) -> None:
        """Continue where another cutter stopped that had written ``position`` bytes and held ``buffers``."""
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

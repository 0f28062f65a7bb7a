"""The prefetcher: fetches segments of objects before they are needed, within a byte budget."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from dataset_download.runtime.thread_pools import Pool, get_pool

from .objects import DataFile, RangeReader

CONNECTIONS = 8
PEEKED_BYTES, PEEKED_BLOCKS = 64 * 1024, 64
"""Size and number of the cached blocks for peeks into segments that were already released."""
NEAR_BYTES = 8 * 1024
"""A peek this close after the last block suggests more peeks, since pages are small; a whole block is then fetched."""


@dataclass
class Segment:
    """A range that will be needed."""

    file: DataFile
    start: int
    end: int
    """Exclusive."""
    group: int
    """The row group after which the segment is not needed any more."""
    unread: int = 0
    future: Future[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.unread = self.unread or self.end - self.start


class ReadAhead:
    """Fetches segments in the given order (a few segments: the largest first) and returns their bytes.

    At most `budget` bytes are in flight or in memory, unless one segment alone is larger. A read outside all segments
    goes to S3 directly.
    """

    def __init__(self, reader: RangeReader, segments: Sequence[Segment], budget: int) -> None:
        self._reader = reader
        self.budget = budget
        self._waiting = deque(order_fetches(segments))
        self._held: dict[tuple[str, int], Segment] = {}
        self._held_bytes = 0
        self._by_start: dict[str, list[Segment]] = {}
        for segment in sorted(segments, key=lambda segment: segment.start):
            self._by_start.setdefault(segment.file.key, []).append(segment)
        self._peeked: deque[tuple[str, int, bytes]] = deque(maxlen=PEEKED_BLOCKS)
        self._pool = get_pool(Pool.READING)
        self._top_up()

    def read(self, file: DataFile, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`; waits for segments in flight."""
        parts = []
        while start < end:
            segment = self._find(file, start)
            if segment is None:
                parts.append(self._reader.read(file, start, end))
                break
            part_end = min(end, segment.end)
            parts.append(self._take(segment, start, part_end))
            start = part_end
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek(self, file: DataFile, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end` without consuming them."""
        parts = []
        while start < end:
            segment = self._find(file, start)
            if segment is None:
                parts.append(self._read_again(file, start, end))
                break
            part_end = min(end, segment.end)
            future = segment.future or self._start(segment)
            parts.append(future.result()[start - segment.start : part_end - segment.start])
            start = part_end
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_again(self, file: DataFile, start: int, end: int) -> bytes:
        """Return bytes of a released segment, or outside all segments: mostly page headers, many close together."""
        if end - start > PEEKED_BYTES:
            return self._reader.read(file, start, end)
        for key, first, data in self._peeked:
            if key == file.key and first <= start and end <= first + len(data):
                return data[start - first : end - first]
        is_near = any(
            key == file.key and 0 <= start - first - len(data) < NEAR_BYTES for key, first, data in self._peeked
        )
        block = self._reader.read(file, start, min(file.size, start + PEEKED_BYTES) if is_near else end)
        self._peeked.append((file.key, start, block))
        return block[: end - start]

    def finish(self, group: int) -> None:
        """Release the segments of a group and of those before it."""
        for segment in [each for each in self._held.values() if each.group <= group]:
            self._release(segment)
        while self._waiting and self._waiting[0].group <= group:
            self._waiting.popleft()
        self._top_up()

    def close(self) -> None:
        """Stop fetching; segments in flight (at most CONNECTIONS) are dropped when they arrive."""
        self._waiting.clear()
        for segment in list(self._held.values()):
            self._release(segment)

    def _find(self, file: DataFile, position: int) -> Segment | None:
        segments = self._by_start.get(file.key, [])
        number = bisect_right(segments, position, key=lambda segment: segment.start) - 1
        if number < 0 or position >= segments[number].end or not segments[number].unread:
            return None
        return segments[number]

    def _take(self, segment: Segment, start: int, end: int) -> bytes:
        future = segment.future or self._start(segment)
        data = future.result()[start - segment.start : end - segment.start]
        segment.unread -= end - start
        if segment.unread <= 0:
            self._release(segment)
            self._top_up()
        return data

    def _start(self, segment: Segment) -> Future[bytes]:
        segment.future = self._pool.submit(self._reader.read, segment.file, segment.start, segment.end)
        self._held[segment.file.key, segment.start] = segment
        self._held_bytes += segment.end - segment.start
        return segment.future

    def _release(self, segment: Segment) -> None:
        segment.unread = 0
        if self._held.pop((segment.file.key, segment.start), None) is not None:
            self._held_bytes -= segment.end - segment.start
        if segment.future is not None:
            segment.future.cancel()
            segment.future = None

    def _top_up(self) -> None:
        while self._waiting:
            segment = self._waiting[0]
            size = segment.end - segment.start
            if self._held and self._held_bytes + size > self.budget:
                return
            self._waiting.popleft()
            if segment.future is None and segment.unread:
                self._start(segment)


def order_fetches(segments: Sequence[Segment]) -> Sequence[Segment]:
    """Return the segments in fetch order: if each has its own connection, the largest first, since all are awaited.

    Requests start some milliseconds apart.
    """
    if len(segments) > CONNECTIONS:
        return segments
    return sorted(segments, key=lambda segment: segment.start - segment.end)

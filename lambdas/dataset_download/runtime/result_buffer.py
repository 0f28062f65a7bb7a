"""Buffered results: complete before their first byte is sent, so that their size is known."""

import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

MEMORY_BYTES = 1024 * 1024
"""The largest result kept in memory; larger ones go to a temporary file."""
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class BufferedResult:
    """A complete result, uncompressed."""

    size: int
    rows: int
    _data: bytes
    _file: "_Descriptor | None"

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``end`` in chunks; several threads may read at the same time."""
        while start < end:
            stop = min(end, start + CHUNK_BYTES)
            yield self._data[start:stop] if self._file is None else os.pread(self._file.number, stop - start, start)
            start = stop


class _Descriptor:
    """The descriptor of an unnamed file, which disappears with this object."""

    def __init__(self, file: IO[bytes]) -> None:
        self.number = os.dup(file.fileno())

    def __del__(self) -> None:
        os.close(self.number)


class ResultBuffer:
    """Collects the chunks of a result in memory, then in a temporary file."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._size = 0

    def add_all(self, chunks: Iterable[bytes], limit: int) -> bool:
        """Add chunks up to ``limit`` bytes; return whether all chunks fit."""
        for chunk in chunks:
            self._size += len(chunk)
            if self._size > limit:
                self.close()
                return False
            self._add(chunk)
        return True

    def finish(self, rows: int) -> BufferedResult:
        """Return the complete result."""
        descriptor = None
        if self._file:
            self._file.flush()
            descriptor = _Descriptor(self._file)
        result = BufferedResult(self._size, rows, b"".join(self._chunks), descriptor)
        self.close()
        return result

    def close(self) -> None:
        """Discard all chunks."""
        self._chunks = []
        if self._file:
            self._file.close()

    def _add(self, chunk: bytes) -> None:
        if self._file is None and self._size > MEMORY_BYTES:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # BufferedResult keeps it
            self._file.writelines(self._chunks)
            self._chunks = []
        if self._file is None:
            self._chunks.append(chunk)
        else:
            self._file.write(chunk)


class ResultCache:
    """An LRU cache of results read in ranges, by tag: a client that reads one range usually reads more."""

    def __init__(self, max_entries: int = 8, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._lock = threading.Lock()
        self._results: OrderedDict[str, BufferedResult] = OrderedDict()

    def get(self, tag: str) -> BufferedResult | None:
        """Return a cached result, or None."""
        with self._lock:
            if tag in self._results:
                self._results.move_to_end(tag)
            return self._results.get(tag)

    def put(self, tag: str, result: BufferedResult) -> None:
        """Cache a result and evict the least recently used ones."""
        with self._lock:
            self._results[tag] = result
            while (
                len(self._results) > self._max_entries
                or sum(each.size for each in self._results.values()) > self._max_bytes
            ):
                self._results.popitem(last=False)

"""Answers that are made to their end before their first byte leaves: how large they are is then certain."""

import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

MEMORY_BYTES = 1024 * 1024
"""Kept in memory; what is larger goes to a temporary file."""
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class BufferedResult:
    """A whole answer, not compressed."""

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
    """An open file without a name: it is gone with this object."""

    def __init__(self, file: IO[bytes]) -> None:
        self.number = os.dup(file.fileno())

    def __del__(self) -> None:
        os.close(self.number)


class ResultBuffer:
    """Takes the pieces of an answer one after another."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._size = 0

    def add_all(self, chunks: Iterable[bytes], limit: int) -> bool:
        """Take pieces until there are more than ``limit`` bytes; return whether they are all."""
        for chunk in chunks:
            self._size += len(chunk)
            if self._size > limit:
                self.close()
                return False
            self._add(chunk)
        return True

    def finish(self, rows: int) -> BufferedResult:
        """Return the answer."""
        descriptor = None
        if self._file:
            self._file.flush()
            descriptor = _Descriptor(self._file)
        result = BufferedResult(self._size, rows, b"".join(self._chunks), descriptor)
        self.close()
        return result

    def close(self) -> None:
        """Forget all."""
        self._chunks = []
        if self._file:
            self._file.close()

    def _add(self, chunk: bytes) -> None:
        if self._file is None and self._size > MEMORY_BYTES:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # Held keeps it
            self._file.writelines(self._chunks)
            self._chunks = []
        if self._file is None:
            self._chunks.append(chunk)
        else:
            self._file.write(chunk)


class ResultCache:
    """The last answers that were asked for in ranges, by tag: who reads one part will read others."""

    def __init__(self, max_entries: int = 8, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._lock = threading.Lock()
        self._results: OrderedDict[str, BufferedResult] = OrderedDict()

    def get(self, tag: str) -> BufferedResult | None:
        """Return an answer that is still known."""
        with self._lock:
            if tag in self._results:
                self._results.move_to_end(tag)
            return self._results.get(tag)

    def put(self, tag: str, result: BufferedResult) -> None:
        """Remember an answer; those unused for longest are forgotten."""
        with self._lock:
            self._results[tag] = result
            while (
                len(self._results) > self._max_entries
                or sum(each.size for each in self._results.values()) > self._max_bytes
            ):
                self._results.popitem(last=False)

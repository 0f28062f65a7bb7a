"""The memory budget: shares of the function's memory for each use."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
USABLE = 0.85
BASE_BYTES = 236 * MIB
"""Memory of the idle process, the read-ahead and the parts being uploaded."""
MIN_BYTES = 64 * MIB
COPIES = 5
"""Copies of a large row: decoded, as text, as a chunk of the result, in the send buffer, and the next row."""
FOOTER_COPIES = 12
"""Size of a footer in memory, relative to its size in the file."""


@dataclass(frozen=True)
class Memory:
    """The memory budget of a response in bytes, in addition to the read-ahead."""

    left: int
    """The whole budget."""
    batch: int
    """Expected size of a decoded batch, estimated from its pages."""

    @classmethod
    def of(cls, total: int) -> Memory:
        """Return the budget of a process that has `total` bytes for one response at a time."""
        left = max(MIN_BYTES, int(total * USABLE) - BASE_BYTES)
        # The bound makes batches, and thus the bytes of Parquet output, equal in all functions of 512 MB and more.
        return cls(left=left, batch=min(13 * MIB, left // 15))

    @property
    def half(self) -> Memory:
        """The budget of each of two readers of the same rows."""
        return Memory(self.left // 2, self.batch // 2)

    @property
    def rows(self) -> int:
        """The worst-case size of a batch, and so of a single row, when its pages are small."""
        return self.left // COPIES

    @property
    def text(self) -> int:
        """The budget for the text of a slice of rows, or of a single row."""
        return 2 * self.rows

    @property
    def encoding(self) -> int:
        """The budget for rows being encoded and text waiting to be sent."""
        return self.batch // 3

    @property
    def sort(self) -> int:
        """The budget for rows held by a sort. A sort holds them twice, so it uses half of the memory."""
        return self.left // 4

    @property
    def during_sort(self) -> Memory:
        """The budget of the reader during a sort: the other half."""
        return Memory(self.left // 2, self.batch)

    @property
    def footers(self) -> int:
        """The total size of the footers of a dataset's files."""
        return self.left // FOOTER_COPIES

    def without(self, footers: int) -> Memory:
        """Return the budget that remains after footers of `footers` bytes."""
        return Memory(max(1, self.left - FOOTER_COPIES * footers), self.batch)

    def find_room(self, pages: int) -> float:
        """Return the worst-case size of a batch, given the size of the open Parquet pages and dictionaries."""
        return max(1.0, (self.left - pages) / COPIES)


DEFAULT_MEMORY = Memory.of(512 * MIB)

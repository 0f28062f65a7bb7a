"""How the function's memory is shared out."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
USABLE = 0.85
BASE_BYTES = 236 * MIB
"""Of the process without any answer, of what is read ahead, and of parts that are uploaded."""
MIN_BYTES = 64 * MIB
COPIES = 5
"""How often a large row is held: decoded, as text, as a piece of the answer, on its way out, and the next one."""
FOOTER_COPIES = 12
"""How many times as large as in its file a footer is in memory."""


@dataclass(frozen=True)
class Memory:
    """What an answer may take, in bytes, beside what is read ahead."""

    left: int
    """All of it."""
    batch: int
    """Rows that are decoded at once, as far as their pages let expect."""

    @classmethod
    def of(cls, total: int) -> Memory:
        """Return the shares of a process that has `total` bytes for one answer at a time."""
        left = max(MIN_BYTES, int(total * USABLE) - BASE_BYTES)
        # Bounded so that functions of 512 MB and more have the same: Parquet's row groups, and so its bytes, follow it.
        return cls(left=left, batch=min(13 * MIB, left // 15))

    @property
    def half(self) -> Memory:
        """What each of two readers of the same rows may take."""
        return Memory(self.left // 2, self.batch // 2)

    @property
    def rows(self) -> int:
        """What a batch may take at the worst where its pages take little: a single row may be so large."""
        return self.left // COPIES

    @property
    def text(self) -> int:
        """What the text of a slice of rows, or of a single row, may take."""
        return 2 * self.rows

    @property
    def encoding(self) -> int:
        """Rows that are being encoded, and text that waits to be sent."""
        return self.batch // 3

    @property
    def sort(self) -> int:
        """Rows that are held to be sorted. They are held twice: half of the memory."""
        return self.left // 4

    @property
    def during_sort(self) -> Memory:
        """What the reader may take while rows are held to be sorted: the other half."""
        return Memory(self.left // 2, self.batch)

    @property
    def footers(self) -> int:
        """What the footers of a dataset's files may have together."""
        return self.left // FOOTER_COPIES

    def without(self, footers: int) -> Memory:
        """Return what is left beside footers of so many bytes."""
        return Memory(max(1, self.left - FOOTER_COPIES * footers), self.batch)

    def find_room(self, pages: int) -> float:
        """Return what a batch may take at the worst beside the open pages of Parquet, with dictionaries."""
        return max(1.0, (self.left - pages) / COPIES)


DEFAULT_MEMORY = Memory.of(512 * MIB)

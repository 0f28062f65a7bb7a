"""Buffers for parts, bounded per file and reused."""

import asyncio
from collections.abc import Callable

from csv_streamer.exceptions import FileError

MIB = 1024 * 1024


class Buffers:
    """Hands out byte arrays, at most ``budget`` bytes of them at once."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._used = 0
        self._free: list[bytearray] = []
        self._sizes: dict[int, int] = {}
        self._changed = asyncio.Condition()
        self._failure: BaseException | None = None

    async def take(self, size: int) -> bytearray:
        """Return ``size`` bytes of any content, as soon as the budget allows.

        Raises:
            FileError: a single part is larger than the budget.
            Exception: the error given to :meth:`fail`; filling another part would be useless.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._can_give(size))
            return self._give(size)

    async def take_unless(self, size: int, is_needless: Callable[[], bool]) -> bytearray | None:
        """As :meth:`take`, but return None if the buffer is no longer needed; :meth:`wake` triggers a new check."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._can_give(size) or is_needless())
            return None if self._failure is None and is_needless() else self._give(size)

    async def wake(self) -> None:
        """Let waiting callers check again whether they still need a buffer."""
        async with self._changed:
            self._changed.notify_all()

    def _can_give(self, size: int) -> bool:
        if size > self._budget:
            raise FileError(
                f"needs parts of {size // MIB} MB, and {self._budget // MIB} MB is all the memory for one file: "
                "raise S3_PART_MB (and the function's memory)"
            )
        return self._failure is not None or self._used + size <= self._budget

    def _give(self, size: int) -> bytearray:
        if self._failure:
            raise self._failure
        self._used += size
        buffer = self._find_free(size)
        self._sizes[id(buffer)] = size
        return buffer

    def _find_free(self, size: int) -> bytearray:
        for index, buffer in enumerate(self._free):
            if len(buffer) == size:
                return self._free.pop(index)
        self._free.clear()  # the parts' size has changed: these would be memory beyond the budget
        return bytearray(size)

    async def give_back(self, buffer: bytearray) -> None:
        """Take back a buffer; one that was cut is not used again."""
        async with self._changed:
            size = self._sizes.pop(id(buffer))
            self._used -= size
            if len(buffer) == size:
                self._free.append(buffer)
            self._changed.notify_all()

    async def fail(self, error: BaseException) -> None:
        """Make all present and future waits for a buffer fail with ``error``."""
        async with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

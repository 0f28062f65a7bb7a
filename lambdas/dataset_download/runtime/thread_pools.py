"""Thread pools of the process. All responses share them, so that requests do not add threads.

To avoid deadlocks, a LISTING task may wait for OPENING tasks, and both may wait for tasks of the other pools, which
wait for no other pool.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import cache


class Pool(Enum):
    """A pool, named after its task, and its number of threads."""

    LISTING = ("listing", 8)
    """Opens the datasets of a catalogue page."""
    OPENING = ("opening", 8)
    """Reads the footers of a folder's files."""
    READING = ("reading", 32)
    """Prefetches ranges."""
    ENCODING = ("encoding", min(4, os.cpu_count() or 1))
    """Encodes batches as text or Parquet."""
    UPLOADING = ("uploading", 6)
    """Uploads parts of exports."""

    @property
    def threads(self) -> int:
        """The maximum number of threads."""
        return self.value[1]


@cache
def get_pool(pool: Pool) -> ThreadPoolExecutor:
    """Return the process's pool of this kind; it is never closed."""
    name, threads = pool.value
    return ThreadPoolExecutor(threads, thread_name_prefix=name)

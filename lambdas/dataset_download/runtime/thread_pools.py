"""The process's threads: a few pools that all answers share, so that their number does not grow with the requests.

A task of one pool may wait for tasks of another only in this order: LISTING, OPENING, the rest. The rest wait for
nothing.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import cache


class Pool(Enum):
    """A pool by what its threads do, with their number."""

    LISTING = ("listing", 8)
    """Open the datasets of a catalogue's page."""
    OPENING = ("opening", 8)
    """Read the footers of a folder's files."""
    READING = ("reading", 32)
    """Fetch ranges ahead."""
    ENCODING = ("encoding", min(4, os.cpu_count() or 1))
    """Make text or Parquet of batches."""
    UPLOADING = ("uploading", 6)
    """Send parts of exports."""

    @property
    def threads(self) -> int:
        """How many threads it has at most."""
        return self.value[1]


@cache
def get_pool(pool: Pool) -> ThreadPoolExecutor:
    """Return the process's one pool of a kind; nobody closes it."""
    name, threads = pool.value
    return ThreadPoolExecutor(threads, thread_name_prefix=name)

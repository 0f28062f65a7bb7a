"""Parquet datasets in S3 as CSV, JSON, JSON Lines or Parquet: filtered, streamed, browsable."""

import ctypes
import os

# Arrow's allocator reads this variable when it is loaded. Batches seldom fill a huge page: without huge pages, peak
# memory is a seventh lower, and the kernel does not clear 2 MB for the first byte of each.
os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")

# glibc gives each thread its own heap, and each heap keeps the memory that its thread has freed: text and upload parts
# of some megabytes. Two heaps are enough under the GIL, and peak memory is 12 MB lower.
_M_ARENA_MAX, _HEAPS = -8, 2
getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)(_M_ARENA_MAX, _HEAPS)

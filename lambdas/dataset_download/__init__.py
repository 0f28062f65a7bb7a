"""Parquet datasets in S3 as CSV, JSON, JSON Lines or Parquet: filtered, streamed, browsable."""

import ctypes
import os

# Arrow's allocator asks the kernel for huge pages, and reads this as it is loaded. Answers come in batches that seldom
# fill one: without them peak memory is a seventh less, and there are no 2 MB to clear for the first byte of each.
os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")

# glibc gives each thread a heap of its own, and each keeps what its thread has freed: text and parts of uploads, some
# megabytes at a time. Two heaps are enough where Python's lock lets one thread run, and peak memory is 12 MB less.
_M_ARENA_MAX, _HEAPS = -8, 2
getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)(_M_ARENA_MAX, _HEAPS)

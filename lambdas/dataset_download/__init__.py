"""Parquet datasets in S3 as CSV, JSON, JSON Lines or Parquet: filtered, streamed, browsable."""

import os

# Arrow's allocator asks the kernel for huge pages, and reads this as it is loaded. Answers come in batches that seldom
# fill one: without them peak memory is a seventh less, and there are no 2 MB to clear for the first byte of each.
os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")

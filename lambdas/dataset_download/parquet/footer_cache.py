"""The footer cache: footers are read with one request and kept between the invocations of a warm function."""

import threading
from collections import OrderedDict
from contextlib import nullcontext
from functools import cache

from dataset_download.exceptions import CorruptDatasetError, MemoryLimitError
from dataset_download.runtime.memory_budget import DEFAULT_MEMORY
from dataset_download.s3.objects import DataFile, RangeReader

from .metadata import Footer, parse_footer

TAIL_BYTES = 64 * 1024
"""Bytes read from the end of a file; most footers fit into them."""
MARKER_BYTES = 8
"""The footer's length and PAR1, at the end of a file."""
MIN_FILE_BYTES = 12
CACHE_BYTES = 32 * 1024 * 1024
"""Total size of the cached footers, as counted by `Footer.memory_size`."""
LARGE_FOOTER = 1024 * 1024
"""Larger footers are read one at a time, since they take twelve times their size in memory."""
_large = threading.Lock()


class FooterCache:
    """An LRU cache of footers by object and ETag; a changed object has a new ETag, so entries are never stale."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._footers: OrderedDict[tuple[str, str, str], Footer] = OrderedDict()
        self._bytes = 0

    def get(self, bucket: str, file: DataFile) -> Footer | None:
        """Return a cached footer, or None."""
        key = (bucket, file.key, file.etag)
        with self._lock:
            if key in self._footers:
                self._footers.move_to_end(key)
            return self._footers.get(key)

    def put(self, bucket: str, file: DataFile, footer: Footer) -> None:
        """Cache a footer and evict the least recently used ones."""
        with self._lock:
            if (bucket, file.key, file.etag) not in self._footers:
                self._footers[bucket, file.key, file.etag] = footer
                self._bytes += footer.memory_size
            while self._bytes > self._limit and len(self._footers) > 1:
                _, oldest = self._footers.popitem(last=False)
                self._bytes -= oldest.memory_size


@cache
def shared_cache() -> FooterCache:
    """Return the process's cache."""
    return FooterCache()


def read_footer(
    reader: RangeReader, bucket: str, file: DataFile, tail: bytes = b"", largest: int = DEFAULT_MEMORY.footers
) -> Footer:
    """Return the footer of a file; `tail` is the end of the file, if already read.

    Raises:
        CorruptDatasetError: the object is not Parquet.
        MemoryLimitError: the footer has more than `largest` bytes.
    """
    remembered = shared_cache().get(bucket, file)
    if remembered is not None:
        return remembered
    if file.size < MIN_FILE_BYTES:
        raise CorruptDatasetError(f"{file.key} is not a Parquet file: it has {file.size} bytes")
    tail = tail or reader.read(file, max(0, file.size - TAIL_BYTES), file.size)
    needed = _measure_footer(tail, file) + MARKER_BYTES
    if needed > largest:
        raise MemoryLimitError(
            f"{file.key} has a footer of {needed:,} bytes, more than the {largest:,} that this service's memory "
            "allows: write it in fewer row groups, or raise the service's memory (MEMORY_MB)."
        )
    with _large if needed > LARGE_FOOTER else nullcontext():
        if needed > len(tail):
            tail = reader.read(file, file.size - needed, file.size)
        footer = _parse(tail[-needed:], file)
        shared_cache().put(bucket, file, footer)
    return footer


def _measure_footer(tail: bytes, file: DataFile) -> int:
    if tail[-4:] == b"PARE":
        raise CorruptDatasetError(f"{file.key} is an encrypted Parquet file")
    length = int.from_bytes(tail[-MARKER_BYTES:-4], "little")
    if tail[-4:] != b"PAR1" or not 0 < length <= file.size - MIN_FILE_BYTES:
        raise CorruptDatasetError(f"{file.key} is not a Parquet file, or it ends early")
    return length


def _parse(footer: bytes, file: DataFile) -> Footer:
    try:
        return parse_footer(footer[:-MARKER_BYTES], file.size)
    except CorruptDatasetError as error:
        raise CorruptDatasetError(f"{file.key} is not a Parquet file that can be read: {error}") from error

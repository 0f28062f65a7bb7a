"""Gzip on the way out."""

from collections.abc import Iterable, Iterator

from isal import isal_zlib

_LEVEL = 1
"""isal's levels differ little in size; this one is not slower than the CSV it compresses is made."""
_SLICE = 1 << 20
"""Compressed at a time, in bytes: a piece may be large."""
_GZIP = 31  # a window of 32 KiB, and gzip's header and trailer


def compress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield one gzip member, as soon as there is output; it has its trailer only if ``pieces`` came to their end."""
    stream = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        for start in range(0, len(chunk), _SLICE):
            if output := stream.compress(chunk[start : start + _SLICE] if len(chunk) > _SLICE else chunk):
                yield output
    yield stream.flush()

"""Gzip compression of response bodies."""

from collections.abc import Iterable, Iterator

from isal import isal_zlib

_LEVEL = 1
"""isal's levels differ little in size, and this one keeps up with the CSV encoder."""
_SLICE = 1 << 20
"""Bytes compressed at a time, since a chunk may be large."""
_GZIP = 31  # a window of 32 KiB, and gzip's header and trailer


def compress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield one gzip member as output becomes available; its trailer follows only after the last chunk."""
    stream = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        for start in range(0, len(chunk), _SLICE):
            if output := stream.compress(chunk[start : start + _SLICE] if len(chunk) > _SLICE else chunk):
                yield output
    yield stream.flush()

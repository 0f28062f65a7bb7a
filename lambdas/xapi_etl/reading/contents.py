"""The contents of an object as JSON Lines: decompressed and, for statements, unwrapped."""

from __future__ import annotations

from collections.abc import Iterable

from .decompress import decompress
from .unwrap import unwrap_statements


def decode_contents(chunks: Iterable[bytes], *, only_statements: bool) -> Iterable[bytes]:
    """Return an object's bytes as JSON Lines; only statements are unwrapped from responses and arrays.

    Raises:
        SourceError: while iterating, for damaged data and unsupported formats.
    """
    contents = decompress(chunks)
    return unwrap_statements(contents) if only_statements else contents

"""Checks of one bundle against its manifest.

Bundles are decompressed with the standard library, which is not the library that wrote them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol, cast

from data_aggregator.exceptions import VerificationError
from data_aggregator.schemas import Manifest, ManifestSource

_CHUNK = 1024 * 1024


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""


class _HashedReader(io.RawIOBase):
    """Hashes the bytes that are read through it."""

    def __init__(self, raw: Readable) -> None:
        self._raw = raw
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)


def check_bundle(raw: Readable, manifest: Manifest) -> None:
    """Compare a bundle, as it is stored, with its manifest, to the last byte.

    Raises:
        VerificationError: they differ; the message says where.
    """
    hashed = _HashedReader(raw)
    with gzip.GzipFile(fileobj=cast("BinaryIO", io.BufferedReader(hashed, _CHUNK))) as unzipped:
        try:
            end = 0
            for entry in sorted(manifest["sources"], key=lambda entry: (entry["offset"], entry["length"])):
                where = f"between {entry['key']!r} and the source before it"
                _check_gap(unzipped, entry["offset"] - end, where)
                digest = hashlib.sha256()
                for chunk in _read_exactly(unzipped, entry["length"]):
                    digest.update(chunk)
                if digest.hexdigest() != entry["sha256"]:
                    raise VerificationError(f"{entry['key']!r} does not match the SHA-256 in its manifest")
                end = entry["offset"] + entry["length"]
            _check_gap(unzipped, manifest["totals"]["uncompressed_bytes"] - end, "after the last source")
            if unzipped.read(1):
                raise VerificationError(f"the bundle does not end after its last source, which ends at byte {end}")
        except (OSError, EOFError, zlib.error) as error:
            raise VerificationError(f"not valid gzip: {error}") from error
    if hashed.digest.hexdigest() != manifest["bundle_sha256"]:
        raise VerificationError("the bundle does not match the SHA-256 in its manifest")


def cut_source(raw: Readable, entry: ManifestSource) -> Iterator[bytes]:
    """Yield a source's bytes out of a bundle; those of a ``.gz`` object are decompressed.

    Raises:
        VerificationError: the bytes differ from those that were bundled; raised only at the end.
    """
    digest = hashlib.sha256()
    buffered = io.BufferedReader(_HashedReader(raw), _CHUNK)
    try:
        with gzip.GzipFile(fileobj=cast("BinaryIO", buffered)) as unzipped:
            for _ in _read_exactly(unzipped, entry["offset"]):
                pass
            for chunk in _read_exactly(unzipped, entry["length"]):
                digest.update(chunk)
                yield chunk
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise VerificationError(f"the bundle is truncated or damaged: {error}") from error
    if digest.hexdigest() != entry["sha256"]:
        raise VerificationError(f"{entry['key']!r} does not match the SHA-256 in its manifest")


def _check_gap(unzipped: Readable, length: int, where: str) -> None:
    if length not in {0, 1} or b"".join(_read_exactly(unzipped, length)) not in {b"", b"\n"}:
        raise VerificationError(f"more than a newline {where}")


def _read_exactly(unzipped: Readable, length: int) -> Iterator[bytes]:
    while length > 0:
        chunk = unzipped.read(min(length, _CHUNK))
        if not chunk:
            raise VerificationError(f"the bundle ends {length} bytes too early")
        length -= len(chunk)
        yield chunk

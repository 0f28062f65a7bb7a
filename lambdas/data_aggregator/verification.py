"""Whether bundles are what their manifests say, and whether each source is in exactly one of them.

Bundles are decompressed by the standard library, which has not written them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from .exceptions import VerificationError
from .manifest import BUNDLE_SUFFIX, MANIFEST_SUFFIX, name_manifest, read_manifest
from .schemas import Manifest, ManifestSource

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1024 * 1024
_AT_ONCE = 8
_SHOWN = 20

type Identity = tuple[str, str, str]
"""Bucket, key and version of a source; the ETag where there are no versions."""


class Readable(Protocol):
    """Bytes that come one after another."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""


class _HashedReader(io.RawIOBase):
    """Passes bytes on and hashes them."""

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
                _check_gap(unzipped, entry["offset"] - end, entry)
                digest = hashlib.sha256()
                for chunk in _read_exactly(unzipped, entry["length"]):
                    digest.update(chunk)
                if digest.hexdigest() != entry["sha256"]:
                    raise VerificationError(f"{entry['key']!r} has another SHA-256 than its manifest says")
                end = entry["offset"] + entry["length"]
            if end != manifest["totals"]["uncompressed_bytes"] or unzipped.read(1):
                raise VerificationError(f"the bundle does not end at byte {end}, after its last source")
        except (OSError, EOFError, zlib.error) as error:
            raise VerificationError(f"not valid gzip: {error}") from error
    if hashed.digest.hexdigest() != manifest["bundle_sha256"]:
        raise VerificationError("the bundle has another SHA-256 than its manifest says")


def cut_source(raw: Readable, entry: ManifestSource) -> Iterator[bytes]:
    """Yield a source's bytes out of a bundle; those of a ``.gz`` object are decompressed.

    Raises:
        VerificationError: they are not the bytes that were bundled; known only at the end.
    """
    digest = hashlib.sha256()
    buffered = io.BufferedReader(_HashedReader(raw), _CHUNK)
    with gzip.GzipFile(fileobj=cast("BinaryIO", buffered)) as unzipped:
        for _ in _read_exactly(unzipped, entry["offset"]):
            pass
        for chunk in _read_exactly(unzipped, entry["length"]):
            digest.update(chunk)
            yield chunk
    if digest.hexdigest() != entry["sha256"]:
        raise VerificationError(f"{entry['key']!r} has another SHA-256 than its manifest says")


@dataclass(slots=True)
class Findings:
    """What the look at a whole bucket has brought."""

    bundles: int = 0
    sources: int = 0
    input_bytes: int = 0
    uncompressed_bytes: int = 0
    bundle_bytes: int = 0
    abandoned_manifests: list[str] = field(default_factory=list)
    """Of bundles that were never published; they mean nothing."""
    problems: list[str] = field(default_factory=list)

    def add_problems(self, what: str, items: Iterable[object]) -> None:
        """Note what is wrong with each item, for the first few of them."""
        listed = [str(item) for item in items]
        self.problems += [f"{what}: {item}" for item in listed[:_SHOWN]]
        if len(listed) > _SHOWN:
            self.problems.append(f"{what}: {len(listed) - _SHOWN} more")


def verify_bucket(
    s3: S3Client, bucket: str, prefix: str = "", *, contents: bool = False
) -> tuple[Findings, Counter[Identity]]:
    """Read every manifest under a prefix; with ``contents`` every bundle too.

    Returns:
        What was found, and how many bundles each source is in.
    """
    keys = {key for key, _ in _list(s3, bucket, prefix)}
    bundles = sorted(key for key in keys if key.endswith(BUNDLE_SUFFIX))
    findings = Findings()
    counts: Counter[Identity] = Counter()
    findings.add_problems("bundle without manifest", (key for key in bundles if name_manifest(key) not in keys))
    findings.abandoned_manifests = sorted(
        key
        for key in keys
        if key.endswith(MANIFEST_SUFFIX) and key.removesuffix(MANIFEST_SUFFIX) + BUNDLE_SUFFIX not in keys
    )
    complete = [key for key in bundles if name_manifest(key) in keys]

    def look(key: str) -> tuple[Manifest | None, str]:
        return _look_at(s3, bucket, key, contents=contents)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for key, (manifest, problem) in zip(complete, pool.map(look, complete), strict=True):
            if problem:
                findings.problems.append(f"{key}: {problem}")
            if manifest:
                _add(findings, counts, manifest)
    findings.add_problems("source in several bundles", (name for name, count in counts.items() if count > 1))
    return findings, counts


def find_unbundled(s3: S3Client, bucket: str, prefix: str, counts: Counter[Identity]) -> list[Identity]:
    """Return the versions of a source bucket's objects that are in no bundle."""
    found = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for version in page.get("Versions", []):
            version_id, etag = version["VersionId"], version["ETag"].strip('"')
            identity = (bucket, version["Key"], etag if version_id == "null" else version_id)
            if identity not in counts:
                found.append(identity)
    return found


def find_uncopied(s3: S3Client, bucket: str, archive: str, prefix: str) -> list[str]:
    """Return the keys of a bucket that its archive lacks, or has with another size.

    ETags say nothing here: an archive with a KMS key of its own has others.
    """
    copies = dict(_list(s3, archive, prefix))
    return [key for key, size in _list(s3, bucket, prefix) if copies.get(key) != size]


def _look_at(s3: S3Client, bucket: str, key: str, *, contents: bool) -> tuple[Manifest | None, str]:
    manifest = None
    try:
        manifest = read_manifest(s3.get_object(Bucket=bucket, Key=name_manifest(key))["Body"].read())
        if contents:
            check_bundle(s3.get_object(Bucket=bucket, Key=key)["Body"], manifest)
    except VerificationError as error:
        return manifest, str(error)
    return manifest, ""


def _add(findings: Findings, counts: Counter[Identity], manifest: Manifest) -> None:
    totals = manifest["totals"]
    findings.bundles += 1
    findings.sources += totals["sources"]
    findings.input_bytes += totals["input_bytes"]
    findings.uncompressed_bytes += totals["uncompressed_bytes"]
    findings.bundle_bytes += totals["bundle_bytes"]
    counts.update(
        (entry["bucket"], entry["key"], entry["version_id"] or entry["etag"] or "") for entry in manifest["sources"]
    )


def _list(s3: S3Client, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield item["Key"], item["Size"]


def _check_gap(unzipped: Readable, length: int, entry: ManifestSource) -> None:
    if length not in {0, 1} or b"".join(_read_exactly(unzipped, length)) not in {b"", b"\n"}:
        raise VerificationError(f"between {entry['key']!r} and the source before it is more than a newline")


def _read_exactly(unzipped: Readable, length: int) -> Iterator[bytes]:
    while length > 0:
        chunk = unzipped.read(min(length, _CHUNK))
        if not chunk:
            raise VerificationError(f"the bundle ends {length} bytes too early")
        length -= len(chunk)
        yield chunk

"""Keys of bundles, and the manifests that describe them."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from data_aggregator.exceptions import VerificationError
from data_aggregator.schemas import Cut, Manifest, ManifestSource, Source, Totals, source_id

BUNDLE_SUFFIX = ".gz"
MANIFEST_SUFFIX = ".manifest.json"
MANIFEST_PREFIX = "_manifests/"
"""A separate prefix, so that an hour's prefix holds data only. Spark, Hive and Athena skip a leading _."""
MANIFEST_CODING = "gzip"
"""The manifest's Content-Encoding. Its name does not end in ``.gz``: all objects that do are bundles."""
_GZIP = b"\x1f\x8b"
_ENTRY = {
    "bucket": str,
    "key": str,
    "version_id": str | None,
    "etag": str | None,
    "size": int,
    "sha256": str,
    "offset": int,
    "length": int,
}
_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Member:
    """A source that is in a bundle."""

    source: Source
    cut: Cut
    coding: str = ""
    """The object's Content-Encoding; empty if it has none."""
    decompressed: Sequence[str] = ()
    """The formats that were decompressed, the outermost first."""


def name_bundle(request_id: str, suffix: str, now: datetime) -> str:
    """Return a bundle's key, ``YYYY/MM/DD/HH/bundle-<request id>-<suffix>.gz``; ``now`` is in UTC."""
    return f"{now:%Y/%m/%d/%H}/bundle-{_UNSAFE.sub('-', request_id)}-{suffix}{BUNDLE_SUFFIX}"


def name_manifest(bundle: str) -> str:
    """Return the key of a bundle's manifest."""
    return MANIFEST_PREFIX + name_old_manifest(bundle)


def name_old_manifest(bundle: str) -> str:
    """Return the manifest key that earlier versions used: next to the bundle."""
    return bundle.removesuffix(BUNDLE_SUFFIX) + MANIFEST_SUFFIX


def name_bundle_of(manifest: str) -> str:
    """Return the key of the bundle that a manifest's key, new or old, belongs to."""
    return manifest.removeprefix(MANIFEST_PREFIX).removesuffix(MANIFEST_SUFFIX) + BUNDLE_SUFFIX


def write_manifest(
    bundle: str,
    request_id: str,
    members: Sequence[Member],
    *,
    uncompressed_bytes: int,
    bundle_bytes: int,
    bundle_sha256: str,
) -> bytes:
    """Return the manifest of a finished bundle as gzipped JSON; the uncompressed text is never in memory as a whole."""
    head = {
        "request_id": request_id,
        "bundle": bundle,
        "bundle_sha256": bundle_sha256,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "totals": {
            "sources": len(members),
            "input_bytes": sum(member.source.size for member in members),
            "uncompressed_bytes": uncompressed_bytes,
            "bundle_bytes": bundle_bytes,
        },
    }
    compress = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [compress.compress(text.encode()) for text in _spell(head, members)]
    return b"".join([*parts, compress.flush()])


def read_manifest(raw: bytes) -> Manifest:
    """Return a parsed manifest, compressed or, from earlier versions, plain; omitted ids are filled in.

    Raises:
        VerificationError: the bytes are not a manifest.
    """
    try:
        manifest: Manifest = json.loads(gzip.decompress(raw) if raw.startswith(_GZIP) else raw)
        _check_types("the manifest", manifest, {"bundle_sha256": str, "totals": dict, "sources": list})
        _check_types("totals", manifest["totals"], dict.fromkeys(Totals.__required_keys__, int))
        for entry in manifest["sources"]:
            _check_types("a source", entry, _ENTRY)
            if "id" not in entry:
                entry["id"] = source_id(entry["bucket"], entry["key"], entry["version_id"] or "")
            if not entry["id"]:
                raise VerificationError("the manifest has a source without id")
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise VerificationError(f"not a manifest: {type(error).__name__}: {error}") from error
    return manifest


def _check_types(what: str, document: Any, types: Mapping[str, Any]) -> None:  # noqa: ANN401  # any JSON
    wrong = sorted(name for name, kind in types.items() if not isinstance(document[name], kind))
    if wrong:
        raise VerificationError(f"not a manifest: {what} has a value of another type at {', '.join(wrong)}")


def _spell(head: Mapping[str, object], members: Sequence[Member]) -> Iterator[str]:
    yield json.dumps(head, separators=(",", ":"), ensure_ascii=False)[:-1] + ',"sources":['
    for number, member in enumerate(members):
        entry = json.dumps(_describe(member), separators=(",", ":"), ensure_ascii=False)
        yield f",{entry}" if number else entry
    yield "]}"


def _describe(member: Member) -> ManifestSource:
    source, cut = member.source, member.cut
    entry: ManifestSource = {
        "bucket": source.bucket,
        "key": source.key,
        "version_id": source.version_id,
        "etag": source.etag,
        "size": source.size,
        "sha256": cut.sha256,
        "offset": cut.offset,
        "length": cut.length,
        "decompressed": list(member.decompressed),
    }
    if member.coding:
        entry["content_encoding"] = member.coding
    # A digest of bucket, key and version would be a quarter of the compressed manifest, and can be recomputed.
    if source.version_id is None or source.id != source_id(source.bucket, source.key, source.version_id):
        entry["id"] = source.id
    return entry

"""Names of bundles, and the manifests beside them."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from .exceptions import VerificationError
from .schemas import Cut, Manifest, ManifestSource, Source

BUNDLE_SUFFIX = ".gz"
MANIFEST_SUFFIX = ".manifest.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")


def name_bundle(request_id: str, suffix: str, now: datetime) -> str:
    """Return a bundle's key, ``YYYY/MM/DD/HH/bundle-<request id>-<suffix>.gz``; ``now`` is in UTC."""
    return f"{now:%Y/%m/%d/%H}/bundle-{_UNSAFE.sub('-', request_id)}-{suffix}{BUNDLE_SUFFIX}"


def name_manifest(bundle: str) -> str:
    """Return the key of a bundle's manifest."""
    return bundle.removesuffix(BUNDLE_SUFFIX) + MANIFEST_SUFFIX


def write_manifest(
    bundle: str,
    request_id: str,
    contents: Sequence[tuple[Source, Cut]],
    *,
    uncompressed_bytes: int,
    bundle_bytes: int,
    bundle_sha256: str,
) -> bytes:
    """Return the manifest of a finished bundle as JSON."""
    manifest: Manifest = {
        "request_id": request_id,
        "bundle": bundle,
        "bundle_sha256": bundle_sha256,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "totals": {
            "sources": len(contents),
            "input_bytes": sum(source.size for source, _ in contents),
            "uncompressed_bytes": uncompressed_bytes,
            "bundle_bytes": bundle_bytes,
        },
        "sources": [_describe(source, cut) for source, cut in contents],
    }
    return json.dumps(manifest, separators=(",", ":")).encode()


def read_manifest(raw: bytes) -> Manifest:
    """Parse a manifest.

    Raises:
        VerificationError: it is not one.
    """
    try:
        manifest: Manifest = json.loads(raw)
        if not all(entry["id"] for entry in manifest["sources"]):
            raise VerificationError("the manifest has a source without id")
    except (ValueError, TypeError, KeyError) as error:
        raise VerificationError(f"not a manifest: {type(error).__name__}: {error}") from error
    return manifest


def _describe(source: Source, cut: Cut) -> ManifestSource:
    return {
        "id": source.id,
        "bucket": source.bucket,
        "key": source.key,
        "version_id": source.version_id,
        "etag": source.etag,
        "size": source.size,
        "sha256": cut.sha256,
        "offset": cut.offset,
        "length": cut.length,
    }

"""Plain data types that the modules share, and the schema of the manifest."""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict, get_args

_ID_PREFIX = "data-aggregator#"


class ManifestSource(TypedDict):
    """One source of a bundle."""

    id: NotRequired[str]
    """The key of its idempotency record; present unless it is the digest of bucket, key and version."""
    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    size: int
    """Bytes of the object as it is stored."""
    sha256: str
    """Of the bytes at ``offset``, which for a compressed object are the decompressed ones."""
    offset: int
    """Its offset in the uncompressed bundle, bytes."""
    length: int
    """Its length in the uncompressed bundle, bytes."""
    decompressed: NotRequired[list[str]]
    """The formats that were decompressed, the outermost first; absent in earlier versions."""
    content_encoding: NotRequired[str]
    """The Content-Encoding of the stored object."""


class Totals(TypedDict):
    """Sums over a bundle."""

    sources: int
    input_bytes: int
    """Of the objects as they are stored."""
    uncompressed_bytes: int
    """Bytes that ``zcat`` of the bundle prints."""
    bundle_bytes: int


class Manifest(TypedDict):
    """The manifest of a bundle."""

    request_id: str
    bundle: str
    bundle_sha256: str
    created: str
    """ISO 8601, UTC."""
    totals: Totals
    sources: list[ManifestSource]


@dataclass(frozen=True, slots=True)
class Source:
    """One version of one object."""

    id: str
    """The key of its record in the idempotency table."""
    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    """Without quotes."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class ObjectName:
    """An object that a message names without a version; a HEAD request finds the current one."""

    bucket: str
    key: str
    version_id: str | None


type Named = Source | ObjectName


def source_id(bucket: str, key: str, version: str) -> str:
    """Return the idempotency key of one version of an object; its length does not depend on the key's."""
    identity = json.dumps([bucket, key, version]).encode()
    return _ID_PREFIX + hashlib.sha256(identity).hexdigest()


@dataclass(frozen=True, slots=True)
class Cut:
    """The range of a source in the uncompressed bundle."""

    offset: int
    """Bytes."""
    length: int
    """Bytes."""
    sha256: str


type Result = Literal[
    "bundled",
    "duplicate",
    "source_gone",
    "superseded",
    "nothing_to_do",
    "busy",
    "failed",
    "refused",
    "not_started",
    "rejected",
]

RESULTS: tuple[Result, ...] = get_args(Result.__value__)

FINISHED: frozenset[Result] = frozenset({"bundled", "duplicate", "source_gone", "superseded", "nothing_to_do"})
"""Results that finish a source or a message; with any other result the message is returned to the queue."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a source, or of a message that names none."""

    result: Result
    reason: str = ""
    retry_after_seconds: int | None = None
    """For ``busy``: seconds until the other worker's claim ends."""

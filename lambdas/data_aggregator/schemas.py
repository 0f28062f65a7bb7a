"""The data that passes between the modules, and the shapes of what comes in and goes out."""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict, get_args

_ID_PREFIX = "data-aggregator#"


class ManifestSource(TypedDict):
    """One source of a bundle."""

    id: NotRequired[str]
    """The key of its record in the idempotency table; written where it is not that of bucket, key and version."""
    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    size: int
    """Bytes of the object as it is stored."""
    sha256: str
    """Of the bytes at ``offset``, which for a compressed object are the decompressed ones."""
    offset: int
    """Where it begins in the uncompressed bundle, bytes."""
    length: int
    """How long it is there, bytes."""
    decompressed: NotRequired[list[str]]
    """The formats that were undone, the outermost first; earlier versions do not say."""
    content_encoding: NotRequired[str]
    """The object's own, as it is stored."""


class Totals(TypedDict):
    """Sums over a bundle."""

    sources: int
    input_bytes: int
    """Of the objects as they are stored."""
    uncompressed_bytes: int
    """What ``zcat`` of the bundle gives."""
    bundle_bytes: int


class Manifest(TypedDict):
    """What is written about each bundle."""

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
    """An object that a message names without saying which version of it; S3 has to be asked."""

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
    """Where a source lies in the uncompressed bundle."""

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
"""Results with which a source, or a message, is done with; with any other the message has to come back."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a source, or of a message that names none."""

    result: Result
    reason: str = ""
    retry_after_seconds: int | None = None
    """For ``busy``: when the other worker's claim will have ended."""

"""The data that passes between the modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa  # type: ignore[import-untyped]


class S3Bucket(TypedDict):
    """``s3.bucket`` of an event record."""

    name: str


class S3Object(TypedDict):
    """``s3.object`` of an event record; the key is URL-encoded."""

    key: str
    size: NotRequired[int]
    versionId: NotRequired[str]


class S3Entity(TypedDict):
    """``s3`` of an event record."""

    bucket: S3Bucket
    object: S3Object


class S3EventRecord(TypedDict):
    """One record of an S3 event notification.

    Source: "Event message structure", Amazon S3 user guide.
    """

    eventName: str
    s3: S3Entity


@dataclass(frozen=True, slots=True)
class ObjectName:
    """An object as a message names it."""

    bucket: str
    key: str
    version_id: str | None = None
    """``None`` where the bucket keeps no versions: what is there now is read."""

    @property
    def url(self) -> str:
        """Return the object's address, which is its rows' ``source_file``."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Source:
    """One object as it was read: what its rows say of where they come from."""

    file: str
    """``s3://bucket/key``."""
    etag: str
    """Without quotes."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a row."""

    number: int
    """From 1, blank lines not counted."""
    reason: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Converted:
    """Rows of some consecutive lines, in their order."""

    table: pa.Table
    bad: Sequence[BadLine] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one object that go into one INSERT."""

    source: Source
    table: pa.Table
    lines: np.ndarray
    """``source_line`` of each row, ascending."""


type Result = Literal["loaded", "duplicate", "empty", "converted", "failed", "not_started"]

FINISHED: frozenset[Result] = frozenset({"loaded", "duplicate", "empty", "converted"})
"""Results with which an object is done with; with any other its messages have to come back."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an object."""

    result: Result
    reason: str = ""


@dataclass(slots=True)
class Tally:
    """What an invocation has done."""

    lines: int = 0
    bad_lines: int = 0
    rows_inserted: int = 0
    rows_present: int = 0
    """Rows that had landed before, and were left out."""
    inserts: int = 0
    inserts_failed: int = 0
    parquet_bytes: int = 0
    input_bytes: int = 0
    """Of the objects as they are stored."""
    outcomes: dict[ObjectName, Outcome] = field(default_factory=dict)

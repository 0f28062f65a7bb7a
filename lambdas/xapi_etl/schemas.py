"""The data that passes between the modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from .exceptions import LineError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class ObjectName:
    """An object as a message names it."""

    bucket: str
    key: str
    version_id: str | None = None
    """``None`` where the bucket keeps no versions: what is there now is read."""

    @property
    def url(self) -> str:
        """Return the object's URL, which is its rows' ``source_file``."""
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def from_url(cls, url: str, version_id: str | None) -> Self:
        """Return the object at a URL."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        return cls(bucket, key, version_id)


@dataclass(frozen=True, slots=True)
class Source:
    """One object as it was read: what its rows say of where they come from."""

    file: str
    """``s3://bucket/key``."""
    etag: str
    """Without quotes."""
    version_id: str | None = field(default=None, compare=False)
    arrived_ms: int = field(default=0, compare=False)
    """When S3 received the object, milliseconds since 1970."""


MAX_KEPT_LINE_BYTES = 1024 * 1024
"""Bytes of a bad line that are kept; the rest is in its object."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a row."""

    number: int
    """From 1, blank lines not counted."""
    code: str
    """Why, in one word: ``not_json``, ``not_a_statement``, ``wrong_type:<column>`` …"""
    reason: str
    """Why, in a sentence that holds nothing of the line."""
    text: bytes
    """The line; of a very long one its beginning."""
    size: int
    """Bytes of the whole line."""

    @classmethod
    def cut(cls, number: int, error: LineError, text: memoryview | bytes) -> Self:
        """Return a line with what is wrong with it, of a very long one its beginning."""
        return cls(number, error.code, str(error), bytes(text[:MAX_KEPT_LINE_BYTES]), len(text))


@dataclass(frozen=True, slots=True)
class ConvertedLines:
    """Rows of some consecutive lines, in their order."""

    table: pa.Table
    bad: Sequence[BadLine] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Keys that the table has no column for, and how many lines have each."""


@dataclass(frozen=True, slots=True)
class RowChunk:
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
    """The result of loading one object."""

    result: Result
    reason: str = ""
    code: str = ""
    """The reason in one word."""
    is_final: bool = False
    """Whether another try would end in the same way."""


@dataclass(slots=True)
class BatchStats:
    """Counters and outcomes of an invocation."""

    lines: int = 0
    bad_lines: int = 0
    bad_codes: Counter[str] = field(default_factory=Counter)
    """Bad lines by their reason code."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Lines by the keys that the table has no column for."""
    ignored_records: int = 0
    """Records of messages that announce no new object."""
    messages_dead_lettered: int = 0
    rows_inserted: int = 0
    rows_repeated: int = 0
    """Rows that gave way to another one of the same statement in the same INSERT."""
    rows_present: int = 0
    """Rows that had landed before, and were left out."""
    inserts: int = 0
    inserts_failed: int = 0
    parquet_bytes: int = 0
    input_bytes: int = 0
    """Of the objects as they are stored."""
    outcomes: dict[ObjectName, Outcome] = field(default_factory=dict)

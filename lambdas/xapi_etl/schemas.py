"""Data types that several modules share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    """``None`` if the bucket is not versioned: the current object is read."""

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
    """One object as it was read; the lineage of its rows."""

    file: str
    """``s3://bucket/key``."""
    etag: str
    """Without quotes."""
    version_id: str | None = field(default=None, compare=False)
    arrived_ms: int = field(default=0, compare=False)
    """When S3 received the object, milliseconds since 1970."""


MAX_KEPT_LINE_BYTES = 1024 * 1024
"""Bytes of a bad line that are kept; the input object has the rest."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A rejected line."""

    number: int
    """From 1, blank lines not counted."""
    code: str
    """The reason in one word: ``not_json``, ``not_a_statement``, ``wrong_type:<column>`` …"""
    reason: str
    """The reason in a sentence, which does not quote the line."""
    text: bytes
    """The line, or the beginning of a very long one."""
    size: int
    """The whole line's size in bytes."""

    @classmethod
    def cut(cls, number: int, error: LineError, text: memoryview | bytes) -> Self:
        """Return a rejected line with its reason, truncated to the kept bytes."""
        return cls(number, error.code, str(error), bytes(text[:MAX_KEPT_LINE_BYTES]), len(text))


@dataclass(frozen=True, slots=True)
class ConvertedLines:
    """Rows of consecutive lines, in their order."""

    table: pa.Table
    bad: Sequence[BadLine] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Keys without a column, and the number of lines with each."""


@dataclass(frozen=True, slots=True)
class RowChunk:
    """Rows of one object that go into one INSERT."""

    source: Source
    table: pa.Table
    lines: np.ndarray
    """``source_line`` of each row, ascending."""


type Result = Literal["loaded", "duplicate", "empty", "converted", "failed", "not_started"]

FINISHED: frozenset[Result] = frozenset({"loaded", "duplicate", "empty", "converted"})
"""Results of objects that are done; with any other result, the messages are redelivered."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of loading one object."""

    result: Result
    reason: str = ""
    code: str = ""
    """The reason in one word."""
    is_final: bool = False
    """Whether another attempt would end in the same way."""


@dataclass(slots=True)
class BatchStats:
    """Counters and outcomes of an invocation."""

    lines: int = 0
    bad_lines: int = 0
    bad_codes: Counter[str] = field(default_factory=Counter)
    """Bad lines by their reason code."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Number of lines by key without a column."""
    ignored_records: int = 0
    """Records that announce no new object."""
    messages_dead_lettered: int = 0
    rows_inserted: int = 0
    rows_repeated: int = 0
    """Rows that repeat a statement of the same INSERT, of which ClickHouse keeps one row."""
    rows_present: int = 0
    """Rows that were acknowledged before and not sent again."""
    inserts: int = 0
    inserts_failed: int = 0
    parquet_bytes: int = 0
    input_bytes: int = 0
    """Total size of the objects, as stored."""
    outcomes: dict[ObjectName, Outcome] = field(default_factory=dict)

    def set_outcome(
        self, names: Iterable[ObjectName], result: Result, reason: str = "", code: str = "", *, is_final: bool = False
    ) -> None:
        """Set the same outcome for several objects."""
        for name in names:
            self.outcomes[name] = Outcome(result, reason, code, is_final)

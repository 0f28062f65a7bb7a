"""The ledger: a second table, which records which INSERTs were started and which ClickHouse acknowledged.

Rows in the loaded table do not prove that their INSERT has finished: a view behind the table may have failed, or the
server may have died between the two. Each INSERT's token and rows are therefore recorded before it is sent, and again
after ClickHouse has acknowledged it as a whole. An INSERT that was started and not acknowledged is in doubt: it is sent
again, the same rows under the same token.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import batched
from types import MappingProxyType
from typing import Literal

import numpy as np

from xapi_etl.schemas import Source

from .http_client import ClickHouse, quote_text
from .insert_batch import InsertBatch

LEDGER_DDL = """CREATE TABLE IF NOT EXISTS {ledger}
(
    source_file          String                   COMMENT 'Object that the rows come from: s3://bucket/key',
    source_etag          String                   COMMENT 'ETag of that object',
    source_version       String                   COMMENT 'Version of that object, if its bucket keeps versions',
    token                String                   COMMENT 'Deduplication token of the INSERT',
    state                Enum8('started' = 1, 'acknowledged' = 2, 'abandoned' = 3) COMMENT 'What is known of it',
    lines                String                   COMMENT 'Lines of the object in the INSERT: 1-20,22' CODEC(ZSTD(1)),
    recorded_at          DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was recorded',

    INDEX token_index token TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (source_file, source_etag, token, state)
COMMENT 'INSERTs of the xAPI ETL: an acknowledged one is not sent again'"""
"""The statement of scripts/clickhouse/schema.sql."""

_LOOKUP_SETTINGS = MappingProxyType({"wait_end_of_query": "1", "select_sequential_consistency": "1"})
_WRITE_SETTINGS = MappingProxyType({"wait_end_of_query": "1", "async_insert": "0", "insert_deduplicate": "0"})
_NAMES_PER_QUERY = 100

type State = Literal["started", "acknowledged", "abandoned"]


@dataclass(frozen=True, slots=True)
class Member:
    """One object's rows in an INSERT."""

    source: Source
    lines: np.ndarray


@dataclass(slots=True)
class Entry:
    """The ledger's records of one INSERT."""

    token: str
    states: set[State] = field(default_factory=set)
    members: list[Member] = field(default_factory=list)

    @property
    def is_acknowledged(self) -> bool:
        """Return whether ClickHouse has acknowledged the whole INSERT."""
        return "acknowledged" in self.states

    @property
    def is_in_doubt(self) -> bool:
        """Return whether the outcome of the INSERT is unknown."""
        return self.states == {"started"}

    def covers(self, batch: InsertBatch) -> np.ndarray:
        """Return a mask of the batch's rows that are in this INSERT."""
        mask = np.zeros(len(batch), bool)
        positions = {source: position for position, source in enumerate(batch.sources)}
        for member in self.members:
            if member.source in positions:
                mask |= (batch.owners == positions[member.source]) & np.isin(batch.lines, member.lines)
        return mask


@dataclass(slots=True)
class Ledger:
    """The table of INSERTs; ``name`` is quoted."""

    clickhouse: ClickHouse
    name: str

    def create(self) -> None:
        """Create the table.

        Raises:
            InsertError: the user lacks the privilege.
        """
        self.clickhouse.query(LEDGER_DDL.format(ledger=self.name), {})

    def find_entries(self, sources: Iterable[Source]) -> list[Entry]:
        """Return the INSERTs that hold rows of these objects, each with its members among these objects only."""
        entries: dict[str, Entry] = {}
        for some in batched(sources, _NAMES_PER_QUERY, strict=False):
            names = ", ".join(f"({quote_text(one.file)}, {quote_text(one.etag)})" for one in some)
            self._read(f"(source_file, source_etag) IN ({names})", entries)
        return list(entries.values())

    def complete(self, entry: Entry) -> Entry:
        """Return an INSERT with all of its members."""
        entries: dict[str, Entry] = {}
        self._read(f"token = {quote_text(entry.token)}", entries)
        return entries[entry.token]

    def record(self, state: State, token: str, members: Iterable[Member], *, is_urgent: bool = False) -> None:
        """Record the state of an INSERT."""
        rows = [
            {
                "source_file": member.source.file,
                "source_etag": member.source.etag,
                "source_version": member.source.version_id or "",
                "token": token,
                "state": state,
                "lines": write_ranges(member.lines),
            }
            for member in members
        ]
        body = "\n".join(json.dumps(row) for row in rows).encode()
        columns = ", ".join(rows[0])
        statement = f"/* ledger */ INSERT INTO {self.name} ({columns}) FORMAT JSONEachRow"  # quoted
        self.clickhouse.send(statement, body, _WRITE_SETTINGS, is_urgent=is_urgent)

    def _read(self, condition: str, entries: dict[str, Entry]) -> None:
        columns = "token, state, source_file, source_etag, source_version, lines"
        query = f"SELECT DISTINCT {columns} FROM {self.name} WHERE {condition}"  # noqa: S608  # quoted
        response = self.clickhouse.query(f"{query} FORMAT JSONCompactEachRow", _LOOKUP_SETTINGS)
        for line in response.splitlines():
            token, state, file, etag, version, lines = json.loads(line)
            entry = entries.setdefault(token, Entry(token))
            entry.states.add(state)
            source = Source(file, etag, version or None)
            if state == "started" and all(member.source != source for member in entry.members):
                entry.members.append(Member(source, read_ranges(lines)))


def list_members(batch: InsertBatch) -> list[Member]:
    """Return the members of a batch."""
    return [Member(batch.sources[position], lines) for position, lines in batch.members()]


def write_ranges(numbers: np.ndarray) -> str:
    """Return ascending numbers as text: ``1-20,22``."""
    breaks = np.flatnonzero(np.diff(numbers) != 1)
    starts = numbers[np.concatenate([[0], breaks + 1])].tolist()
    ends = numbers[np.concatenate([breaks, [len(numbers) - 1]])].tolist()
    return ",".join(f"{start}-{end}" if end > start else f"{start}" for start, end in zip(starts, ends, strict=True))


def read_ranges(text: str) -> np.ndarray:
    """Return the numbers that :func:`write_ranges` wrote."""
    ranges = [each.partition("-") for each in text.split(",")]
    found: np.ndarray = np.concatenate([np.arange(int(start), int(end or start) + 1) for start, _, end in ranges])
    return found

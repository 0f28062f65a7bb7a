"""Insertion of each row exactly once.

Each INSERT carries a token that depends only on the lines it holds, so that ClickHouse drops a repeated one. The ledger
lists the INSERTs that ClickHouse has acknowledged: their rows are not sent again. An INSERT in doubt is sent again as a
whole, under its first token, whatever other messages are in the current batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from types import MappingProxyType

import numpy as np
from aws_lambda_powertools import Logger

from xapi_etl.converting.mapping import Transform
from xapi_etl.exceptions import InsertError, OutOfTimeError, RetryableInsertError
from xapi_etl.settings import ClickHouseSettings, quote_name

from .http_client import ClickHouse, merge_settings, quote_text
from .insert_batch import InsertBatch
from .ledger import Entry, Ledger, list_members

_LOOKUP_SETTINGS = MappingProxyType({"wait_end_of_query": "1", "select_sequential_consistency": "1"})
_UNKNOWN_COLUMN_CODE = 47
_LEDGER_MISSING_CODES = frozenset({60, 497})
"""UNKNOWN_TABLE, ACCESS_DENIED."""
_DAY_MS = 86_400_000
_MEMBERS_PER_LOOKUP = 100
_KEYS_PER_LOOKUP = 1000
_REQUIRED_LINEAGE: frozenset[Transform] = frozenset({"source_file", "source_etag", "source_line"})

type Rebuild = Callable[[Entry], InsertBatch | None]
"""Rebuilds the batch of an INSERT that was started; ``None`` if its objects have changed."""


@dataclass(slots=True)
class Inserter:
    """Inserts batches of rows, each row exactly once."""

    clickhouse: ClickHouse
    settings: ClickHouseSettings
    columns: tuple[str, ...]
    """The columns of the INSERT; empty for the columns of the data."""
    ledger: Ledger | None
    """``None``: only the token protects against repeated rows."""
    rows: Rows
    compression: str
    logger: Logger

    def insert(self, batch: InsertBatch, rebuild: Rebuild) -> np.ndarray:
        """Insert the missing rows of a batch; return a mask of the rows that were sent and acknowledged.

        Raises:
            InsertError: the server rejected it, or no response arrived.
            OutOfTimeError: too little time is left to start.
        """
        self.clickhouse.deadline.check()
        entries = self._look_up(batch)
        sent, acknowledged = self._resolve_doubts(batch, entries, rebuild)
        # The table may have been truncated since.
        lost = acknowledged & ~sent
        lost &= ~self.rows.find_present(batch, lost)
        missing = ~acknowledged | lost
        if missing.any():
            some = batch if missing.all() else batch.keep(missing, self.compression)
            spent = [entry.token for entry in entries if not entry.is_in_doubt]
            self._send(some, _choose_token(some, spent, is_again=bool(lost.any())))
        done: np.ndarray = sent | missing
        return done

    def count_repeated(self, batch: InsertBatch, sent: np.ndarray) -> int:
        """Return how many of the sent rows the table does not keep, because another sent row is the same statement."""
        key, line_hash = self.rows.key_column, self.rows.lineage.get("line_sha256")
        if key is None or line_hash is None or not sent.any():
            return 0
        return batch.count_repeated(key, line_hash, sent)

    def _look_up(self, batch: InsertBatch) -> list[Entry]:
        if self.ledger is None:
            return []
        try:
            return self.ledger.find_entries(batch.sources)
        except InsertError as error:
            if error.code not in _LEDGER_MISSING_CODES:
                raise
        try:
            self.ledger.create()
        except RetryableInsertError:
            raise
        except InsertError as error:
            self.logger.warning("dedup_lookup_disabled", extra={"reason": str(error)})
            self.ledger = None
        return []

    def _resolve_doubts(
        self, batch: InsertBatch, entries: Sequence[Entry], rebuild: Rebuild
    ) -> tuple[np.ndarray, np.ndarray]:
        """Repeat INSERTs in doubt; return masks of the batch's rows that were sent and that are now acknowledged."""
        sent, acknowledged = np.zeros(len(batch), bool), np.zeros(len(batch), bool)
        for entry in entries:
            if entry.is_acknowledged:
                acknowledged |= entry.covers(batch)
        for entry in entries:
            rows = entry.covers(batch) & ~acknowledged
            if not entry.is_in_doubt or not rows.any() or self.ledger is None:
                continue
            whole = entry if entry.token == batch.token else self.ledger.complete(entry)
            if not whole.is_acknowledged:  # another invocation may have done it meanwhile
                again = batch if whole is entry else self._rebuild(whole, rebuild)
                if again is None:
                    self.logger.warning("insert_not_repeatable", extra={"token": entry.token})
                    self.ledger.record("abandoned", entry.token, list_members(batch))
                    continue
                self._send(again, entry.token)
                sent |= rows
            acknowledged |= rows
        return sent, acknowledged

    def _rebuild(self, entry: Entry, rebuild: Rebuild) -> InsertBatch | None:
        """Return the whole batch of an INSERT in doubt; ``None`` if it cannot be rebuilt or was abandoned elsewhere."""
        return rebuild(entry) if entry.is_in_doubt else None

    def _send(self, batch: InsertBatch, token: str) -> None:
        members = list_members(batch)
        if self.ledger is not None:
            self.ledger.record("started", token, members)
        settings = merge_settings(self.settings.settings, token)
        try:
            self.clickhouse.insert(self._write_statement(), batch.parquet, settings)
        except RetryableInsertError:
            raise
        except InsertError as error:
            error.has_landed = self._abandon(batch, token)
            raise
        self._acknowledge(token, batch)

    def _acknowledge(self, token: str, batch: InsertBatch) -> None:
        if self.ledger is None:
            return
        try:
            self.ledger.record("acknowledged", token, list_members(batch), is_urgent=True)
        except (InsertError, OutOfTimeError) as error:
            # The rows are in the table. If their message is redelivered, they are sent again under the same token.
            self._log_not_recorded(token, error)

    def _abandon(self, batch: InsertBatch, token: str) -> bool:
        """Record a rejected INSERT as abandoned, unless some of its rows landed; return whether some did."""
        if self.ledger is None:
            return False
        try:
            has_landed = bool(self.rows.find_landed(batch, np.ones(len(batch), bool)).any())
            if not has_landed:
                self.ledger.record("abandoned", token, list_members(batch), is_urgent=True)
        except (InsertError, OutOfTimeError) as error:
            self._log_not_recorded(token, error)
            return True
        return has_landed

    def _log_not_recorded(self, token: str, error: Exception) -> None:
        self.logger.warning("ledger_not_written", extra={"token": token, "error": str(error)})

    def _write_statement(self) -> str:
        if self.settings.insert_sql:
            statement = self.settings.insert_sql.strip().rstrip(";")
            is_complete = statement.upper().split()[-2:] == ["FORMAT", "PARQUET"]
            return statement if is_complete else f"{statement} FORMAT Parquet"
        columns = f" ({', '.join(map(quote_name, self.columns))})" if self.columns else ""
        return f"INSERT INTO {self.settings.target}{columns} FORMAT Parquet"


@dataclass(frozen=True, slots=True)
class FailingInserter:
    """The Inserter to use when the table cannot be described: every INSERT fails with the same error."""

    error: InsertError

    def insert(self, batch: InsertBatch, rebuild: Rebuild) -> np.ndarray:  # noqa: ARG002  # an Inserter's arguments
        """Raise the error."""
        raise self.error

    def count_repeated(self, batch: InsertBatch, sent: np.ndarray) -> int:  # noqa: ARG002  # an Inserter's arguments
        """Return 0: nothing was sent."""
        return 0


@dataclass(slots=True)
class Rows:
    """The rows of the table, looked up by their lineage."""

    clickhouse: ClickHouse
    target: str | None
    """The table's quoted name."""
    lineage: Mapping[Transform, str]
    """Names of the columns that hold a row's origin."""
    partition_column: str | None
    key_column: str | None
    can_look_up: bool = field(init=False)

    def __post_init__(self) -> None:
        self.can_look_up = self.target is not None and self.lineage.keys() >= _REQUIRED_LINEAGE

    def find_present(self, batch: InsertBatch, wanted: np.ndarray) -> np.ndarray:
        """Return a mask of the wanted rows that are in the table, themselves or as another row of the same statement.

        If the table has no lineage columns, all wanted rows count as present.
        """
        if not self.can_look_up:
            return wanted
        present = self.find_landed(batch, wanted)
        missing = wanted & ~present
        if missing.any():
            present |= self._find_replaced(batch, missing)
        return present

    def find_landed(self, batch: InsertBatch, wanted: np.ndarray) -> np.ndarray:
        """Return a mask of the wanted rows that are in the table themselves; none if it has no lineage columns."""
        present = np.zeros(len(batch), bool)
        if not wanted.any() or not self.can_look_up:
            return present
        members = [
            (position, lines)
            for position in range(len(batch.sources))
            if len(lines := batch.lines[wanted & (batch.owners == position)])
        ]
        positions = {(source.file, source.etag): position for position, source in enumerate(batch.sources)}
        for some in batched(members, _MEMBERS_PER_LOOKUP, strict=False):
            try:
                response = self.clickhouse.query(self._write_lookup(batch, some), _LOOKUP_SETTINGS)
            except InsertError as error:
                if error.code != _UNKNOWN_COLUMN_CODE:
                    raise
                self.can_look_up = False
                return present
            for line in response.splitlines():
                file, etag, found = json.loads(line)
                numbers = np.array([int(number) for number in found], np.int64)
                present |= (batch.owners == positions[file, etag]) & np.isin(batch.lines, numbers)
        present &= wanted
        return present

    def _find_replaced(self, batch: InsertBatch, missing: np.ndarray) -> np.ndarray:
        """Return a mask of the missing rows that another row of the same statement replaced.

        ClickHouse keeps one row for each key, even within one INSERT.
        """
        replaced = np.zeros(len(batch), bool)
        key, line_hash = self.key_column, self.lineage.get("line_sha256")
        if key is None or line_hash is None:
            return replaced
        keys, hashes = batch.read([key, line_hash])
        # A statement without an id is identified by its line.
        for column, values in ((key, keys), (line_hash, [None if k else h for k, h in zip(keys, hashes, strict=True)])):
            wanted = [value for position in np.flatnonzero(missing).tolist() if (value := values[position])]
            present = self._find_present(column, wanted)
            replaced |= np.array([value in present for value in values])
        found: np.ndarray = replaced & missing
        return found

    def _find_present(self, column: str, values: Sequence[str]) -> set[str]:
        present: set[str] = set()
        name = quote_name(column)
        for some in batched(values, _KEYS_PER_LOOKUP, strict=False):
            wanted = ", ".join(map(quote_text, some))
            query = f"SELECT DISTINCT {name} FROM {self.target} WHERE {name} IN ({wanted})"  # noqa: S608
            response = self.clickhouse.query(f"{query} FORMAT JSONCompactEachRow", _LOOKUP_SETTINGS)
            present.update(json.loads(line)[0] for line in response.splitlines())
        return present

    def _write_lookup(self, batch: InsertBatch, members: Sequence[tuple[int, np.ndarray]]) -> str:
        file, etag, line = (quote_name(self.lineage[what]) for what in ("source_file", "source_etag", "source_line"))
        wanted = [
            f"({file} = {quote_text(batch.sources[position].file)}"
            f" AND {etag} = {quote_text(batch.sources[position].etag)}"
            f" AND {line} BETWEEN {lines.min()} AND {lines.max()})"
            for position, lines in members
        ]
        where = f"({' OR '.join(wanted)})"
        if self.partition_column and batch.times:
            # The time range lets ClickHouse skip other partitions. One extra day covers any time zone of the table.
            first, last = batch.times[0] - _DAY_MS, batch.times[1] + _DAY_MS
            times = (f"fromUnixTimestamp64Milli(toInt64({number}), 'UTC')" for number in (first, last))
            where += f" AND {quote_name(self.partition_column)} BETWEEN {' AND '.join(times)}"
        return (
            f"SELECT toString({file}), toString({etag}), groupUniqArray(toUInt64({line}))"  # noqa: S608  # quoted
            f" FROM {self.target} WHERE {where} GROUP BY 1, 2 FORMAT JSONCompactEachRow"
        )


def _choose_token(batch: InsertBatch, spent: Sequence[str], *, is_again: bool) -> str:
    """Return a batch's token, or a new one for rows that were acknowledged or rejected under it before."""
    if not is_again and batch.token not in spent:
        return batch.token
    return hashlib.sha256("|".join([batch.token, *sorted(spent)]).encode()).hexdigest()

"""Gathering: the rows of several objects go into one INSERT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aws_lambda_powertools import Logger

from xapi_etl.clickhouse.http_client import VALUE_CODES
from xapi_etl.exceptions import InsertError, OutOfTimeError
from xapi_etl.schemas import BatchStats, ObjectName, RowChunk
from xapi_etl.settings import Settings

from .table_writer import TableWriter

_MAX_BYTES = 32 * 1024 * 1024
"""Bytes of gathered Arrow columns at which they are inserted, however few rows they hold."""


@dataclass(slots=True)
class GatheredRows:
    """Rows of objects that wait for a common INSERT; the objects' outcomes are recorded in the statistics."""

    settings: Settings
    table: TableWriter
    logger: Logger
    stats: BatchStats
    _waiting: list[tuple[ObjectName, RowChunk]] = field(default_factory=list)
    _rows: int = 0
    _bytes: int = 0

    def add(self, name: ObjectName, chunk: RowChunk) -> None:
        """Add all rows of an object; insert what has been gathered when it is enough."""
        rows, size = len(chunk.table), chunk.table.nbytes
        # An object large enough for its own INSERT keeps its token, whatever other objects arrive with it next time.
        is_enough = rows >= self.settings.target_rows
        is_full = self._rows + rows > self.settings.max_rows or self._bytes + size > _MAX_BYTES
        if is_enough or is_full:
            self.insert()
        self._waiting.append((name, chunk))
        self._rows += rows
        self._bytes += size
        if self._rows >= self.settings.target_rows:
            self.insert()

    def insert(self) -> None:
        """Insert the gathered rows; a failure affects only the objects that they come from."""
        gathered, self._waiting = self._waiting, []
        self._rows = self._bytes = 0
        if gathered:
            self._insert_together(gathered)

    def _insert_together(self, gathered: Sequence[tuple[ObjectName, RowChunk]]) -> None:
        names = [name for name, _ in gathered]
        chunks = [chunk for _, chunk in gathered]
        try:
            fresh = {source for batch in self.table.make_batches(chunks) for source in self.table.insert(batch, chunks)}
        except OutOfTimeError as error:
            self.stats.set_outcome(names, "not_started", str(error))
        except InsertError as error:
            if error.code not in VALUE_CODES or error.has_landed or len(gathered) == 1:
                self.stats.set_outcome(names, "failed", f"INSERT failed: {error}", "insert_failed")
                return
            # The table rejects a value. The objects without it must not fail together with the one that has it.
            middle = len(gathered) // 2
            self._insert_together(gathered[:middle])
            self._insert_together(gathered[middle:])
        except Exception as error:
            self.logger.exception("insert_unexpected_error", extra={"objects": len(names)})
            self.stats.set_outcome(names, "failed", f"unexpected error: {type(error).__name__}", "unforeseen")
        else:
            for name, chunk in gathered:
                self.stats.set_outcome([name], self.table.name_result(is_fresh=chunk.source in fresh))

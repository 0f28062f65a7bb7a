"""The INSERTs of an invocation: rows are encoded and inserted; each INSERT is counted and logged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from aws_lambda_powertools import Logger

from xapi_etl.clickhouse.insert_batch import InsertBatch, make_insert_batches
from xapi_etl.clickhouse.inserter import FailingInserter, Inserter
from xapi_etl.exceptions import InsertError
from xapi_etl.schemas import BatchStats, Result, RowChunk, Source
from xapi_etl.settings import Settings

from .rebuild import BatchRebuilder


@dataclass(frozen=True, slots=True)
class TableWriter:
    """Writes rows to the table; updates the statistics."""

    settings: Settings
    inserter: Inserter | FailingInserter | None
    """``None`` in a dry run, which skips the INSERT."""
    rebuilder: BatchRebuilder
    partition_column: str | None
    logger: Logger
    stats: BatchStats

    def make_batches(self, chunks: Sequence[RowChunk]) -> Iterator[InsertBatch]:
        """Encode rows in as few batches as the limits of an INSERT allow."""
        return make_insert_batches(
            chunks,
            compression=self.settings.compression,
            max_bytes=self.settings.max_parquet_bytes,
            partition_column=self.partition_column,
        )

    def insert(self, batch: InsertBatch, chunks: Sequence[RowChunk]) -> list[Source]:
        """Insert a batch; return the objects of which rows were sent.

        ``chunks`` are rows at hand: an INSERT in doubt is rebuilt from them, as far as they suffice.

        Raises:
            InsertError: the server rejected it, or no response arrived.
            OutOfTimeError: too little time is left to start.
        """
        self.stats.parquet_bytes += len(batch.parquet)
        if self.inserter is None:
            return list(batch.sources)
        started = time.monotonic()
        objects = len(set(batch.owners.tolist()))
        fields: dict[str, int | str] = {"rows": len(batch), "objects": objects, "parquet_bytes": len(batch.parquet)}
        fields["token"] = batch.token
        try:
            inserted = self.inserter.insert(batch, lambda entry: self.rebuilder.rebuild(entry, chunks))
        except InsertError as error:
            self.stats.inserts_failed += 1
            self.logger.error("insert_failed", extra={**fields, "error": str(error), "code": error.code})  # noqa: TRY400
            raise
        sent = int(np.count_nonzero(inserted))
        repeated = self.inserter.count_repeated(batch, inserted)
        self.stats.inserts += bool(sent)
        self.stats.rows_inserted += sent - repeated
        self.stats.rows_repeated += repeated
        self.stats.rows_present += len(batch) - sent
        elapsed = round((time.monotonic() - started) * 1000)
        self.logger.info(
            "insert_complete",
            extra={**fields, "rows_inserted": sent - repeated, "rows_repeated": repeated, "duration_ms": elapsed},
        )
        return [batch.sources[position] for position in np.unique(batch.owners[inserted]).tolist()]

    def name_result(self, *, is_fresh: bool) -> Result:
        """Return the result of an object that is done; ``is_fresh``: rows of it were sent."""
        if self.inserter is None:
            return "converted"
        return "loaded" if is_fresh else "duplicate"

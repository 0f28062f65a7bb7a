"""Loading of the objects of one invocation: reading, converting, gathering into INSERTs, inserting."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from aws_lambda_powertools import Logger

from xapi_etl.clickhouse.http_client import VALUE_CODES
from xapi_etl.clickhouse.insert_batch import InsertBatch, make_insert_batches
from xapi_etl.clickhouse.inserter import FailingInserter, Inserter
from xapi_etl.converting.row_chunks import LineConverter, convert_object
from xapi_etl.exceptions import InsertError, OutOfTimeError, SourceError
from xapi_etl.reading.contents import decode_contents
from xapi_etl.reading.sources import OpenObject, SourceReader
from xapi_etl.schemas import BadLine, BatchStats, ObjectName, Outcome, Result, RowChunk, Source
from xapi_etl.settings import Settings

from .quarantine import BadLines, make_key
from .rebuild import BatchRebuilder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OUT_OF_TIME = "the function's time limit is near"
_SPOOL_MEMORY_BYTES = 16 * 1024 * 1024
_CONVERSION_RESERVE_MS = 3_000
"""Time reserved for converting the data that has been read, in addition to the time for starting an INSERT."""
_MAX_GATHERED_BYTES = 32 * 1024 * 1024
"""Bytes of gathered Arrow columns at which they are inserted, however few rows they hold."""


_MAX_DROPPED_KEYS = 100


@dataclass(slots=True)
class Loader:
    """Loads the objects of one invocation."""

    settings: Settings
    s3: S3Client
    reader: SourceReader
    converter: LineConverter
    inserter: Inserter | FailingInserter | None
    """``None`` in a dry run, which skips the INSERT."""
    partition_column: str | None
    logger: Logger
    remaining_ms: Callable[[], int]
    stats: BatchStats = field(default_factory=BatchStats)
    _gathered: list[tuple[ObjectName, RowChunk]] = field(default_factory=list)
    _gathered_rows: int = 0
    _gathered_bytes: int = 0
    _first_of: dict[Source, ObjectName] = field(default_factory=dict)
    """The first name of each source: two versions with the same bytes have the same ETag, and so the same rows."""
    _same_as: dict[ObjectName, ObjectName] = field(default_factory=dict)
    _rebuilder: BatchRebuilder = field(init=False)

    def __post_init__(self) -> None:
        self._rebuilder = BatchRebuilder(self.settings, self.reader, self.converter, self.partition_column)

    def run(self, names: Sequence[ObjectName]) -> None:
        """Load as many objects as the time allows; record the outcome of each in the statistics."""
        for name, opened in self.reader.open_objects(names, self._reading_seconds):
            if self._is_late():
                break
            if isinstance(opened, SourceError):
                self._fail([name], opened)
            else:
                self._load(opened)
        self._insert_gathered()
        for name, first in self._same_as.items():
            self.stats.outcomes[name] = self.stats.outcomes[first]
        self._set_outcome([name for name in names if name not in self.stats.outcomes], "not_started", OUT_OF_TIME)

    def _load(self, opened: OpenObject) -> None:
        name = opened.name
        if opened.source in self._first_of:
            self._same_as[name] = self._first_of[opened.source]
            return
        self._first_of[opened.source] = name
        self.stats.input_bytes += opened.size
        try:
            with closing(self._make_bad_lines()) as bad:
                chunks = self._convert(opened, bad)
                first, second = next(chunks, None), next(chunks, None)
                if first and second:
                    self._insert_many(opened, chain([first, second], chunks), bad)
                else:
                    self._handle_bad_lines(opened, bad, len(first.table) if first else 0)
                    if first:
                        self._gather(name, first)
                    else:
                        self._set_outcome([name], "empty")
        except OutOfTimeError as error:
            self._set_outcome([name], "not_started", str(error))
        except (SourceError, InsertError) as error:
            self._fail([name], error)
        except Exception as error:
            self.logger.exception("object_unexpected_error", extra={"bucket": name.bucket, "key": name.key})
            self._set_outcome([name], "failed", f"unexpected error: {type(error).__name__}", "unforeseen")

    def _convert(self, opened: OpenObject, bad: BadLines) -> Iterator[RowChunk]:
        """Yield an object's chunks and log the progress.

        Raises:
            SourceError: it cannot be read, or has too many bad lines.
            OutOfTimeError: the time limit is near.
        """
        rows, reported = 0, time.monotonic()
        read = 0

        def count(contents: Iterable[bytes]) -> Iterator[bytes]:
            nonlocal read, reported
            for block in contents:
                if self._is_late():
                    raise OutOfTimeError(OUT_OF_TIME)
                read += len(block)
                if time.monotonic() - reported >= self.settings.progress_seconds:
                    reported = time.monotonic()
                    fields = {"bucket": opened.name.bucket, "key": opened.name.key, "rows": rows}
                    self.logger.info("lines_progress", extra={**fields, "bytes_read": read, "size": opened.size})
                yield block

        def on_bad_lines(lines: list[BadLine]) -> None:
            self.stats.lines += len(lines)
            self.stats.bad_lines += len(lines)
            self.stats.bad_codes.update(line.code for line in lines)
            bad.add(opened.source, lines)

        contents = decode_contents(count(self.reader.read(opened)), only_statements=self.settings.only_statements)
        for chunk in convert_object(
            contents,
            opened.source,
            self.converter,
            max_rows=self.settings.max_rows,
            on_bad_lines=on_bad_lines,
            max_line_bytes=self.settings.max_line_bytes,
            on_dropped_keys=self._count_dropped,
        ):
            if not rows:
                self._log_schema(opened.name, chunk)
            rows += len(chunk.table)
            self.stats.lines += len(chunk.table)
            yield chunk

    def _log_schema(self, name: ObjectName, chunk: RowChunk) -> None:
        if self.logger.log_level > logging.DEBUG:
            return
        table = chunk.table
        columns = {column: str(kind) for column, kind in zip(table.schema.names, table.schema.types, strict=True)}
        empty = [column for column in table.schema.names if table.column(column).null_count == len(table)]
        fields = {
            "bucket": name.bucket,
            "key": name.key,
            "rows": len(table),
            "columns": columns,
            "empty_columns": empty,
        }
        self.logger.debug("object_schema", extra=fields)

    def _count_dropped(self, keys: Mapping[str, int]) -> None:
        """Count keys without a column; beyond the limit, further names share one counter."""
        for name, count in keys.items():
            known = name in self.stats.dropped or len(self.stats.dropped) < _MAX_DROPPED_KEYS
            self.stats.dropped[name if known else "…"] += count

    def _handle_bad_lines(self, opened: OpenObject, bad: BadLines, rows: int) -> None:
        """Fail the object, skip its bad lines or store them in the quarantine, before any of its rows are inserted.

        Raises:
            SourceError: an object with so many bad lines is not loaded, or the quarantine cannot be written.
        """
        if not bad.count:
            return
        share = bad.count / (bad.count + rows)
        if self.settings.bad_lines == "fail":
            raise SourceError(bad.describe(), next(iter(bad.codes)), is_final=True)
        if share > self.settings.bad_lines_max_ratio:
            lines = f"{bad.count} of {bad.count + rows} lines are rejected"
            reason = f"{lines}, more than BAD_LINES_MAX_RATIO allows; {bad.describe()}"
            raise SourceError(reason, "too_many_bad_lines", is_final=True)
        name = opened.name
        fields: dict[str, Any] = {
            "bucket": name.bucket,
            "key": name.key,
            "lines": bad.count,
            "reason_codes": dict(bad.codes),
        }
        fields |= {"first_line": bad.first[0].number, "reason": bad.first[0].reason, "dry_run": self.inserter is None}
        if self.settings.bad_lines == "skip":
            self.logger.warning("lines_skipped", extra=fields)
            return
        if self.inserter is None:
            where = f"s3://{self.settings.quarantine_bucket or name.bucket}/{make_key(self.settings, name)}"
        else:
            where = bad.store(self.s3, self.settings, name, opened.source)
        self.logger.warning("lines_quarantined", extra={**fields, "quarantine": where})

    def _gather(self, name: ObjectName, chunk: RowChunk) -> None:
        rows, size = len(chunk.table), chunk.table.nbytes
        # An object large enough for its own INSERT keeps its token, whatever other objects arrive with it next time.
        is_enough = rows >= self.settings.target_rows
        is_full = (
            self._gathered_rows + rows > self.settings.max_rows or self._gathered_bytes + size > _MAX_GATHERED_BYTES
        )
        if is_enough or is_full:
            self._insert_gathered()
        self._gathered.append((name, chunk))
        self._gathered_rows += rows
        self._gathered_bytes += size
        if self._gathered_rows >= self.settings.target_rows:
            self._insert_gathered()

    def _insert_gathered(self) -> None:
        """Insert the gathered rows; a failure affects only the objects that they come from."""
        gathered, self._gathered = self._gathered, []
        self._gathered_rows = self._gathered_bytes = 0
        if gathered:
            self._insert_together(gathered)

    def _insert_together(self, gathered: Sequence[tuple[ObjectName, RowChunk]]) -> None:
        names = [name for name, _ in gathered]
        chunks = [chunk for _, chunk in gathered]
        try:
            fresh = {source for batch in self._make_batches(chunks) for source in self._insert(batch, chunks)}
        except OutOfTimeError as error:
            self._set_outcome(names, "not_started", str(error))
        except InsertError as error:
            if error.code not in VALUE_CODES or error.has_landed or len(gathered) == 1:
                self._set_outcome(names, "failed", f"INSERT failed: {error}", "insert_failed")
                return
            # The table rejects a value. The objects without it must not fail together with the one that has it.
            middle = len(gathered) // 2
            self._insert_together(gathered[:middle])
            self._insert_together(gathered[middle:])
        except Exception as error:
            self.logger.exception("insert_unexpected_error", extra={"objects": len(names)})
            self._set_outcome(names, "failed", f"unexpected error: {type(error).__name__}", "unforeseen")
        else:
            for name, chunk in gathered:
                self._set_outcome([name], self._succeed(is_fresh=chunk.source in fresh))

    def _insert_many(self, opened: OpenObject, chunks: Iterable[RowChunk], bad: BadLines) -> None:
        """Insert an object that needs several INSERTs, after all of it has been read and accepted."""
        fresh = False
        with tempfile.SpooledTemporaryFile(_SPOOL_MEMORY_BYTES) as spool:
            batches = [
                (_store(spool, batch.parquet), replace(batch, parquet=b""))
                for chunk in chunks
                for batch in self._make_batches([chunk])
            ]
            self._handle_bad_lines(opened, bad, sum(len(batch) for _, batch in batches))
            for span, batch in batches:
                fresh |= bool(self._insert(replace(batch, parquet=_fetch(spool, span)), []))
        self._set_outcome([opened.name], self._succeed(is_fresh=fresh))

    def _make_batches(self, chunks: Sequence[RowChunk]) -> Iterator[InsertBatch]:
        return make_insert_batches(
            chunks,
            compression=self.settings.compression,
            max_bytes=self.settings.max_parquet_bytes,
            partition_column=self.partition_column,
        )

    def _insert(self, batch: InsertBatch, chunks: Sequence[RowChunk]) -> list[Source]:
        """Insert a batch; return the objects of which rows were sent."""
        self.stats.parquet_bytes += len(batch.parquet)
        if self.inserter is None:
            return list(batch.sources)
        started = time.monotonic()
        objects = len(set(batch.owners.tolist()))
        fields: dict[str, int | str] = {"rows": len(batch), "objects": objects, "parquet_bytes": len(batch.parquet)}
        fields["token"] = batch.token
        try:
            inserted = self.inserter.insert(batch, lambda entry: self._rebuilder.rebuild(entry, chunks))
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

    def _succeed(self, *, is_fresh: bool) -> Result:
        if self.inserter is None:
            return "converted"
        return "loaded" if is_fresh else "duplicate"

    def _is_late(self) -> bool:
        return self._reading_seconds() <= 0

    def _reading_seconds(self) -> float:
        """Return how many seconds remain for reading; after them, the gathered rows are inserted."""
        return (self.remaining_ms() - self.settings.start_insert_ms - _CONVERSION_RESERVE_MS) / 1000

    def _fail(self, names: Iterable[ObjectName], error: SourceError | InsertError) -> None:
        if isinstance(error, SourceError):
            self._set_outcome(names, "failed", str(error), error.code, is_final=error.is_final)
        else:
            self._set_outcome(names, "failed", str(error), "insert_failed")

    def _set_outcome(
        self, names: Iterable[ObjectName], result: Result, reason: str = "", code: str = "", *, is_final: bool = False
    ) -> None:
        for name in names:
            self.stats.outcomes[name] = Outcome(result, reason, code, is_final)

    def _make_bad_lines(self) -> BadLines:
        mode = self.settings.bad_lines
        return BadLines(is_kept=mode == "quarantine" and self.inserter is not None, is_limited=mode != "skip")


def _store(spool: IO[bytes], data: bytes) -> tuple[int, int]:
    span = spool.tell()
    try:
        spool.write(data)
    except OSError as error:
        raise SourceError(f"the object's rows do not fit into the temporary folder: {error.strerror}") from error
    return span, len(data)


def _fetch(spool: IO[bytes], span: tuple[int, int]) -> bytes:
    spool.seek(span[0])
    return spool.read(span[1])

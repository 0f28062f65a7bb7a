"""Loading of the objects of one invocation: reading, converting, gathering into INSERTs, inserting."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import IO

from aws_lambda_powertools import Logger

from xapi_etl.exceptions import InsertError, OutOfTimeError, SourceError
from xapi_etl.reading.sources import OpenObject, SourceReader
from xapi_etl.schemas import BatchStats, ObjectName, RowChunk, Source

from .bad_line_policy import BadLinePolicy
from .chunk_reader import ChunkReader
from .gathered_rows import GatheredRows
from .quarantine import BadLines
from .reading_time import OUT_OF_TIME, ReadingTime
from .table_writer import TableWriter

_SPOOL_MEMORY_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Loader:
    """Loads the objects of one invocation."""

    reader: SourceReader
    chunk_reader: ChunkReader
    bad_line_policy: BadLinePolicy
    gathered: GatheredRows
    table: TableWriter
    reading_time: ReadingTime
    logger: Logger
    stats: BatchStats
    _first_of: dict[Source, ObjectName] = field(default_factory=dict)
    """The first name of each source: two versions with the same bytes have the same ETag, and so the same rows."""
    _same_as: dict[ObjectName, ObjectName] = field(default_factory=dict)

    def run(self, names: Sequence[ObjectName]) -> None:
        """Load as many objects as the time allows; record the outcome of each in the statistics."""
        for name, opened in self.reader.open_objects(names, self.reading_time.seconds):
            if self.reading_time.is_over():
                break
            if isinstance(opened, SourceError):
                self._fail([name], opened)
            else:
                self._load(opened)
        self.gathered.insert()
        for name, first in self._same_as.items():
            self.stats.outcomes[name] = self.stats.outcomes[first]
        self.stats.set_outcome([name for name in names if name not in self.stats.outcomes], "not_started", OUT_OF_TIME)

    def _load(self, opened: OpenObject) -> None:
        name = opened.name
        if opened.source in self._first_of:
            self._same_as[name] = self._first_of[opened.source]
            return
        self._first_of[opened.source] = name
        self.stats.input_bytes += opened.size
        try:
            with closing(self.bad_line_policy.make_bad_lines()) as bad:
                chunks = self.chunk_reader.read(opened, bad)
                first, second = next(chunks, None), next(chunks, None)
                if first and second:
                    self._insert_many(opened, chain([first, second], chunks), bad)
                else:
                    self.bad_line_policy.apply(opened, bad, len(first.table) if first else 0)
                    if first:
                        self.gathered.add(name, first)
                    else:
                        self.stats.set_outcome([name], "empty")
        except OutOfTimeError as error:
            self.stats.set_outcome([name], "not_started", str(error))
        except (SourceError, InsertError) as error:
            self._fail([name], error)
        except Exception as error:
            self.logger.exception("object_unexpected_error", extra={"bucket": name.bucket, "key": name.key})
            self.stats.set_outcome([name], "failed", f"unexpected error: {type(error).__name__}", "unforeseen")

    def _insert_many(self, opened: OpenObject, chunks: Iterable[RowChunk], bad: BadLines) -> None:
        """Insert an object that needs several INSERTs, after all of it has been read and accepted."""
        fresh = False
        with tempfile.SpooledTemporaryFile(_SPOOL_MEMORY_BYTES) as spool:
            batches = [
                (_store(spool, batch.parquet), replace(batch, parquet=b""))
                for chunk in chunks
                for batch in self.table.make_batches([chunk])
            ]
            self.bad_line_policy.apply(opened, bad, sum(len(batch) for _, batch in batches))
            for span, batch in batches:
                fresh |= bool(self.table.insert(replace(batch, parquet=_fetch(spool, span)), []))
        self.stats.set_outcome([opened.name], self.table.name_result(is_fresh=fresh))

    def _fail(self, names: Iterable[ObjectName], error: SourceError | InsertError) -> None:
        if isinstance(error, SourceError):
            self.stats.set_outcome(names, "failed", str(error), error.code, is_final=error.is_final)
        else:
            self.stats.set_outcome(names, "failed", str(error), "insert_failed")


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

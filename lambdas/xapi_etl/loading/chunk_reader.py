"""The rows of one object: its contents are read and converted in chunks, counted and logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from aws_lambda_powertools import Logger

from xapi_etl.converting.row_chunks import LineConverter, convert_object
from xapi_etl.exceptions import OutOfTimeError
from xapi_etl.reading.contents import decode_contents
from xapi_etl.reading.sources import OpenObject, SourceReader
from xapi_etl.schemas import BadLine, BatchStats, ObjectName, RowChunk
from xapi_etl.settings import Settings

from .quarantine import BadLines
from .reading_time import OUT_OF_TIME, ReadingTime

_MAX_DROPPED_KEYS = 100
"""Keys without a column that are counted by name."""


@dataclass(frozen=True, slots=True)
class ChunkReader:
    """Reads objects as chunks of rows; counts their lines in the statistics."""

    settings: Settings
    reader: SourceReader
    converter: LineConverter
    reading_time: ReadingTime
    logger: Logger
    stats: BatchStats

    def read(self, opened: OpenObject, bad: BadLines) -> Iterator[RowChunk]:
        """Yield an object's chunks, add its bad lines to ``bad``, and log the progress.

        Raises:
            SourceError: it cannot be read, or has too many bad lines.
            OutOfTimeError: the time limit is near.
        """
        rows, reported = 0, time.monotonic()
        read = 0

        def count(contents: Iterable[bytes]) -> Iterator[bytes]:
            nonlocal read, reported
            for block in contents:
                if self.reading_time.is_over():
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

"""The result of a query as a stream of encoded chunks."""

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import pairwise
from types import TracebackType
from typing import Self

import pyarrow as pa  # type: ignore[import-untyped]

from dataset_download.formats.csv_rows import make_csv_rows, make_header
from dataset_download.formats.encoding import Encode, encode_batches
from dataset_download.formats.format import Format
from dataset_download.formats.json_rows import SEPARATOR, make_json_array, make_json_lines
from dataset_download.formats.logical_types import find_annotations
from dataset_download.formats.parquet_file import choose_codec, write_parquet
from dataset_download.planning.plan import Plan
from dataset_download.s3.objects import RangeReader
from dataset_download.s3.prefetch import ReadAhead, Segment

from .rows import Rows, cut_rows
from .sorting import sort_rows

COPY_BYTES = 4 * 1024 * 1024
JOINED_CHUNK_BYTES = 1024 * 1024
"""Chunks up to this size are joined rather than yielded separately."""


class Download(Iterator[bytes]):
    """The chunks of a result, none of them empty; closing it early stops all reads and releases memory.

    Iteration blocks: an async server iterates in a thread, never in two at the same time.
    """

    def __init__(self, plan: Plan, format_: Format, *, formula_guard: bool = False) -> None:
        self._plan = plan
        self._format = format_
        self._formula_guard = formula_guard
        self._memory = plan.reading.memory
        self._reader = plan.dataset.store.make_reader()
        self._chunks = self._make_chunks()
        self.rows = 0
        """Rows yielded so far."""
        self.size = 0
        """Bytes yielded so far."""

    @property
    def requests(self) -> int:
        """S3 requests so far."""
        return self._reader.meter.requests

    @property
    def bytes_read(self) -> int:
        """Bytes read from S3 so far."""
        return self._reader.meter.bytes

    def __next__(self) -> bytes:
        """Return the next chunk.

        Raises:
            ObjectChangedError: a file was overwritten after the dataset was opened.
            CorruptDatasetError: a file cannot be decoded.
            SourceUnreadableError: S3 failed on every attempt.
            SortTooLargeError: more than MAX_SORT_ROWS rows passed the filters (before the first chunk).
        """
        chunk = next(self._chunks)
        while not chunk:
            chunk = next(self._chunks)
        self.size += len(chunk)
        return chunk

    def close(self) -> None:
        """Stop the stream. May be called repeatedly, and from another thread if no `next` is running."""
        self._chunks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_chunks(self) -> Generator[bytes]:
        plan = self._plan
        match self._format:
            case Format.PARQUET if plan.query.is_full and plan.dataset.is_single_object:
                return self._copy()
            case Format.PARQUET:
                return self._write_parquet()
            case Format.CSV:
                return self._write_csv()
            case Format.JSONL:
                return self._encode(make_json_lines(plan.schema, self._memory.text))
            case Format.JSON:
                return self._write_array()

    def _read(self) -> Generator[pa.RecordBatch]:
        return read_rows(self._plan, self._reader)

    def _encode(self, encode: Encode) -> Generator[bytes]:
        batches = self._read()
        with closing(batches), closing(encode_batches(batches, encode, self._memory.encoding)) as chunks:
            for chunk, rows in chunks:
                self.rows += rows
                yield chunk
                del chunk

    def _write_csv(self) -> Generator[bytes]:
        """Yield the header together with the first rows, so that an early error occurs before the first byte."""
        first = make_header(self._plan.schema.names, formula_guard=self._formula_guard)
        rows = make_csv_rows(self._plan.schema, formula_guard=self._formula_guard, largest=self._memory.text)
        for chunk in self._encode(rows):
            yield from _prepend(first, chunk)
            first = b""
        yield first

    def _write_array(self) -> Generator[bytes]:
        start, separator = b"[", SEPARATOR.encode()
        for chunk in self._encode(make_json_array(self._plan.schema, self._memory.text)):
            if start:
                yield from _prepend(start + chunk[len(separator) : JOINED_CHUNK_BYTES], chunk[JOINED_CHUNK_BYTES:])
            else:
                yield chunk
            start = b""
        yield start + b"]\n"

    def _write_parquet(self) -> Generator[bytes]:
        batches = self._read()
        with closing(batches):
            plan = self._plan
            yield from write_parquet(
                self._count(batches),
                plan.schema,
                choose_codec(plan.dataset.footers[0]),
                find_annotations(plan.schema.names, plan.dataset.footers),
            )

    def _count(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self.rows += batch.num_rows
            yield batch

    def _copy(self) -> Generator[bytes]:
        """Yield the bytes of the object, since the result is the file itself."""
        (file,) = self._plan.dataset.files
        cuts = [*range(0, file.size, COPY_BYTES), file.size]
        segments = [Segment(file, start, end, start) for start, end in pairwise(cuts)]
        ahead = ReadAhead(self._reader, segments, self._plan.reading.read_ahead_bytes)
        with closing(ahead):
            for segment in segments:
                yield ahead.read(file, segment.start, segment.end)
        self.rows = self._plan.dataset.row_count


def read_rows(plan: Plan, reader: RangeReader) -> Generator[pa.RecordBatch]:
    """Yield the rows of a result, in its columns."""
    query, names = plan.query, plan.schema.names
    needed = tuple(dict.fromkeys([*names, *(key.column for key in query.sort)]))
    batches = Rows(plan, reader, needed).iterate()
    with closing(batches):
        if not query.sort:
            yield from cut_rows(batches, query.offset - plan.skipped_rows, query.limit)
            return
        for batch in cut_rows(sort_rows(batches, plan), query.offset, query.limit):
            yield batch.select(names)


def _prepend(first: bytes, chunk: bytes) -> Iterator[bytes]:
    """Yield both, joined if that copies little."""
    if len(chunk) <= JOINED_CHUNK_BYTES:
        yield first + chunk
        return
    yield first
    yield chunk


def start_download(plan: Plan, format_: Format, *, formula_guard: bool = False) -> Download:
    """Return the result of a plan as a stream. Nothing is read before the first chunk is requested.

    Args:
        plan: the plan to execute.
        format_: the output format.
        formula_guard: in CSV, put an apostrophe before text that a spreadsheet would run as a formula.
    """
    return Download(plan, format_, formula_guard=formula_guard)

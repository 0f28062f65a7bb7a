"""Decoder of row groups: columns as batches, decoded page by page, never the whole row group."""

import io
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError
from dataset_download.parquet.segments import find_chunks
from dataset_download.runtime.cancellation import check_cancelled
from dataset_download.runtime.memory_budget import Memory
from dataset_download.s3.objects import DataFile
from dataset_download.s3.prefetch import ReadAhead

from .batch_sizes import BatchSizes, choose_buffer

if TYPE_CHECKING:
    from dataset_download.datasets.dataset import Dataset
    from dataset_download.planning.plan import Group

FIRST_ROWS = 1_000


class RemoteFile(io.RawIOBase):
    """A Parquet file as a file object for Arrow, served by the prefetcher."""

    def __init__(self, ahead: ReadAhead, file: DataFile) -> None:
        super().__init__()
        self._ahead = ahead
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""
        end = self._file.size if size is None or size < 0 else min(self._file.size, self._position + size)
        if end <= self._position:
            return b""
        data = self._ahead.read(self._file, self._position, end)
        self._position = end
        return data


def decode(
    dataset: "Dataset", group: "Group", leaves: Sequence[int], batch_rows: int, ahead: ReadAhead, memory: Memory
) -> Generator[pa.RecordBatch]:
    """Yield batches of some leaf columns of a row group; no batch is empty.

    Raises:
        CorruptDatasetError: the columns cannot be decoded.
        MemoryLimitError: the columns do not fit into memory.
    """
    file = dataset.files[group.file]
    rows = 0
    try:
        # A pre-buffered read would hold whole row groups; this one requests pages as it proceeds.
        opened = pq.ParquetFile(
            RemoteFile(ahead, file),
            metadata=dataset.footers[group.file].arrow,
            buffer_size=choose_buffer(len(leaves)),
            pre_buffer=False,
            arrow_extensions_enabled=True,
        )
        sizes = _measure(opened.metadata.schema, dataset, group, leaves, ahead, memory)
        for batch in opened.reader.iter_batches(
            sizes.choose(0, min(batch_rows, FIRST_ROWS)),
            row_groups=[group.number],
            column_indices=leaves,
            use_threads=False,
        ):
            check_cancelled()
            rows += batch.num_rows
            if batch.num_rows:
                yield batch
                del batch
                opened.reader.set_batch_size(sizes.choose(rows, batch_rows))
    except (pa.ArrowException, OSError) as error:
        raise CorruptDatasetError(f"{file.key} cannot be decoded (row group {group.number}): {error}") from error
    if rows != group.rows:
        raise CorruptDatasetError(f"{file.key}: row group {group.number} has {rows} rows instead of {group.rows}")


def _measure(
    schema: pq.ParquetSchema,
    dataset: "Dataset",
    group: "Group",
    leaves: Sequence[int],
    ahead: ReadAhead,
    memory: Memory,
) -> BatchSizes:
    sizes = BatchSizes(dataset.files[group.file], memory)
    # Not Arrow's column chunk metadata: on a hostile footer it may crash the process.
    row_group = dataset.footers[group.file].row_group(group.number)
    chunks = [find_chunks(dataset.footers[group.file], group.number, [leaf])[0] for leaf in leaves]
    for leaf, chunk in zip(leaves, chunks, strict=True):
        sizes.add(schema.column(leaf), row_group.column(leaf), chunk, ahead)
    sizes.finish(chunks, ahead.budget)
    return sizes


class DeferredColumns:
    """Columns that are decoded only for row ranges in which rows pass the filters."""

    def __init__(self, batches: Generator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest: pa.RecordBatch | None = None
        self._behind = 0

    def skip(self, rows: int) -> None:
        """Skip the next rows without decoding them yet."""
        self._behind += rows

    def take(self, rows: int) -> pa.RecordBatch:
        """Return at most `rows` next rows; decodes and drops the skipped rows before them."""
        while self._behind:
            self._behind -= self._pop(self._behind).num_rows
        return self._pop(rows)

    def close(self) -> None:
        """Stop decoding."""
        self._batches.close()

    def _pop(self, rows: int) -> pa.RecordBatch:
        """Return at most `rows` rows of the next batch."""
        batch = next(self._batches) if self._rest is None else self._rest
        self._rest = batch.slice(rows) if batch.num_rows > rows else None
        return batch.slice(0, rows)

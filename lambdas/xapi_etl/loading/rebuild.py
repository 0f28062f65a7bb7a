"""Reconstruction of an earlier INSERT from its objects, so that it can be repeated with the same rows and token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xapi_etl.clickhouse.insert_batch import InsertBatch, keep_lines, make_insert_batch
from xapi_etl.clickhouse.ledger import Entry, Member
from xapi_etl.converting.row_chunks import LineConverter, convert_object
from xapi_etl.converting.tables import join_tables
from xapi_etl.exceptions import SourceError
from xapi_etl.reading.contents import decode_contents
from xapi_etl.reading.sources import SourceReader
from xapi_etl.schemas import ObjectName, RowChunk
from xapi_etl.settings import Settings


@dataclass(frozen=True, slots=True)
class BatchRebuilder:
    """Rebuilds the batches of INSERTs in doubt."""

    settings: Settings
    reader: SourceReader
    converter: LineConverter
    partition_column: str | None

    def rebuild(self, entry: Entry, chunks: Sequence[RowChunk]) -> InsertBatch | None:
        """Rebuild the batch of an earlier INSERT; ``None`` if its objects are gone, overwritten or read differently."""
        at_hand = {chunk.source: chunk for chunk in chunks}
        found = []
        for member in entry.members:
            try:
                chunk = at_hand.get(member.source)
                if chunk is None or not np.isin(member.lines, chunk.lines).all():
                    chunk = self._read_again(member)
            except SourceError:
                return None
            chunk = keep_lines(chunk, member.lines)
            if len(chunk.lines) != len(member.lines):
                return None
            found.append(chunk)
        return make_insert_batch(found, compression=self.settings.compression, partition_column=self.partition_column)

    def _read_again(self, member: Member) -> RowChunk:
        """Read an object again and return the rows of a member's lines.

        Raises:
            SourceError: the object cannot be read, or has been overwritten.
        """
        opened = self.reader.open(ObjectName.from_url(member.source.file, member.source.version_id))
        if opened.source != member.source:
            raise SourceError("the object was overwritten")
        chunks = convert_object(
            decode_contents(self.reader.read(opened), only_statements=self.settings.only_statements),
            opened.source,
            self.converter,
            max_rows=self.settings.max_rows,
            on_bad_lines=lambda _: None,
            max_line_bytes=self.settings.max_line_bytes,
        )
        found: list[RowChunk] = []
        for chunk in chunks:
            if len((kept := keep_lines(chunk, member.lines)).lines):
                found.append(kept)
            if chunk.lines[-1] >= member.lines[-1]:
                break
        if not found:
            raise SourceError("the lines are not accepted as rows any more")
        return RowChunk(
            opened.source,
            join_tables([chunk.table for chunk in found]),
            np.concatenate([chunk.lines for chunk in found]),
        )

"""Blocks converted in several threads: results, their order, errors and limits."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from xapi_etl.converting import row_chunks
from xapi_etl.converting.row_chunks import convert_object
from xapi_etl.reading.lines import BLOCK_BYTES, Lines
from xapi_etl.schemas import ConvertedLines, RowChunk, Source

SOURCE = Source("s3://bucket/key", "etag")
LINE = b"x" * 1023 + b"\n"
PER_BLOCK = BLOCK_BYTES // len(LINE)
BLOCKS = 20


@dataclass
class Slow:
    """Converts lines to their numbers; fails for a block whose first line is in ``broken``."""

    broken: tuple[int, ...] = ()
    begun: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def convert(self, lines: Lines, source: Source) -> ConvertedLines:
        assert source is SOURCE
        self.begun.append(lines.first_number)
        self.threads.add(threading.get_ident())
        time.sleep(0.01)
        if lines.first_number in self.broken:
            raise RuntimeError(str(lines.first_number))
        return ConvertedLines(pa.table({"n": range(lines.first_number, lines.first_number + len(lines))}), [])


def convert(converter: Slow, *, blocks: int = BLOCKS, max_rows: int = PER_BLOCK) -> Iterator[RowChunk]:
    contents = iter([LINE * PER_BLOCK] * blocks)
    return convert_object(contents, SOURCE, converter, max_rows=max_rows, on_bad_lines=lambda _: None)


@pytest.fixture(params=[1, 2, 4], autouse=True)
def processors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("os.process_cpu_count", lambda: request.param)
    return int(request.param)


def test_rows_come_in_order_whoever_converts_them(processors: int) -> None:
    converter = Slow()
    tables = [piece.table for piece in convert(converter)]
    assert pa.concat_tables(tables).column("n").to_pylist() == list(range(1, BLOCKS * PER_BLOCK + 1))
    assert sorted(converter.begun) == list(range(1, BLOCKS * PER_BLOCK, PER_BLOCK))
    # All pool threads, and the consumer.
    assert len(converter.threads) == processors


def test_first_error_is_raised_after_the_blocks_before_it() -> None:
    broken = tuple(block * PER_BLOCK + 1 for block in (7, 8, 9))
    taken: list[RowChunk] = []
    with pytest.raises(RuntimeError, match=str(broken[0])):
        taken.extend(convert(Slow(broken)))
    assert sum(len(piece.table) for piece in taken) == 7 * PER_BLOCK


def test_rows_are_not_converted_without_a_consumer() -> None:
    converter = Slow()
    rows = convert(converter, blocks=100)
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    begun = len(converter.begun)
    time.sleep(0.05)
    assert len(converter.begun) == begun < 20


def test_few_long_lines_are_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_chunks, "_MAX_QUEUED_BYTES", 2 * BLOCK_BYTES)
    taken = 0

    def read() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(6):
            taken += 1
            yield b"x" * (3 * BLOCK_BYTES) + b"\n"

    rows = convert_object(read(), SOURCE, Slow(), max_rows=1, on_bad_lines=lambda _: None)
    next(rows)
    # The first two blocks, one for each thread, and the queued blocks.
    assert taken <= 4

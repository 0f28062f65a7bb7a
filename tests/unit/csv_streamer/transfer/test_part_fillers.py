"""Connections that give up under way: their ranges are fetched by the others, whenever that happens."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, cast

import pytest

from csv_streamer.exceptions import CsvStreamerError, OutOfTimeError, SourceBrokeError
from csv_streamer.http.download import Download
from csv_streamer.s3.buffers import Buffers
from csv_streamer.s3.part_sizes import Span, cut_known
from csv_streamer.transfer.file_transfer import Transfer
from csv_streamer.transfer.part_fillers import RangedFiller
from tests.unit.csv_streamer.conftest import PART, Streamer

BODY = bytes(range(256)) * 4
SIZE = 64

type Break = Callable[[int], Awaitable[None]]
"""Called before a range is fetched, with its start: raises, or waits, or does neither."""


class ScriptedDownload:
    """Gives the body's ranges unless ``before`` raises."""

    def __init__(self, before: Break) -> None:
        self._before = before

    async def read(self, start: int, end: int, _: None, patience: float | None) -> AsyncGenerator[bytes]:
        await self._before(start)
        yield BODY[start:end]


def fill(before: Break, buffers: int = 5, connections: int = 4) -> bytes:
    """Fetch the body in parts of 64 bytes; return what was sent, in the order of the parts."""
    sent: dict[int, bytes] = {}

    async def play() -> None:
        shelf = Buffers(buffers * SIZE)
        returns = set()

        def send(span: Span, body: bytearray) -> None:
            sent[span.number] = bytes(body)
            returns.add(asyncio.create_task(shelf.give_back(body)))

        download = cast("Download", ScriptedDownload(before))
        filler = RangedFiller(download, cut_known(len(BODY), SIZE), shelf, send, lambda _: None)
        await asyncio.wait_for(filler.run(connections, None), 20)

    asyncio.run(play())
    return b"".join(body for _, body in sorted(sent.items()))


class BreaksOnce:
    """Breaks the first fetch of each of some ranges, after the other connections had their turns."""

    def __init__(self, *starts: int, error: CsvStreamerError | None = None) -> None:
        self._left = set(starts)
        self._error = error or SourceBrokeError("gave up")

    async def __call__(self, start: int) -> None:
        if start in self._left:
            self._left.remove(start)
            for _ in range(200):
                await asyncio.sleep(0)
            raise self._error


@pytest.mark.parametrize("error", [SourceBrokeError("gave up"), OutOfTimeError("too long a wait")])
@pytest.mark.parametrize("start", [0, SIZE, len(BODY) - SIZE], ids=["first", "second", "last"])
def test_range_that_is_given_back_is_fetched_by_another(start: int, error: CsvStreamerError) -> None:
    assert fill(BreaksOnce(start, error=error)) == BODY


def test_last_ranges_of_all_connections_are_fetched_after_all() -> None:
    assert fill(BreaksOnce(*range(len(BODY) - 3 * SIZE, len(BODY), SIZE))) == BODY


def test_all_buffers_may_be_held_by_parts_that_were_given_back() -> None:
    assert fill(BreaksOnce(0, SIZE), buffers=2) == BODY


async def _always_break(_: int) -> None:
    raise SourceBrokeError("gave up")


@pytest.mark.parametrize("connections", [1, 4])
def test_last_connection_that_breaks_fails_the_file(connections: int) -> None:
    with pytest.raises(SourceBrokeError, match="gave up"):
        fill(_always_break, connections=connections)


def test_range_that_breaks_after_the_others_ended_and_breaks_again_fails_the_file() -> None:
    last = len(BODY) - SIZE

    async def break_last(start: int) -> None:
        if start == last:
            await BreaksOnce(last)(start)

    with pytest.raises(SourceBrokeError, match="gave up"):
        fill(break_last)


def test_parts_that_are_less_than_the_length_are_not_completed(
    streamer: Streamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever let a part go missing without a byte of it counted."""
    fetch = Transfer._fetch_ranges

    async def fetch_less(transfer: Transfer, first: Any) -> bytearray | None:
        with monkeypatch.context() as patch:
            patch.setattr("csv_streamer.transfer.file_transfer.cut_known", lambda *sizes: cut_known(*sizes)[:-1])
            return await fetch(transfer, first)

    monkeypatch.setattr(Transfer, "_fetch_ranges", fetch_less)
    (result,) = streamer.run(f"/files/units.csv?bytes={3 * PART}")
    assert result["status"] == "failed"
    assert result["error"] == f"the server said {3 * PART} bytes, but the parts have {2 * PART}"
    assert streamer.keys() == set()
    assert streamer.unfinished_uploads() == 0

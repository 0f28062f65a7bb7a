"""Parts are read in the order of the file, whatever the order they come in; nobody waits for what does not come."""

import asyncio
import hashlib

from csv_streamer.s3.part_sizes import Span
from csv_streamer.schemas import Expectation
from csv_streamer.transfer.content import Content
from csv_streamer.transfer.inspection import Inspection

PARTS = [bytes([number]) * 10 for number in range(6)]
SPANS = [Span(number + 1, number * 10, number * 10 + 10) for number in range(6)]


def run(order: list[int], *, at_once: bool = False) -> tuple[int, str]:
    """Up to where parts were read that are announced and added in an order, then stopped."""

    async def play() -> tuple[int, str]:
        inspection = Inspection(Content(Expectation()))
        for number in order:
            inspection.announce(SPANS[number])
        tasks = [asyncio.create_task(inspection.add(SPANS[number], bytearray(PARTS[number]))) for number in order]
        inspection.stop(at_once=at_once)
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        return inspection.end, inspection.finish()

    return asyncio.run(play())


def digest(count: int) -> str:
    return hashlib.sha256(b"".join(PARTS[:count])).hexdigest()


def test_parts_are_read_in_their_order() -> None:
    assert run([3, 1, 5, 0, 4, 2]) == (60, digest(6))


def test_parts_behind_one_that_does_not_come_are_not_waited_for() -> None:
    assert run([3, 1, 0, 5]) == (20, digest(2))
    assert run([5, 4]) == (0, digest(0))


def test_nothing_more_is_read_after_a_failure() -> None:
    assert run([1, 0], at_once=True) == (0, digest(0))

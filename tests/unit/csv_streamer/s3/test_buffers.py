"""Buffers stay within their budget, and no two holders ever have the same one."""

import asyncio
from collections.abc import Coroutine

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_streamer.exceptions import FileError
from csv_streamer.s3.buffers import Buffers

BUDGET = 100


def run[T](work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 20))


async def is_waiting(task: asyncio.Task[bytearray]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["take", "give back", "cut and give back"]), st.integers(0, 60), st.integers(0, 9)),
        max_size=60,
    )
)
def test_budget_holds_and_no_buffer_has_two_holders(steps: list[tuple[str, int, int]]) -> None:
    async def play() -> None:
        buffers, held = Buffers(BUDGET), list[bytearray]()
        for what, size, which in steps:
            if what == "take":
                task = asyncio.create_task(buffers.take(size))
                if sum(map(len, held)) + size > BUDGET:
                    assert await is_waiting(task)
                    task.cancel()
                    await asyncio.wait([task])
                    continue
                buffer = await task
                assert len(buffer) == size
                assert all(buffer is not other for other in held)
                held.append(buffer)
            elif held:
                buffer = held.pop(which % len(held))
                if what == "cut and give back":
                    del buffer[len(buffer) // 2 :]
                await buffers.give_back(buffer)
            kept = sum(map(len, buffers._free))
            assert sum(map(len, held)) + kept <= BUDGET

    run(play())


def test_buffer_is_used_again_instead_of_made_anew() -> None:
    async def play() -> bool:
        buffers = Buffers(BUDGET)
        first = await buffers.take(40)
        await buffers.give_back(first)
        return await buffers.take(40) is first

    assert run(play())


def test_waiting_ends_when_enough_has_come_back() -> None:
    async def play() -> None:
        buffers = Buffers(BUDGET)
        small, large = await buffers.take(20), await buffers.take(60)
        waiting = asyncio.create_task(buffers.take(80))
        assert await is_waiting(waiting)
        await buffers.give_back(small)
        assert await is_waiting(waiting)
        await buffers.give_back(large)
        assert len(await waiting) == 80

    run(play())


def test_cancelled_wait_costs_no_budget() -> None:
    async def play() -> int:
        buffers = Buffers(BUDGET)
        first = await buffers.take(BUDGET)
        waiting = asyncio.create_task(buffers.take(BUDGET))
        assert await is_waiting(waiting)
        waiting.cancel()
        await asyncio.wait([waiting])
        await buffers.give_back(first)
        return len(await buffers.take(BUDGET))

    assert run(play()) == BUDGET


def test_part_that_can_never_fit_is_refused_at_once() -> None:
    with pytest.raises(FileError, match="S3_PART_MB"):
        run(Buffers(BUDGET).take(BUDGET + 1))


def test_failure_ends_all_waits_now_and_later() -> None:
    async def play() -> list[BaseException | None]:
        buffers = Buffers(BUDGET)
        held = await buffers.take(BUDGET)
        waiting = [asyncio.create_task(buffers.take(10)) for _ in range(2)]
        assert await is_waiting(waiting[0])
        await buffers.fail(FileError("first"))
        await buffers.fail(FileError("second"))
        await asyncio.wait(waiting)
        await buffers.give_back(held)
        later = asyncio.create_task(buffers.take(10))
        await asyncio.wait([later])
        return [task.exception() for task in (*waiting, later)]

    assert [str(error) for error in run(play())] == ["first"] * 3


def test_buffer_that_was_not_taken_is_not_taken_back() -> None:
    async def play() -> None:
        buffers = Buffers(BUDGET)
        buffer = await buffers.take(10)
        await buffers.give_back(buffer)
        with pytest.raises(KeyError):
            await buffers.give_back(buffer)

    run(play())

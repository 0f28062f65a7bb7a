"""Doing slow things ahead of their turn, in order and within a budget."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

_WAITING_PER_THREAD = 4
"""Small results may queue up behind a slow one without idling the threads."""
_POLL_SECONDS = 1.0


def read_ahead[Task, Result](
    tasks: Iterable[Task],
    do: Callable[[Task], Result],
    weigh: Callable[[Task], int],
    check: Callable[[], None],
    *,
    concurrency: int,
    budget: int,
) -> Generator[tuple[Task, Result]]:
    """Yield each task with what ``do`` makes of it, in the tasks' order, working on the next ones meanwhile.

    Left early, it does not wait for what is under way: that is left to end by itself.

    Args:
        tasks: taken only as far ahead as the limits allow.
        do: called in up to ``concurrency`` threads; what it raises is raised here, at its task's turn.
        weigh: what a task's result weighs, in the budget's unit.
        check: called every second of waiting for a slow task; ends the waiting by raising.
        concurrency: threads.
        budget: the most that unfinished and waiting results may weigh together; a heavier task is done alone.
    """
    waiting: deque[tuple[Task, Future[Result]]] = deque()
    weight = 0
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="read")
    try:
        for task in tasks:
            while waiting and (weight + weigh(task) > budget or len(waiting) >= concurrency * _WAITING_PER_THREAD):
                weight -= weigh(waiting[0][0])
                yield _take_first(waiting, check)
            waiting.append((task, pool.submit(do, task)))
            weight += weigh(task)
        while waiting:
            yield _take_first(waiting, check)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _take_first[Task, Result](
    waiting: deque[tuple[Task, Future[Result]]], check: Callable[[], None]
) -> tuple[Task, Result]:
    # A function of its own: no name here outlives it and keeps the result in memory.
    task, future = waiting.popleft()
    while True:
        try:
            return task, future.result(_POLL_SECONDS)
        except TimeoutError:
            if future.done():
                return task, future.result()  # done meanwhile, or the error is the task's own
            check()

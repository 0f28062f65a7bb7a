"""Concurrent read-ahead of slow tasks, in order and within a budget.

One source file, linked into each Lambda package that uses it, so that every zip carries its own copy.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

_WAITING_PER_THREAD = 4
"""Lets small results queue up behind a slow one without idling the threads."""
_POLL_SECONDS = 1.0


def read_ahead[Task, Result](
    tasks: Iterable[Task],
    do: Callable[[Task], Result],
    weigh: Callable[[Task], int],
    *,
    concurrency: int,
    budget: int,
    check: Callable[[], None] | None = None,
) -> Generator[Result]:
    """Yield ``do(task)`` for each task, in the tasks' order, while threads work on the next tasks.

    If the caller stops early, tasks that have not started never start. Without ``check`` the generator waits for the
    running ones; with it they end on their own.

    Args:
        tasks: consumed only as far ahead as the limits allow.
        do: called in up to ``concurrency`` threads; its exceptions are raised here, at their task's turn.
        weigh: returns the weight of a task's result, in the budget's unit.
        concurrency: threads.
        budget: maximum total weight of unfinished and waiting results; a heavier task runs alone.
        check: called every second of waiting for a slow task; raises to stop.
    """
    waiting: deque[tuple[Future[Result], int]] = deque()
    weight = 0
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="read-ahead")
    try:
        for task in tasks:
            price = weigh(task)
            while waiting and (weight + price > budget or len(waiting) >= concurrency * _WAITING_PER_THREAD):
                weight -= waiting[0][1]
                yield _take_first(waiting, check)
            waiting.append((pool.submit(do, task), price))
            weight += price
        while waiting:
            yield _take_first(waiting, check)
    finally:
        pool.shutdown(wait=check is None, cancel_futures=True)


def _take_first[Result](waiting: deque[tuple[Future[Result], int]], check: Callable[[], None] | None) -> Result:
    # A separate function, so that no local name keeps the result in memory.
    future, _ = waiting.popleft()
    if check is None:
        return future.result()
    while True:
        try:
            return future.result(_POLL_SECONDS)
        except TimeoutError:
            if future.done():
                return future.result()  # done meanwhile, or the error is the task's own
            check()

"""Concurrent read-ahead of slow tasks, in order and within a budget."""

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
    check: Callable[[], None],
    *,
    concurrency: int,
    budget: int,
) -> Generator[tuple[Task, Result]]:
    """Yield each task with the result of ``do``, in the tasks' order, while threads work on the next tasks.

    If the caller stops early, running tasks are not waited for; they end on their own.

    Args:
        tasks: consumed only as far ahead as the limits allow.
        do: called in up to ``concurrency`` threads; its exceptions are raised here, at their task's turn.
        weigh: returns the weight of a task's result, in the budget's unit.
        check: called every second of waiting for a slow task; raises to stop.
        concurrency: threads.
        budget: maximum total weight of unfinished and waiting results; a heavier task runs alone.
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
    # A separate function, so that no local name keeps the result in memory.
    task, future = waiting.popleft()
    while True:
        try:
            return task, future.result(_POLL_SECONDS)
        except TimeoutError:
            if future.done():
                return task, future.result()  # done meanwhile, or the error is the task's own
            check()

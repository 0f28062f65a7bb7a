"""Doing slow things ahead of their turn, in order and within a budget."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor


def read_ahead[Task, Result](
    tasks: Iterable[Task],
    do: Callable[[Task], Result],
    cost: Callable[[Task], int],
    *,
    concurrency: int,
    budget: int,
) -> Generator[Result]:
    """Yield ``do(task)`` for each task, in the tasks' order, working on the next ones meanwhile.

    Args:
        tasks: what to do; taken only as far ahead as the limits allow.
        do: called in up to ``concurrency`` threads; what it raises is raised here, at its task's turn.
        cost: what a task's result weighs, in the budget's unit.
        concurrency: threads.
        budget: the most that results waiting for their turn, finished or under way, may weigh together. A single
            task above the budget is done alone.
    """
    waiting: deque[tuple[Future[Result], int]] = deque()
    # Small results may queue up behind a slow one without idling the threads.
    most_waiting = concurrency * 4
    weight = 0
    with ThreadPoolExecutor(concurrency, thread_name_prefix="read-ahead") as pool:
        try:
            for task in tasks:
                price = cost(task)
                while waiting and (weight + price > budget or len(waiting) >= most_waiting):
                    paid = waiting[0][1]
                    yield waiting.popleft()[0].result()  # no name: nothing here may keep the result alive
                    weight -= paid
                waiting.append((pool.submit(do, task), price))
                weight += price
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

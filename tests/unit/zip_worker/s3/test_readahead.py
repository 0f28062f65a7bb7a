import threading
import time
from contextlib import closing

import pytest

from zip_worker.s3.readahead import read_ahead


def test_results_come_in_order_whatever_finishes_first() -> None:
    def slow_if_even(number: int) -> int:
        time.sleep(0.002 if number % 2 else 0.0)
        return number * 10

    results = read_ahead(range(50), slow_if_even, lambda _: 1, concurrency=8, budget=1000)
    assert list(results) == [number * 10 for number in range(50)]


def test_tasks_run_side_by_side() -> None:
    together = threading.Barrier(4, timeout=5)
    results = read_ahead(range(4), lambda _: together.wait(), lambda _: 1, concurrency=4, budget=100)
    assert sorted(results) == [0, 1, 2, 3]


def test_weight_of_what_waits_never_exceeds_the_budget() -> None:
    lock = threading.Lock()
    held = most = 0

    def fetch(size: int) -> int:
        nonlocal held, most
        with lock:
            held += size
            most = max(most, held)
        return size

    for size in read_ahead([30, 40, 50, 10, 20, 60, 5] * 20, fetch, lambda size: size, concurrency=8, budget=100):
        with lock:
            held -= size
    # The consumer holds one result that is already paid back when the next is fetched.
    assert most <= 100 + 60


def test_task_above_the_budget_is_done_alone() -> None:
    assert list(read_ahead([500, 1], lambda size: size, lambda size: size, concurrency=2, budget=100)) == [500, 1]


def test_failure_is_raised_at_its_turn() -> None:
    def fail_at_three(number: int) -> int:
        if number == 3:
            raise OSError("broken")
        return number

    results = read_ahead(range(10), fail_at_three, lambda _: 1, concurrency=4, budget=100)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(OSError, match="broken"):
        next(results)


def test_leaving_early_starts_nothing_more_and_leaves_no_threads() -> None:
    started: list[int] = []
    results = read_ahead(range(1000), started.append, lambda _: 1, concurrency=2, budget=10**6)
    with closing(results):
        next(results)
    count = len(started)
    time.sleep(0.02)
    assert len(started) == count < 1000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]

"""Reading ahead, for the ZIP worker without a check and for the data aggregator with one."""

import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import closing

import pytest

from zip_worker.readahead import _take_first, read_ahead


class StopReading(Exception):  # noqa: N818
    """What a check raises to stop the reading."""


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


def never() -> None:
    return None


def test_results_come_in_the_order_of_the_tasks() -> None:
    def do(task: int) -> int:
        time.sleep(0.002 * (task % 3))
        return task * task

    results = list(read_ahead(range(50), do, lambda _: 1, concurrency=8, budget=100, check=never))
    assert results == [task * task for task in range(50)]


def test_no_more_is_under_way_than_the_budget_allows() -> None:
    lock, weights = threading.Lock(), [0, 0]

    def do(task: int) -> int:
        with lock:
            weights[0] += task
            weights[1] = max(weights)
        return task

    for task in read_ahead([3, 4, 3, 4, 3], do, lambda task: task, concurrency=4, budget=7, check=never):
        with lock:
            weights[0] -= task
    assert weights[1] <= 7 + 4, "the one that is being consumed is not waiting any more"


def test_task_above_the_budget_is_done_alone_with_a_check() -> None:
    assert list(read_ahead([9, 1], str, lambda task: task, concurrency=2, budget=5, check=never)) == ["9", "1"]


def test_error_comes_at_its_turn() -> None:
    def do(task: int) -> int:
        if task == 2:
            raise ValueError(task)
        return task

    results = read_ahead(range(5), do, lambda _: 1, concurrency=4, budget=9, check=never)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(results)


def test_task_of_its_own_timeout_is_not_taken_for_waiting() -> None:
    def do(_: int) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        list(read_ahead([1], do, lambda _: 1, concurrency=1, budget=1, check=never))


def test_waiting_for_a_slow_task_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zip_worker.readahead._POLL_SECONDS", 0.01)
    release = threading.Event()

    def check() -> None:
        raise StopReading

    with pytest.raises(StopReading):
        list(read_ahead([1], lambda _: release.wait(30), lambda _: 1, concurrency=1, budget=1, check=check))
    release.set()


def test_left_early_it_starts_nothing_more() -> None:
    started: list[int] = []
    results = read_ahead(range(1000), started.append, lambda _: 1, concurrency=2, budget=4, check=never)
    next(results)
    results.close()
    assert len(started) < 20


def test_task_that_ends_in_the_moment_of_a_look_is_not_taken_for_a_failure() -> None:
    class EndsLate(Future[int]):
        def result(self, timeout: float | None = None) -> int:
            if not self.done():
                self.set_result(7)
                raise TimeoutError
            return super().result(timeout)

    assert _take_first(deque([(EndsLate(), 1)]), never) == 7

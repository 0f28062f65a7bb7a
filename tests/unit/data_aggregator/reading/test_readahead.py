"""First tier: reading ahead."""

import threading
import time
from collections import deque
from concurrent.futures import Future

import pytest

from data_aggregator.exceptions import OutOfTimeError
from data_aggregator.reading.readahead import _take_first, read_ahead


def never() -> None:
    return None


def test_results_come_in_the_order_of_the_tasks() -> None:
    def do(task: int) -> int:
        time.sleep(0.002 * (task % 3))
        return task * task

    results = list(read_ahead(range(50), do, lambda _: 1, never, concurrency=8, budget=100))
    assert results == [(task, task * task) for task in range(50)]


def test_no_more_is_under_way_than_the_budget_allows() -> None:
    lock, weights = threading.Lock(), [0, 0]

    def do(task: int) -> int:
        with lock:
            weights[0] += task
            weights[1] = max(weights)
        return task

    for task, _ in read_ahead([3, 4, 3, 4, 3], do, lambda task: task, never, concurrency=4, budget=7):
        with lock:
            weights[0] -= task
    assert weights[1] <= 7 + 4, "the one that is being consumed is not waiting any more"


def test_task_above_the_budget_is_done_alone() -> None:
    assert list(read_ahead([9, 1], str, lambda task: task, never, concurrency=2, budget=5)) == [(9, "9"), (1, "1")]


def test_error_comes_at_its_turn() -> None:
    def do(task: int) -> int:
        if task == 2:
            raise ValueError(task)
        return task

    results = read_ahead(range(5), do, lambda _: 1, never, concurrency=4, budget=9)
    assert [next(results), next(results)] == [(0, 0), (1, 1)]
    with pytest.raises(ValueError, match="2"):
        next(results)


def test_task_of_its_own_timeout_is_not_taken_for_waiting() -> None:
    def do(_: int) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        list(read_ahead([1], do, lambda _: 1, never, concurrency=1, budget=1))


def test_waiting_for_a_slow_task_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_aggregator.reading.readahead._POLL_SECONDS", 0.01)
    release = threading.Event()

    def check() -> None:
        raise OutOfTimeError

    with pytest.raises(OutOfTimeError):
        list(read_ahead([1], lambda _: release.wait(30), lambda _: 1, check, concurrency=1, budget=1))
    release.set()


def test_left_early_it_starts_nothing_more() -> None:
    started: list[int] = []
    results = read_ahead(range(1000), started.append, lambda _: 1, never, concurrency=2, budget=4)
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

    assert _take_first(deque([("task", EndsLate())]), never) == ("task", 7)

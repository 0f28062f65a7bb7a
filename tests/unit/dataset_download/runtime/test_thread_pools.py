"""Process-wide resources: shared work, thread pools and cancellation."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dataset_download.runtime.cancellation import (
    ClientDisconnectedError,
    check_cancelled,
    ignore_cancellation,
    set_cancellation,
)
from dataset_download.runtime.single_flight import SingleFlight
from dataset_download.runtime.thread_pools import Pool, get_pool


def test_work_that_several_ask_for_is_done_once() -> None:
    shared: SingleFlight[int] = SingleFlight()
    begun, may_end = threading.Event(), threading.Event()
    done = []

    def work() -> int:
        begun.set()
        may_end.wait(10)
        done.append(1)
        return len(done)

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(shared.do, "key", work)
        begun.wait(10)
        others = [threads.submit(shared.do, "key", work) for _ in range(3)]
        time.sleep(0.05)
        may_end.set()
        assert [each.result(10) for each in (first, *others)] == [1, 1, 1, 1]
    assert shared.do("key", work) == 2

    def fail() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            shared.do("other", fail)


def test_pools_are_the_processs() -> None:
    for pool in Pool:
        assert get_pool(pool) is get_pool(pool)
        assert get_pool(pool)._max_workers == pool.threads
    before = threading.active_count()
    for _ in range(3):
        list(get_pool(Pool.LISTING).map(time.sleep, [0.01] * 40))
    assert threading.active_count() <= before + Pool.LISTING.threads


def test_work_ends_when_its_client_has_left() -> None:
    departure = threading.Event()

    def work() -> str:
        set_cancellation(departure)
        check_cancelled()
        departure.set()
        with ignore_cancellation():
            check_cancelled()
        with pytest.raises(ClientDisconnectedError):
            check_cancelled()
        return "ended"

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(work).result(10) == "ended"

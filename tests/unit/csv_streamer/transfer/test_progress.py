"""Progress is counted from what was there before, logged now and then, and never divides by nothing."""

from itertools import pairwise
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from csv_streamer.transfer import progress as meter_module
from csv_streamer.transfer.progress import ProgressMeter


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Notes(Logger):
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(service="test")
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: object, *_: object, **options: Any) -> None:  # type: ignore[override]
        self.lines.append((str(event), options["extra"]))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(meter_module, "time", clock)
    return clock


def test_progress_is_logged_once_an_interval(clock: Clock) -> None:
    notes = Notes()
    meter = ProgressMeter(notes, "raw/a.csv", 1000, 5)
    for _ in range(20):
        clock.now += 1
        meter.count(50)
    assert [event for event, _ in notes.lines] == ["file_progress"] * 4
    assert notes.lines[0][1] == {"s3_key": "raw/a.csv", "bytes": 250, "expected": 1000, "percent": 25.0}
    assert all(one[1]["bytes"] < other[1]["bytes"] for one, other in pairwise(notes.lines))


@pytest.mark.parametrize("expected", [None, 0])
def test_no_percent_of_what_is_not_known(clock: Clock, expected: int | None) -> None:
    notes = Notes()
    ProgressMeter(notes, "k", expected, 5).log()
    assert notes.lines == [("file_progress", {"s3_key": "k", "bytes": 0, "expected": expected})]


def test_bytes_of_earlier_invocations_count_for_progress_but_not_for_speed(clock: Clock) -> None:
    notes = Notes()
    meter = ProgressMeter(notes, "k", 4_000_000, 5, done=2_000_000)
    clock.now += 2
    meter.count(1_000_000)
    meter.log()
    assert (notes.lines[0][1]["bytes"], notes.lines[0][1]["percent"]) == (3_000_000, 75.0)
    assert (meter.seconds, meter.bytes_per_second, meter.megabits_per_second) == (2.0, 500_000.0, 4.0)


def test_speed_of_no_time_at_all_is_a_number(clock: Clock) -> None:
    meter = ProgressMeter(Notes(), "k", 10, 5)
    assert meter.megabits_per_second == 0
    meter.count(10)
    assert meter.bytes_per_second == 10_000

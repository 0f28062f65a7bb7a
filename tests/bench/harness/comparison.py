"""The comparison of contenders: cases, runs and the rows that result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.harness.processes import Measured, measure
from tests.bench.harness.ratios import Ratio, compare

REFERENCE = "reference algorithm"
OURS = "ours"

type Row = dict[str, Any]
"""The keys that the results have to have, and more: see make_row."""
type Counts = Mapping[str, int]
"""Requests by operation."""


@dataclass(frozen=True)
class Contender:
    """A command that does the work of a case."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    startup: Sequence[str] = ()
    """A command that does nothing but start: its time is taken off."""
    own_time: Path | None = None
    """Where the command itself writes the seconds that count."""
    target: float = 1.0
    """The ratio that we want to reach against it; of no account for ours."""


@dataclass(frozen=True)
class Bill:
    """Inputs for the cost of a case, in addition to the measurements."""

    objects: int
    """Objects (files, rows are none) that one run brings in or hands out."""
    size: int
    """Their bytes."""
    memory_mb: int
    """The function's, as Terraform sets it."""
    around: Counts = field(default_factory=dict)
    """Requests that belong to the job, but are not part of the bench: what starts the function."""


@dataclass(frozen=True)
class Case:
    """Contenders at the same work, ours first."""

    service: str
    name: str
    contenders: Sequence[Contender]
    prepare: Callable[[], None]
    """Called before each run."""
    finish: Callable[[], Counts]
    """Called after each run: checks the result, returns the S3 requests it took."""
    bill: Bill | None = None


@dataclass(frozen=True)
class Run:
    """One run of one contender."""

    seconds: float
    cpu_seconds: float
    rss_mb: float
    s3_requests: int
    requests: Counts = field(default_factory=dict)
    """By operation: those to S3, and those to other services that the command itself counted."""


@dataclass
class Outcome:
    """All runs of a case, by contender."""

    case: Case
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def make_rows(self) -> list[Row]:
        """Return one row for each contender but ours."""
        ours = self.runs[OURS]
        rows = []
        for contender in self.case.contenders:
            if contender.name == OURS:
                continue
            theirs = self.runs[contender.name]
            ratio = compare([run.seconds for run in ours], [run.seconds for run in theirs])
            requests = round(median(run.s3_requests for run in ours)) or None
            row = make_row(
                self.case.service,
                self.case.name,
                contender.name,
                contender.target,
                ratio,
                rss_mb=max(run.rss_mb for run in ours),
                s3_requests=requests,
            )
            rows.append(row | self._describe_usage(ours, theirs))
        return rows

    def _describe_usage(self, ours: Sequence[Run], theirs: Sequence[Run]) -> Row:
        """Return the inputs for the cost."""
        found: Row = {"ours": find_usage(ours), "theirs": find_usage(theirs)}
        return found if self.case.bill is None else found | {"bill": asdict(self.case.bill)}


def find_usage(runs: Sequence[Run]) -> Row:
    """Return the median time of runs, in seconds, and the requests of the one that took it."""
    middle = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    return {
        "seconds": round(median(run.seconds for run in runs), 3),
        "cpu_seconds": round(median(run.cpu_seconds for run in runs), 3),
        "requests": dict(middle.requests),
    }


def make_row(
    service: str, case: str, against: str, target: float, ratio: Ratio, *, rss_mb: float | None, s3_requests: int | None
) -> Row:
    """Return a row with the keys that the results have."""
    return {
        "service": service,
        "case": case,
        "against": against,
        "target": target,
        "ratio": round(ratio.ratio, 2),
        "low": round(ratio.low, 2),
        "high": round(ratio.high, 2),
        "rss_mb": None if rss_mb is None else round(rss_mb),
        "s3_requests": s3_requests,
    }


def run_case(case: Case, rounds: int, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Run all contenders in turn, `rounds` times; every second round backwards, so that order favours none."""
    outcome = Outcome(case, {contender.name: [] for contender in case.contenders})
    startup = {each.name: _measure_startup(each, folder) for each in case.contenders}
    for number in range(rounds):
        order = list(case.contenders) if number % 2 == 0 else list(reversed(case.contenders))
        for contender in order:
            case.prepare()
            measured = measure(contender.command, contender.environment, folder)
            requests = case.finish()
            seconds, calls = _read_own(contender, measured)
            seconds -= startup[contender.name]
            taken = Run(seconds, measured.cpu_seconds, measured.rss_mb, sum(requests.values()), {**requests, **calls})
            outcome.runs[contender.name].append(taken)
        latest = "  ".join(f"{name} {runs[-1].seconds:.2f} s" for name, runs in outcome.runs.items())
        say(f"{case.service}, {case.name}: round {number + 1} of {rounds}: {latest}")
    return outcome


def _read_own(contender: Contender, measured: Measured) -> tuple[float, Counts]:
    """Return the seconds that count, and the requests that the command counted itself."""
    if contender.own_time is None:
        return measured.seconds, {}
    own = json.loads(contender.own_time.read_text())
    return float(own["seconds"]), own.get("calls", {})


def _measure_startup(contender: Contender, folder: Path) -> float:
    if not contender.startup:
        return 0.0
    return min(measure(contender.startup, contender.environment, folder).seconds for _ in range(3))

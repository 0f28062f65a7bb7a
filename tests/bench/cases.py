"""What is compared with what: contenders, runs, rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.processes import Measured, measure
from tests.bench.ratios import Ratio, compare

REFERENCE = "reference algorithm"
OURS = "ours"

type Row = dict[str, str | float | int | None]


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
class Case:
    """Contenders at the same work, ours first."""

    service: str
    name: str
    contenders: Sequence[Contender]
    prepare: Callable[[], None]
    """Called before each run."""
    finish: Callable[[], int]
    """Called after each run: checks the result, returns the S3 requests it took."""


@dataclass(frozen=True)
class Run:
    """One run of one contender."""

    seconds: float
    cpu_seconds: float
    rss_mb: float
    s3_requests: int


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
            rows.append(
                make_row(
                    self.case.service,
                    self.case.name,
                    contender.name,
                    contender.target,
                    ratio,
                    rss_mb=max(run.rss_mb for run in ours),
                    s3_requests=requests,
                )
            )
        return rows


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
            seconds = _find_seconds(contender, measured) - startup[contender.name]
            outcome.runs[contender.name].append(Run(seconds, measured.cpu_seconds, measured.rss_mb, requests))
        latest = "  ".join(f"{name} {runs[-1].seconds:.2f} s" for name, runs in outcome.runs.items())
        say(f"{case.service}, {case.name}: round {number + 1} of {rounds}: {latest}")
    return outcome


def _find_seconds(contender: Contender, measured: Measured) -> float:
    if contender.own_time is None:
        return measured.seconds
    return float(json.loads(contender.own_time.read_text())["seconds"])


def _measure_startup(contender: Contender, folder: Path) -> float:
    if not contender.startup:
        return 0.0
    return min(measure(contender.startup, contender.environment, folder).seconds for _ in range(3))

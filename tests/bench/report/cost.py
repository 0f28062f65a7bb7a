"""The cost of requests and seconds in dollars.

cost = requests x their prices + invocations x $0.20 / million + GB of memory x seconds x $0.0000166667
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.harness.comparison import OURS, REFERENCE, Row
from tests.bench.report.prices import LAMBDA_GB_SECOND, MILLION, REQUESTS

TERABYTE = 1e12
_MB_PER_GB = 1024
_STREAMED = "ours, all bytes streamed"


@dataclass(frozen=True)
class Cost:
    """What a job costs, in dollars."""

    requests: float
    compute: float

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.requests + self.compute


@dataclass(frozen=True)
class CostLine:
    """A line of the cost table."""

    service: str
    case: str
    contender: str
    objects: int
    size: int
    cost: Cost

    @property
    def per_million_objects(self) -> float:
        """Return dollars for a million objects like those of the case."""
        return self.cost.total / self.objects * MILLION

    @property
    def per_terabyte(self) -> float:
        """Return dollars for 10^12 bytes of them."""
        return self.cost.total / self.size * TERABYTE


def compute_cost(requests: Mapping[str, int], seconds: float, memory_mb: int) -> Cost:
    """Return the cost of one invocation with its requests.

    Raises:
        KeyError: the price of an operation is unknown.
    """
    asked = sum(count * REQUESTS[operation] for operation, count in requests.items())
    return Cost(asked + REQUESTS["Lambda"], seconds * memory_mb / _MB_PER_GB * LAMBDA_GB_SECOND)


def list_costs(rows: Sequence[Row]) -> list[CostLine]:
    """Return a line for ours, and for the reference algorithm, of each case whose rows say what it took.

    Where the reference was not run, ours without zero copy stands in for it.
    """
    lines: dict[tuple[str, str, str], CostLine] = {}
    for row in rows:
        if "bill" not in row or row["against"] not in {REFERENCE, _STREAMED}:
            continue
        bill = row["bill"]
        for name, usage in ((OURS, row["ours"]), (row["against"], row["theirs"])):
            requests = _add(usage["requests"], bill["around"])
            cost = compute_cost(requests, usage["seconds"], bill["memory_mb"])
            place = row["service"], row["case"], name
            lines.setdefault(place, CostLine(*place, bill["objects"], bill["size"], cost))
    return list(lines.values())


def _add(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first.get(name, 0) + second.get(name, 0) for name in {**first, **second}}

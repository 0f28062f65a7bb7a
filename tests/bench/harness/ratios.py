"""Ratios of times."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Ratio:
    """How many times as good as the other side; above 1 is better."""

    ratio: float
    """The median."""
    low: float
    high: float


def compare(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Compare times of interleaved runs, round by round, so that a slow moment of the machine hits both sides.

    Raises:
        ValueError: not as many runs on both sides, or none.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{len(ours)} runs cannot be compared with {len(theirs)}")
    ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))

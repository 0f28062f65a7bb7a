"""The two tiers of the test suite: what `make test` runs, and what `make test-all` adds.

`TEST_TIER` chooses: `quick` leaves out what is marked `slow` or `docker`, and gives few rounds to tests marked `scaled`
and to Hypothesis's tests; `rest` runs those kinds only, in full. Without it everything runs, in full.
"""

import math
import os
from collections.abc import Iterable
from typing import Any

import pytest

TIER = os.environ.get("TEST_TIER", "all")
QUICK, REST, ALL = "quick", "rest", "all"
SLOW = ("slow", "docker")
SCALED = ("scaled", "hypothesis")
"""Hypothesis marks its tests itself."""
SHARE = 10
"""The quick tier runs one in this many rounds of a scaled test."""


def scale(rounds: int, least: int = 1) -> int:
    """Return how many rounds or examples a scaled test runs in this tier: all, or a tenth but not below `least`."""
    return min(rounds, max(least, math.ceil(rounds / SHARE))) if TIER == QUICK else rounds


def belongs(item: pytest.Item, tier: str) -> bool:
    """Return whether a collected test is part of the tier."""
    if tier == QUICK:
        return not has_marker(item, SLOW)
    return tier == ALL or has_marker(item, SLOW + SCALED)


def has_marker(item: pytest.Item, names: tuple[str, ...]) -> bool:
    """Return whether a test has one of the markers."""
    return any(item.get_closest_marker(name) for name in names)


def few_quick(values: Iterable[Any], quick: int = 1) -> list[Any]:
    """Return a parameter's values, of which only the first so many are in the quick tier; a tuple is several values."""
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)), marks=[pytest.mark.slow] if place >= quick else []
        )
        for place, value in enumerate(values)
    ]

"""Leaves out the tests of the other tier (see tiers.py), and what a sourced `.local/outputs.env` exports.

What that file exports (an endpoint, credentials, buckets) would lead clients of moto to the offline stack and give
functions settings that a test wants absent. End-to-end tests read the same values from `.local/outputs.json`.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from lib.common.settings import SOURCED, read_names
from tests.support.tiers import ALL, QUICK, REST, TIER, belongs, scale

LEAST_EXAMPLES = 20

if os.environ.get(SOURCED):
    for _name in read_names(Path(__file__).parents[1] / ".local" / "outputs.env"):
        os.environ.pop(_name, None)
settings.register_profile(QUICK, max_examples=scale(settings().max_examples, LEAST_EXAMPLES))


def pytest_configure() -> None:
    """Refuse a tier that does not exist; it would run everything without a word."""
    if TIER not in (QUICK, REST, ALL):
        raise pytest.UsageError(f"TEST_TIER is {TIER!r}: it must be {QUICK}, {REST} or {ALL}")
    if TIER == QUICK:
        settings.load_profile(QUICK)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what belongs to the other tier."""
    kept = [item for item in items if belongs(item, TIER)]
    if dropped := [item for item in items if not belongs(item, TIER)]:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept

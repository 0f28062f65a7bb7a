"""Leaves out the tests of the other tier (see tiers.py)."""

import pytest
from hypothesis import settings

from tests.tiers import ALL, QUICK, REST, TIER, belongs, scale

LEAST_EXAMPLES = 20

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

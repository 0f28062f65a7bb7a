"""The data aggregator's surroundings, for bundles that it has written."""

from tests.unit.data_aggregator.conftest import aws, hook

__all__ = ["aws", "hook"]

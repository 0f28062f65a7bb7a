"""End-to-end tests run against whatever stack the outputs name: the offline one, or one in AWS."""

from collections.abc import Iterator

import pytest

from tests.e2e.stack import NotDeployedError, Stack, make_prefix, open_stack, read_outputs


@pytest.fixture(scope="session")
def deployed() -> Iterator[Stack]:
    try:
        opened = open_stack(read_outputs())
    except NotDeployedError as error:
        pytest.fail(str(error), pytrace=False)
    yield opened
    opened.api.close()


@pytest.fixture
def prefix() -> str:
    """Return a prefix of the test's own in the source bucket."""
    return make_prefix()


@pytest.fixture
def stack(deployed: Stack, prefix: str) -> Iterator[Stack]:
    """Give the stack; what the test puts under its prefix and what its jobs make is deleted afterwards."""
    deployed.created.clear()
    yield deployed
    deployed.clean_up(prefix)

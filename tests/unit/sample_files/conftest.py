from collections.abc import Iterator

import pytest

from tests.support.sample_server import run_sample_server


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The base URL of a running server."""
    with run_sample_server() as address:
        yield address

from collections.abc import Iterator

import pytest

from tests.bench.processes import run_server
from tests.bench.standin_client import StandinClient


@pytest.fixture(scope="session")
def running() -> Iterator[int]:
    """The port of a stand-in."""
    with run_server("tests.bench.standin") as port:
        yield port


@pytest.fixture
def standin(running: int) -> StandinClient:
    """A stand-in that holds nothing."""
    client = StandinClient(running)
    client.reset()
    return client

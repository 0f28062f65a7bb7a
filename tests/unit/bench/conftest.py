from collections.abc import Iterator

import pytest

from tests.bench.fakes.fake_s3_client import StandinClient
from tests.bench.harness.processes import run_server


@pytest.fixture(scope="session")
def running() -> Iterator[int]:
    """The port of a stand-in."""
    with run_server("tests.bench.fakes.fake_s3") as port:
        yield port


@pytest.fixture
def standin(running: int) -> StandinClient:
    """A stand-in that holds nothing."""
    client = StandinClient(running)
    client.reset()
    return client

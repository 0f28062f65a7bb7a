from collections.abc import Iterator

import pytest

from tests.bench.fakes.fake_s3_client import FakeS3Client
from tests.bench.harness.processes import run_server


@pytest.fixture(scope="session")
def running() -> Iterator[int]:
    """The port of a stand-in."""
    with run_server("tests.bench.fakes.fake_s3") as port:
        yield port


@pytest.fixture
def fake_s3(running: int) -> FakeS3Client:
    """A stand-in that holds nothing."""
    client = FakeS3Client(running)
    client.reset()
    return client

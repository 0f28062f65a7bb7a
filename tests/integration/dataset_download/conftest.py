"""One emulator and one server for the tests of this folder that leave them as they were."""

from collections.abc import Iterator

import pytest

from tests.integration.dataset_download.servers import (
    Cloud,
    PathToS3,
    Server,
    encode,
    make_customers,
    make_transactions,
    run_server,
)
from tests.support.emulator import run_emulator


@pytest.fixture(scope="session")
def transactions() -> bytes:
    """Give the larger dataset's Parquet file."""
    return encode(make_transactions())


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, transactions: bytes) -> Iterator[Cloud]:
    """Give an emulator with two datasets."""
    with run_emulator(tmp_path_factory.mktemp("emulator")) as url:
        cloud = Cloud(url)
        for bucket in ("data", "exports"):
            cloud.s3.create_bucket(Bucket=bucket)
        cloud.put("transactions", transactions)
        cloud.put("customers", encode(make_customers()))
        yield cloud


@pytest.fixture(scope="session")
def server(cloud: Cloud) -> Iterator[Server]:
    """Give the service, which streams whatever the size."""
    with run_server(cloud.url) as server:
        yield server


@pytest.fixture
def path(cloud: Cloud) -> Iterator[PathToS3]:
    """Give a path to the emulator that can be cut."""
    path = PathToS3(cloud.url)
    yield path
    path.close()

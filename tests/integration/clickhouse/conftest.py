"""One offline ClickHouse for the tests of this folder that leave it as it was."""

from collections.abc import Iterator

import pytest

from tests.support.clickhouse_server import forget_faults, query, run_clickhouse


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with run_clickhouse(schema=True) as url:
        yield url


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """Give the server's address; the tables of the test before are gone, or empty."""
    yield server
    forget_faults(server)
    query(server, "TRUNCATE TABLE xapi.statements")
    for table in query(server, "SHOW TABLES FROM default").split():
        query(server, f"DROP TABLE default.{table}")

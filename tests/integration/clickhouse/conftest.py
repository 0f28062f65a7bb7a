"""Fixtures: one offline ClickHouse for all tests of this folder that need no server of their own."""

from collections.abc import Iterator

import pytest

from tests.support.clickhouse_server import forget_faults, query, run_clickhouse


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with run_clickhouse(schema=True) as url:
        yield url


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """Yield the server's URL, after removing the tables and rows of the previous test."""
    yield server
    forget_faults(server)
    query(server, "TRUNCATE TABLE xapi.statements")
    for table in query(server, "SHOW TABLES FROM default").split():
        query(server, f"DROP TABLE default.{table}")

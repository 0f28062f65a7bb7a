"""Many clients at once: a bounded number of answers, the rest 503, health all the while, rest afterwards."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.bench.harness.processes import run_server as run_store
from tests.integration.dataset_download.clients import VISITS, put_datasets, put_under_load, read, wait_for_rest
from tests.integration.dataset_download.servers import Cloud, run_server

THREADS = 90
"""Two times eight answers, the shared pools, and what uvicorn and Arrow have."""
MEMORY_MIB = 900


@pytest.fixture(scope="module")
def store() -> Iterator[Cloud]:
    """Give an S3 with forty datasets."""
    with run_store("tests.bench.fakes.fake_s3", "--keep-mib", "100") as port:
        cloud = Cloud(f"http://127.0.0.1:{port}")
        put_datasets(cloud)
        yield cloud


def test_more_than_there_are_places_for_are_asked_to_come_back(store: Cloud) -> None:
    with run_server(store.url, ANSWERS_AT_ONCE="1", LOG_LEVEL="INFO") as server:
        netloc = urlsplit(server.url).netloc
        with closing(http.client.HTTPConnection(netloc, timeout=60)) as slow:
            slow.request("GET", "/transactions.json")
            assert slow.getresponse().status == 200  # and is not read on
            with closing(http.client.HTTPConnection(netloc, timeout=60)) as other:
                assert read("/transactions.csv")(other, 0) == 503
                other.request("GET", "/healthz")
                assert other.getresponse().read() == b'{"status":"ok"}'
            with closing(http.client.HTTPConnection(netloc, timeout=60)) as page:
                assert read("/")(page, 0) == 200  # pages have places of their own
        wait_for_rest(server)
        with closing(http.client.HTTPConnection(netloc, timeout=60)) as next_one:
            assert read("/transactions.csv?limit=3")(next_one, 0) == 200
        assert '"status":503' in server.read_log()


@pytest.mark.slow
@pytest.mark.parametrize("kind", VISITS)
def test_64_clients_are_served_or_asked_to_come_back(store: Cloud, kind: str) -> None:
    load = put_under_load(store, VISITS[kind], 64, 6.0)
    assert set(load.statuses) <= {0, 200, 503}
    assert load.statuses[200] > 0 or kind == "leave"
    assert load.threads <= THREADS
    assert load.peak_mib <= MEMORY_MIB

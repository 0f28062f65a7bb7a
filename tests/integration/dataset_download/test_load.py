"""Many clients at once: a bounded number of answers, the rest 503, health all the while, rest afterwards."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.bench.processes import run_server as run_store
from tests.integration.dataset_download.servers import (
    Cloud,
    Server,
    encode,
    make_customers,
    make_transactions,
    run_server,
)
from tests.integration.dataset_download.test_memory import read_peak

THREADS = 90
"""Two times eight answers, the shared pools, and what uvicorn and Arrow have."""
MEMORY_MIB = 900
SLOW_PART, SLOW_PAUSE = 10_000, 0.1
"""100 KB/s."""
_PROBE = """
import http.client, sys, time
worst, end = 0.0, time.time() + float(sys.argv[2])
while time.time() < end:
    start = time.time()
    connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b'{"status":"ok"}'
    connection.close()
    worst = max(worst, time.time() - start)
    time.sleep(0.1)
print(worst)
"""


@pytest.fixture(scope="module")
def store() -> Iterator[Cloud]:
    """Give an S3 with forty datasets."""
    with run_store("tests.bench.standin", "--keep-mib", "100") as port:
        cloud = Cloud(f"http://127.0.0.1:{port}")
        cloud.put("transactions", encode(make_transactions()))
        small = encode(make_customers())
        for number in range(40):
            cloud.put(f"customers-{number}", small)
        yield cloud


type Visit = Callable[[http.client.HTTPConnection, float], int]


def read(target: str) -> Visit:
    """Return a visit of a client that takes all at once."""

    def visit(connection: http.client.HTTPConnection, _: float) -> int:
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) > 0
            assert json.loads(body)["status"] == 503
            time.sleep(0.3)
        return answer.status

    return visit


def read_slowly(connection: http.client.HTTPConnection, end: float) -> int:
    """Take 100 KB/s until the end, and leave."""
    connection.request("GET", "/transactions.json")
    answer = connection.getresponse()
    while answer.status == 200 and time.monotonic() < end and answer.read(SLOW_PART):
        time.sleep(SLOW_PAUSE)
    time.sleep(0.3)
    return answer.status


def leave(connection: http.client.HTTPConnection, _: float) -> int:
    """Ask for all, and leave before it comes."""
    connection.request("GET", "/transactions.csv")
    time.sleep(0.5)
    return 0


VISITS: dict[str, Visit] = {
    "catalogue": read("/"),
    "data": read("/datasets.json"),
    "slices": read("/transactions.csv?organisation-entity=org-007"),
    "whole": read("/transactions.csv"),
    "pages": read("/transactions"),
    "slow": read_slowly,
    "leave": leave,
}


def visit_often(server: Server, visit: Visit, clients: int, seconds: float) -> Counter[int]:
    """Have clients visit again and again; return how often there was which status."""
    statuses: Counter[int] = Counter()
    end = time.monotonic() + seconds

    def run() -> None:
        while time.monotonic() < end:
            with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)) as connection:
                statuses[visit(connection, end)] += 1

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def count_threads(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.pid}/task").iterdir())


def use_of_processor(server: Server) -> int:
    """Return the ticks that the server has computed."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def wait_for_rest(server: Server) -> None:
    """Wait until the server computes nothing."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        before = use_of_processor(server)
        time.sleep(0.5)
        if use_of_processor(server) - before <= 2:
            return
    raise AssertionError("the server goes on though its clients have left")


def check_load(store: Cloud, visit: Visit, clients: int, seconds: float) -> tuple[Counter[int], float]:
    """Return the statuses and the longest wait for health, in seconds."""
    with run_server(store.url, LOG_LEVEL="ERROR") as server:
        probe = subprocess.Popen(
            [sys.executable, "-c", _PROBE, urlsplit(server.url).netloc, str(seconds)], stdout=subprocess.PIPE, text=True
        )
        statuses = visit_often(server, visit, clients, seconds)
        worst, _ = probe.communicate()
        assert count_threads(server) <= THREADS
        wait_for_rest(server)
        assert read_peak(server) <= MEMORY_MIB
        return statuses, float(worst)


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
    statuses, _ = check_load(store, VISITS[kind], 64, 6.0)
    assert set(statuses) <= {0, 200, 503}
    assert statuses[200] > 0 or kind == "leave"

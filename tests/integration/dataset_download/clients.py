"""Many clients of the server at once, and what it takes meanwhile."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.integration.dataset_download.servers import (
    Cloud,
    Server,
    encode,
    make_customers,
    make_transactions,
    run_server,
)

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


def read_peak(server: Server) -> int:
    """Return the most memory the server has had, in MiB."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024


def put_datasets(cloud: Cloud) -> None:
    """Write what the clients ask for: a large dataset and forty small ones."""
    cloud.put("transactions", encode(make_transactions()))
    small = encode(make_customers())
    for number in range(40):
        cloud.put(f"customers-{number}", small)


@dataclass(frozen=True)
class Load:
    """What was seen while many clients asked."""

    statuses: Counter[int]
    health_seconds: float
    """The longest wait for the check of health."""
    threads: int
    peak_mib: int


def put_under_load(store: Cloud, visit: Visit, clients: int, seconds: float) -> Load:
    """Have clients ask a server of its own; return what was seen, once it rests again."""
    with run_server(store.url, LOG_LEVEL="ERROR") as server:
        probe = subprocess.Popen(
            [sys.executable, "-c", _PROBE, urlsplit(server.url).netloc, str(seconds)], stdout=subprocess.PIPE, text=True
        )
        statuses = visit_often(server, visit, clients, seconds)
        worst, _ = probe.communicate()
        threads = count_threads(server)
        wait_for_rest(server)
        return Load(statuses, float(worst), threads, read_peak(server))

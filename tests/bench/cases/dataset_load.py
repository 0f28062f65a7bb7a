"""The dataset download's server under 64 clients of each kind: the longest health check, and its memory."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.harness.comparison import Row, make_row
from tests.bench.harness.processes import run_server
from tests.bench.harness.ratios import Ratio
from tests.integration.dataset_download.clients import VISITS, put_datasets, put_under_load
from tests.integration.dataset_download.servers import Cloud

SERVICE = "dataset_download"
CLIENTS, SECONDS = 64, 8.0
_HEALTH_SECONDS = 1.0


def run_load(say: Callable[[str], None]) -> list[Row]:
    """Return a row for each kind of client: against one second for the check of health."""
    rows = []
    with run_server("tests.bench.fakes.fake_s3", "--keep-mib", "100") as port:
        store = Cloud(f"http://127.0.0.1:{port}")
        put_datasets(store)
        for kind, visit in VISITS.items():
            load = put_under_load(store, visit, CLIENTS, SECONDS)
            say(f"{SERVICE}, {CLIENTS} clients, {kind}: {dict(load.statuses)}, {load.threads} threads")
            times = _HEALTH_SECONDS / load.health_seconds
            case = f"{CLIENTS} clients, {kind}: health"
            ratio = Ratio(times, times, times)
            rows.append(make_row(SERVICE, case, "1 s", 1.0, ratio, rss_mb=load.peak_mib * 1.048576, s3_requests=None))
    return rows

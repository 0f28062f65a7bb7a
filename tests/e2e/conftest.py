"""End-to-end tests run against whatever stack the outputs name: the offline one, or one in AWS."""

import os
import signal
import time
from collections.abc import Generator, Iterator

import pytest

from offline import dataset_server, ministack
from offline.paths import read_paths
from tests.e2e.stack import ROOT, NotDeployedError, Stack, make_prefix, open_stack, read_outputs

PATHS = read_paths(ROOT, os.environ)
LOGS = (PATHS.log, PATHS.samples_log, PATHS.clickhouse_log, PATHS.datasets_log)
TELLING_SECONDS = 0.5
SHOWN_LINES = 120
LINE_CHARACTERS = 400


@pytest.fixture(scope="session")
def deployed() -> Iterator[Stack]:
    try:
        opened = open_stack(read_outputs())
    except NotDeployedError as error:
        pytest.fail(str(error), pytrace=False)
    yield opened
    opened.api.close()


@pytest.fixture
def prefix() -> str:
    """Return a prefix of the test's own in the source bucket."""
    return make_prefix()


@pytest.fixture
def stack(deployed: Stack, prefix: str) -> Iterator[Stack]:
    """Give the stack; what the test puts under its prefix and what its jobs make is deleted afterwards."""
    deployed.created.clear()
    yield deployed
    deployed.clean_up(prefix)


@pytest.fixture(autouse=True)
def log_starts(request: pytest.FixtureRequest) -> None:
    """Note where the offline stack's logs end as a test begins."""
    request.node.log_starts = {path: path.stat().st_size for path in LOGS if path.is_file()}


def ask_where_threads_are() -> None:
    """Have the servers that know this signal log it: where nothing was answered, it tells what was waited for."""
    for server in (ministack, dataset_server):
        if running := server.find_running(PATHS):
            os.kill(running.pid, signal.SIGUSR1)
    time.sleep(TELLING_SECONDS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the offline stack's servers logged meanwhile; nobody sees their files in CI."""
    report = yield
    if report.failed:
        ask_where_threads_are()
        for path, start in getattr(item, "log_starts", {}).items():
            lines = path.read_bytes()[start:].decode(errors="replace").splitlines()[-SHOWN_LINES:]
            if lines:
                report.sections.append((path.name, "\n".join(line[:LINE_CHARACTERS] for line in lines)))
    return report

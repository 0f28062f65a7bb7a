"""The server's memory stays within the function's, whatever file it answers from; each in a process of its own."""

import http.client
import resource
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from tests.bench.harness.processes import run_server as run_store
from tests.integration.dataset_download.clients import read_peak
from tests.integration.dataset_download.hostile_files import FILES
from tests.integration.dataset_download.servers import Cloud, run_server

FUNCTION_MIB = 512
MOST_MIB = FUNCTION_MIB * 85 // 100
ADDRESS_SPACE = 6 << 30
"""Arrow reserves more than it uses; this only ends a run that has gone wrong altogether."""
ENDINGS = (
    ".csv",
    ".json",
    ".jsonl",
    ".parquet?limit=100000000",
    ".csv?sort=-{first}",
    ".parquet?{first}__isnull=false",
    "",
)
REFUSALS = {400, 413}


@pytest.fixture(scope="module")
def store() -> Iterator[Cloud]:
    """Give an S3 that keeps objects of any size, and forgets parts of uploads."""
    with run_store("tests.bench.fakes.fake_s3", "--keep-mib", "2000", "--keep-parts-mib", "1") as port:
        yield Cloud(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def make_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a maker of hostile files, each made once."""
    folder = tmp_path_factory.mktemp("hostile")

    def make(name: str) -> Path:
        path = folder / f"{name}.parquet"
        if not path.exists():
            path.write_bytes(FILES[name]())
        return path

    return make


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def read_all(url: str) -> int:
    """Read an answer to its end without keeping it; return its status."""
    try:
        with urllib.request.build_opener(_Stay).open(url, timeout=300) as answer:
            while answer.read(1 << 20):
                pass
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def check(store: Cloud, file: Path, ending: str, **variables: str) -> int:
    """Ask a server of its own, and return the status, if the server has lived within its memory."""
    store.put("hostile", file.read_bytes())
    first = pq.read_schema(file).names[0]
    with run_server(store.url, STREAM_LIMIT_MB="20", **variables) as server:
        resource.prlimit(server.pid, resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        status = read_all(f"{server.url}/hostile{ending.format(first=first)}")
        assert read_all(f"{server.url}/healthz") == 200
        assert read_peak(server) <= MOST_MIB
        if status >= 500:
            raise AssertionError(server.read_log()[-3000:])
        return status


def test_a_long_text_that_repeats_is_exported_within_memory(store: Cloud, make_file: Callable[[str], Path]) -> None:
    assert check(store, make_file("short-then-long"), ".csv") == 303


def test_a_giant_cell_is_refused_and_the_page_is_shown(store: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "giant.parquet"
    pq.write_table(pa.table({"id": [1], "s": ["g" * 150_000_000]}), file, compression="zstd")
    assert check(store, file, ".json") == 413
    assert check(store, file, "") == 200


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", FILES)
def test_no_file_takes_more_than_the_functions_memory(
    store: Cloud, make_file: Callable[[str], Path], name: str, ending: str
) -> None:
    status = check(store, make_file(name), ending)
    assert status in {200, 303} | REFUSALS
    if not ending:
        assert status == 200


@pytest.mark.slow
def test_a_stream_without_a_limit_takes_no_more_than_a_short_one(
    store: Cloud, make_file: Callable[[str], Path]
) -> None:
    store.put("hostile", make_file("long-text").read_bytes())
    with run_server(store.url, STREAM_LIMIT_MB="0") as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=300)
        connection.request("GET", "/hostile.csv")
        answer = connection.getresponse()
        size = 0
        while part := answer.read(1 << 20):
            size += len(part)
        connection.close()
        assert size > 2_500_000_000
        assert read_peak(server) <= MOST_MIB

"""Files come byte for byte from the web servers that there are: nginx, Apache, lighttpd, Caddy and Node."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from tests.integration.csv_streamer.web_servers import KINDS, PASSWORD, TINYPROXY, USER, find_program, serve
from tests.unit.csv_streamer.conftest import BUCKET, PART, Streamer, sample_server, streamer

__all__ = ["sample_server", "streamer"]  # fixtures of that module, for this one

pytestmark = pytest.mark.slow

FILES = {
    "large.csv": 20 * PART + 7,
    "exact.csv": 3 * PART,
    "small.csv": 100,
    "empty.csv": 0,
    "with space.csv": 3 * PART + 1,
    "données.csv": 2 * PART,
    "100%.csv": 1000,
    "a+b&c=d;e.csv": 1000,
    "plus%20.csv": 1000,
}


@pytest.fixture(scope="session")
def files() -> Iterator[Path]:
    """A folder that other users can read: Apache's processes have a user of their own."""
    folder = Path(tempfile.mkdtemp(prefix="files-"))
    folder.chmod(0o755)
    for name, size in FILES.items():
        path = folder / name
        path.write_bytes(Random(name).randbytes(size))
        path.chmod(0o644)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session", params=list(KINDS))
def server(request: pytest.FixtureRequest, files: Path) -> Iterator[str]:
    """The address of a server."""
    yield from _serve(str(request.param), files)


def _serve(name: str, files: Path) -> Iterator[str]:
    program = find_program(KINDS[name].programs)
    if program is None:
        pytest.skip(f"{name} is not installed")
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    folder.chmod(0o755)
    try:
        with serve(KINDS[name], folder, files, program) as port:
            yield f"http://127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check(streamer: Streamer, files: Path, name: str, url: str) -> dict[str, object]:
    (result,) = streamer.run({"url": url, "name": "stored.csv"})
    wanted = sha256((files / name).read_bytes()).hexdigest()
    assert (result["status"], result.get("sha256")) == ("success", wanted), result
    assert streamer.sha256(result["s3_key"]) == wanted
    return result


@pytest.mark.parametrize("area", ["files", "whole"])
@pytest.mark.parametrize("name", list(FILES))
def test_files_of_all_sizes_and_names(streamer: Streamer, files: Path, server: str, area: str, name: str) -> None:
    quoted = name.replace("%", "%25")  # letters and spaces are left to the streamer
    check(streamer, files, name, f"{server}/{area}/{quoted}")


@pytest.mark.parametrize("name", ["large.csv", "small.csv"])
def test_redirect(streamer: Streamer, files: Path, server: str, name: str) -> None:
    check(streamer, files, name, f"{server}/moved/{name}")


@pytest.mark.parametrize("path", ["private/large.csv", "private/moved/large.csv"])
def test_password_is_kept_over_redirects_to_the_same_origin(
    streamer: Streamer, files: Path, server: str, path: str
) -> None:
    check(streamer, files, "large.csv", f"{server.replace('//', f'//{USER}:{PASSWORD}@')}/{path}")


def test_refusals(streamer: Streamer, server: str) -> None:
    missing, denied = streamer.run(f"{server}/files/missing.csv", f"{server}/private/large.csv")
    assert (missing["error"], missing["code"]) == ("HTTP 404 Not Found", "http_status")
    assert denied["error"].startswith("HTTP 401")


def test_what_is_stored_is_not_fetched_again(streamer: Streamer, server: str) -> None:
    streamer.set("SKIP_UNCHANGED", "true")
    first, second = (streamer.run(f"{server}/files/large.csv")[0] for _ in range(2))
    assert [first["status"], second["status"]] == ["success", "unchanged"]


def test_files_of_the_same_size_and_time_are_told_apart(streamer: Streamer, files: Path, server: str) -> None:
    """Servers make ETags of size and time: those of two files can be the same."""
    streamer.set("SKIP_UNCHANGED", "true")
    for name in ("100%25.csv", "plus%2520.csv"):
        (result,) = streamer.run({"url": f"{server}/files/{name}", "name": "same.csv"})
        assert result["status"] == "success", result


def test_several_files_at_once(streamer: Streamer, files: Path, server: str) -> None:
    streamer.set("CONCURRENCY", "4")
    names = ["large.csv", "exact.csv", "small.csv", "empty.csv"]
    results = streamer.run(*(f"{server}/files/{name}" for name in names))
    assert [result["sha256"] for result in results] == [sha256((files / one).read_bytes()).hexdigest() for one in names]


@pytest.fixture(scope="session")
def nginx(files: Path) -> Iterator[str]:
    yield from _serve("nginx", files)


@pytest.mark.parametrize("area", ["limited", "limited-503", "refused"])
def test_limits_of_nginx(streamer: Streamer, files: Path, nginx: str, area: str) -> None:
    check(streamer, files, "large.csv", f"{nginx}/{area}/large.csv")


@pytest.mark.parametrize("area", ["limited", "limited-503"])
def test_several_files_of_an_nginx_that_limits_connections(
    streamer: Streamer, files: Path, nginx: str, area: str
) -> None:
    results = streamer.run(*({"url": f"{nginx}/{area}/large.csv?{n}", "name": f"{n}.csv"} for n in range(4)))
    assert [result["status"] for result in results] == ["success"] * 4, results


@pytest.fixture(scope="session")
def proxy(files: Path) -> Iterator[str]:
    program = find_program(TINYPROXY.programs)
    if program is None:
        pytest.skip("tinyproxy is not installed")
    folder = Path(tempfile.mkdtemp(prefix="tinyproxy-"))
    with serve(TINYPROXY, folder, files, program) as port:
        yield f"127.0.0.1:{port}"
    shutil.rmtree(folder, ignore_errors=True)


def test_file_through_a_proxy(streamer: Streamer, files: Path, nginx: str, proxy: str) -> None:
    streamer.set("HTTP_PROXY", f"http://{USER}:{PASSWORD}@{proxy}")
    check(streamer, files, "large.csv", f"{nginx}/moved/large.csv")
    assert BUCKET
    streamer.set("HTTP_PROXY", f"http://{USER}:wrong@{proxy}")
    (result,) = streamer.run(f"{nginx}/files/large.csv")
    assert result["error"].startswith("HTTP 4")
    streamer.set("NO_PROXY", "127.0.0.1")
    check(streamer, files, "large.csv", f"{nginx}/files/large.csv")

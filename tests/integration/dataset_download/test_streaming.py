"""Streaming by uvicorn, over real connections, to curl."""

import csv
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from tests.integration.dataset_download.servers import (
    ROWS,
    Cloud,
    PathToS3,
    Server,
    encode,
    make_transactions,
    run_server,
)

ENOUGH = 6_000_000
"""Bytes of the 15 MB: the first rows take 3 MB, and READ_AHEAD_MB is 1."""
PARTIAL_FILE = 18  # what curl exits with where a transfer ended before its end


def curl(url: str, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["curl", "-sS", "--max-time", "120", "-o", str(target), "-w", "%{http_code}", *options, url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def wait_for(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def list_outcomes(server: Server) -> list[str]:
    lines = [json.loads(line) for line in server.read_log().splitlines() if line.startswith("{")]
    return [line["outcome"] for line in lines if line.get("event") == "download"]


def test_a_large_csv_arrives_whole(server: Server, tmp_path: Path) -> None:
    done = curl(f"{server.url}/transactions.csv", tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "200")
    with (tmp_path / "out").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    table = make_transactions()
    assert rows[0] == table.column_names
    assert [row[3] for row in rows[1:]] == table["note"].to_pylist()
    assert [float(row[2]) for row in rows[1:]] == table["amount"].to_pylist()


def test_compression_on_the_way_changes_nothing(server: Server, tmp_path: Path) -> None:
    curl(f"{server.url}/transactions.jsonl", tmp_path / "plain")
    curl(f"{server.url}/transactions.jsonl", tmp_path / "packed", "-H", "Accept-Encoding: gzip")
    assert gzip.decompress((tmp_path / "packed").read_bytes()) == (tmp_path / "plain").read_bytes()
    assert (tmp_path / "packed").stat().st_size < (tmp_path / "plain").stat().st_size / 2


def test_parquet_is_the_object_itself(server: Server, tmp_path: Path, transactions: bytes) -> None:
    done = curl(f"{server.url}/transactions.parquet", tmp_path / "out", "-L", "-w", "%{http_code} %{num_redirects}")
    assert done.stdout == "200 1"
    assert (tmp_path / "out").read_bytes() == transactions
    head = subprocess.run(
        ["curl", "-sSIL", f"{server.url}/transactions.parquet"], capture_output=True, text=True, check=True
    )
    assert head.stdout.count("HTTP/1.1 ") == 2
    assert "HTTP/1.1 200" in head.stdout


def test_a_slice_as_parquet(server: Server, tmp_path: Path) -> None:
    curl(f"{server.url}/transactions.parquet?organisation-entity=org-007", tmp_path / "out")
    assert pq.read_table(tmp_path / "out").equals(make_transactions().slice(14_000, 2000))


def test_the_first_rows_come_before_the_last_are_read(path: PathToS3) -> None:
    with run_server(path.url, READ_AHEAD_MB="1") as server:
        curl(f"{server.url}/transactions.csv?limit=1", Path("/dev/null"))
        path.stop_after(ENOUGH)
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request("GET", "/transactions.csv")
        answer = connection.getresponse()
        first = answer.read(100_000)
        assert first.startswith(b"id,organisation-entity,")
        other = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        other.request("GET", "/healthz")
        assert other.getresponse().status == 200  # while the download waits in its thread
        path.go_on()
        assert (first + answer.read()).count(b"\n") == 1 + 2 * ROWS
        connection.close()
        other.close()


@pytest.mark.parametrize(
    ("target", "size"),
    [("transactions.csv", ENOUGH), ("transactions.json", ENOUGH), ("transactions.parquet?id__gte=0", 10_000_000)],
)
def test_s3_cut_off_in_the_middle_breaks_the_download(path: PathToS3, tmp_path: Path, target: str, size: int) -> None:
    with run_server(path.url, READ_AHEAD_MB="1") as server:
        curl(f"{server.url}/transactions.csv?limit=1", tmp_path / "out")
        path.cut_after(size)
        done = curl(f"{server.url}/{target}", tmp_path / "out")
        assert path.is_cut
        assert (done.returncode, done.stdout) == (PARTIAL_FILE, "200")
        body = (tmp_path / "out").read_bytes()
        assert len(body) > 100_000
        assert not body.rstrip().endswith((b"]", b"PAR1"))
        assert wait_for(lambda: "failed" in list_outcomes(server))


def test_a_cut_is_seen_in_what_was_compressed_too(path: PathToS3, tmp_path: Path) -> None:
    with run_server(path.url, READ_AHEAD_MB="1") as server:
        curl(f"{server.url}/transactions.csv?limit=1", tmp_path / "out")
        path.cut_after(8_000_000)
        done = curl(f"{server.url}/transactions.csv", tmp_path / "out", "-H", "Accept-Encoding: gzip")
        assert done.returncode == PARTIAL_FILE
        with pytest.raises(EOFError):
            gzip.decompress((tmp_path / "out").read_bytes())


def test_s3_that_is_gone_before_the_first_byte_is_a_problem(path: PathToS3, tmp_path: Path) -> None:
    with run_server(path.url) as server:
        path.cut_after(0)
        done = curl(f"{server.url}/transactions.csv", tmp_path / "out")
        assert (done.returncode, done.stdout) == (0, "503")
        assert json.loads((tmp_path / "out").read_bytes())["status"] == 503


def test_a_dataset_that_is_replaced_meanwhile_breaks_the_download(
    cloud: Cloud, path: PathToS3, transactions: bytes
) -> None:
    cloud.put("replaced", transactions)
    with run_server(path.url, READ_AHEAD_MB="1") as server:
        curl(f"{server.url}/replaced.csv?limit=1", Path("/dev/null"))
        path.stop_after(ENOUGH)
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request("GET", "/replaced.csv")
        answer = connection.getresponse()
        answer.read(100_000)
        cloud.put("replaced", encode(make_transactions().slice(0, ROWS // 2)))
        path.go_on()
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
        connection.close()
        assert wait_for(lambda: "ObjectChangedError" in server.read_log())


def test_a_client_that_goes_away_ends_the_download(server: Server) -> None:
    before = len(list_outcomes(server))
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request("GET", "/transactions.json")
    connection.getresponse().read(1000)
    connection.close()
    outcomes = wait_for(lambda: list_outcomes(server)[before:])
    assert outcomes == ["abandoned"]


def test_large_answers_are_exported(cloud: Cloud, server: Server, tmp_path: Path) -> None:
    with run_server(cloud.url, STREAM_LIMIT_MB="1") as limited:
        done = curl(f"{limited.url}/transactions.csv", tmp_path / "out", "-L", "-w", "%{http_code} %{num_redirects}")
        assert done.stdout == "200 1"
        curl(f"{server.url}/transactions.csv", tmp_path / "streamed")
        assert (tmp_path / "out").read_bytes() == (tmp_path / "streamed").read_bytes()
        again = curl(f"{limited.url}/transactions.csv", tmp_path / "again")
        assert again.stdout == "303"
    with run_server(cloud.url, STREAM_LIMIT_MB="1", EXPORTS="false") as limited:
        done = curl(f"{limited.url}/transactions.csv", tmp_path / "out")
        assert done.stdout == "413"
        assert "STREAM_LIMIT_MB" in json.loads((tmp_path / "out").read_bytes())["detail"]


def test_a_wrong_setting_ends_the_server_with_a_message() -> None:
    with pytest.raises(AssertionError, match="BATCH_ROWS"), run_server("http://127.0.0.1:1", BATCH_ROWS="none"):
        pass


def test_what_is_not_http_is_survived(server: Server) -> None:
    parts = urlsplit(server.url)
    for junk in (b"\x00\xff\r\n\r\n", b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", b"GET /a HTTP/9.9\r\n\r\n"):
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    done = subprocess.run(["curl", "-sS", f"{server.url}/healthz"], capture_output=True, check=True)
    assert json.loads(done.stdout) == {"status": "ok"}


def test_signal_has_it_write_where_its_threads_are_and_go_on(server: Server, tmp_path: Path) -> None:
    os.kill(server.pid, signal.SIGUSR1)
    wait_for(lambda: "most recent call first" in server.read_log() and "serve.py" in server.read_log())
    assert curl(f"{server.url}/healthz", tmp_path / "out").stdout == "200"

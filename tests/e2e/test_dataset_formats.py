"""Results of the dataset download, read by independent programs: from the Function URL and the server."""

import csv
import gzip
import io
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
import requests

from lib.dataset.sample_datasets import draw_entities, write_parquet
from tests.e2e.stack import ROOT, SignedByCaller, Stack, wait_until

SECONDS = 120
ROWS = 3000
ORGANISATIONS = 30
LARGE_ROWS = 120_000
MEDIA_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}


def make_table() -> pa.Table:
    """Return a table sorted by organisation, with what is easily written wrongly."""
    texts = ["plain", "a, b", 'said "no"', "two\nlines", "ünï 李", None]
    numbers = range(ROWS)
    return pa.table(
        {
            "entity": pa.array([2**60 + number for number in numbers]),
            "organisation-entity": [f"org-{number * ORGANISATIONS // ROWS:02d}" for number in numbers],
            "name": [texts[number % len(texts)] for number in numbers],
            "fee": pa.array([Decimal(number).scaleb(-2) for number in numbers], pa.decimal128(10, 2)),
            "entry-date": pa.array([date.fromordinal(730_000 + number) for number in numbers]),
            "share": pa.array([None if number % 7 == 0 else number / 8 for number in numbers], pa.float64()),
        }
    )


@dataclass(frozen=True)
class Download:
    """The service at one of its addresses, and one test's dataset."""

    stack: Stack
    address: str
    session: requests.Session
    name: str
    table: pa.Table

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(f"{self.address}{path}", timeout=60, **options)

    def fetch(self, extension: str, query: str = "") -> bytes:
        answer = self.get(f"/{self.name}.{extension}{query}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith(MEDIA_TYPES[extension])
        return answer.content

    def put(self, name: str, body: bytes) -> None:
        outputs = self.stack.outputs
        self.stack.s3.put_object(Bucket=outputs["dataset_bucket"], Key=outputs["dataset_prefix"] + name, Body=body)


@pytest.fixture(scope="module")
def session(deployed: Stack) -> Iterator[requests.Session]:
    with requests.Session() as opened:
        if not deployed.outputs["dataset_bucket"]:
            pytest.skip("the dataset download is not deployed")
        if not deployed.is_local:
            opened.auth = SignedByCaller(deployed.outputs["aws_region"], "lambda")
        yield opened


@pytest.fixture(params=["dataset_url", "dataset_stream_url"])
def download(request: pytest.FixtureRequest, stack: Stack, session: requests.Session) -> Iterator[Download]:
    address = stack.outputs[request.param]
    if not address:
        pytest.skip("there is no such server in AWS: the Function URL streams itself")
    made = Download(stack, address, session, f"e2e-{uuid.uuid4().hex[:12]}", make_table())
    sink = io.BytesIO()
    pq.write_table(made.table, sink, row_group_size=500)
    made.put(f"{made.name}.parquet", sink.getvalue())
    yield made
    stack.delete_versions(stack.outputs["dataset_bucket"], stack.outputs["dataset_prefix"] + made.name)


@pytest.fixture
def by_url(stack: Stack, session: requests.Session) -> Iterator[Download]:
    """Give the Function URL with a dataset that is too large for an answer of the emulator."""
    ((_, table),) = draw_entities(LARGE_ROWS, 2)
    made = Download(stack, stack.outputs["dataset_url"], session, f"e2e-{uuid.uuid4().hex[:12]}", table)
    made.put(f"{made.name}.parquet", write_parquet(table))
    yield made
    stack.delete_versions(stack.outputs["dataset_bucket"], stack.outputs["dataset_prefix"] + made.name)


def read_by_duckdb(folder: Path, name: str, body: bytes, call: str) -> list[tuple[Any, ...]]:
    (folder / name).write_bytes(body)
    with duckdb.connect() as connection:
        query = (
            f'SELECT entity, "organisation-entity", name, fee, "entry-date", share FROM {call.format(folder / name)}'
        )
        return connection.execute(query).fetchall()


def list_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


def test_parquet_is_the_same_table(download: Download, tmp_path: Path) -> None:
    body = download.fetch("parquet")
    assert pq.read_table(io.BytesIO(body)).equals(download.table)
    assert read_by_duckdb(tmp_path, "a.parquet", body, "read_parquet('{}')") == list_rows(download.table)


def test_csv_is_read_by_others(download: Download, tmp_path: Path) -> None:
    body = download.fetch("csv")
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    assert header == download.table.column_names
    expected = [[row[0], row[1], row[2] or "", row[3], row[4].isoformat()] for row in list_rows(download.table)]
    assert [[int(row[0]), *row[1:3], Decimal(row[3]), row[4]] for row in rows] == expected
    types = "{{'entity': 'BIGINT', 'fee': 'DECIMAL(10,2)', 'entry-date': 'DATE', 'share': 'DOUBLE'}}"
    call = f"read_csv('{{}}', header=true, quote='\"', escape='\"', types={types})"
    assert read_by_duckdb(tmp_path, "a.csv", body, call) == list_rows(download.table)


def test_json_is_one_exact_array(download: Download) -> None:
    rows = json.loads(download.fetch("json"), parse_float=Decimal)
    assert [row["entity"] for row in rows] == download.table["entity"].to_pylist()
    assert [row["name"] for row in rows] == download.table["name"].to_pylist()
    assert [Decimal(row["fee"]) for row in rows] == download.table["fee"].to_pylist()
    assert [row["entry-date"] for row in rows] == [day.isoformat() for day in download.table["entry-date"].to_pylist()]
    lines = download.fetch("jsonl").decode().splitlines()
    assert [json.loads(line, parse_float=Decimal) for line in lines] == rows


@pytest.mark.parametrize("extension", list(MEDIA_TYPES))
def test_slice_is_one_organisation(download: Download, extension: str) -> None:
    body = download.fetch(extension, "?organisation-entity=org-17")
    found: list[Any]
    match extension:
        case "csv":
            found = [row["entity"] for row in csv.DictReader(io.StringIO(body.decode(), newline=""))]
        case "json":
            found = [row["entity"] for row in json.loads(body)]
        case "jsonl":
            found = [json.loads(line)["entity"] for line in body.splitlines()]
        case _:
            found = pq.read_table(io.BytesIO(body))["entity"].to_pylist()
    expected = [row[0] for row in list_rows(download.table) if row[1] == "org-17"]
    assert [int(entity) for entity in found] == expected
    assert len(expected) == ROWS // ORGANISATIONS


def test_nothing_found_is_an_empty_file_of_the_format(download: Download) -> None:
    query = "?organisation-entity=nobody"
    assert download.fetch("csv", query).decode().splitlines() == [",".join(download.table.column_names)]
    assert json.loads(download.fetch("json", query)) == []
    assert download.fetch("jsonl", query) == b""
    empty = pq.read_table(io.BytesIO(download.fetch("parquet", query)))
    assert (empty.num_rows, empty.schema) == (0, download.table.schema)


def test_what_the_caller_has_is_not_sent_again(download: Download) -> None:
    path = f"/{download.name}.csv?organisation-entity=org-01"
    answer = download.get(path)
    assert "max-age=300" in answer.headers["Cache-Control"]
    assert "org-01" in answer.headers["Content-Disposition"]
    again = download.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = download.get(f"/{download.name}.csv", headers={"If-None-Match": answer.headers["ETag"]})
    assert other.status_code == 200
    assert "max-age=3600" in other.headers["Cache-Control"]


def test_text_is_compressed_for_who_takes_it(download: Download) -> None:
    path = f"/{download.name}.csv"
    with download.get(path, headers={"Accept-Encoding": "gzip"}, stream=True) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        packed = answer.raw.read(decode_content=False)
    assert gzip.decompress(packed) == download.get(path, headers={"Accept-Encoding": "identity"}).content


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/{}.xlsx", 404),
        ("/{}-none.csv", 404),
        ("/{}.csv?nonsense=1", 400),
        ("/{}.csv?entity=one", 400),
        ("/..%2F{}.csv", 400),
    ],
)
def test_what_is_wrong_is_said_as_a_problem(download: Download, path: str, status: int) -> None:
    answer = download.get(path.format(download.name))
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["detail"]


def test_catalogue_and_pages_name_the_dataset(download: Download) -> None:
    listed = {entry["name"]: entry for entry in download.get("/datasets.json").json()["datasets"]}
    assert listed[download.name]["rows"] == ROWS
    assert download.name in download.get("/").text
    page = download.get(f"/{download.name}", headers={"Accept": "text/html"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert "organisation-entity" in page.text
    assert download.get("/healthz").status_code == 200
    assert download.get("/openapi.json").json()["openapi"].startswith("3.")


def test_large_answer_comes_by_an_export_and_the_next_one_too(by_url: Download) -> None:
    if not by_url.stack.is_local:
        pytest.skip("in AWS this is small enough to stream")
    path = f"/{by_url.name}.json"
    first = by_url.get(path, allow_redirects=False)
    assert first.status_code == 303, first.text
    again = by_url.get(path, allow_redirects=False)
    assert urlsplit(again.headers["Location"]).path == urlsplit(first.headers["Location"]).path
    rows = requests.get(first.headers["Location"], timeout=60).json()
    assert [row["entity"] for row in rows] == by_url.table["entity"].to_pylist()


def test_largest_answers_are_left_to_the_export_function(by_url: Download) -> None:
    function = by_url.stack.outputs["dataset_download_function"]
    with by_url.stack.changed_environment(function, EXPORT_INLINE_MB="0", STREAM_LIMIT_MB="1"):
        answer = by_url.get(f"/{by_url.name}.csv", allow_redirects=False)
        assert answer.status_code == 202, answer.text
        status = urljoin(answer.url, answer.headers["Location"])

        def look() -> str | None:
            found = by_url.session.get(status, timeout=60, allow_redirects=False)
            assert found.status_code in {202, 303}, found.text
            return found.headers["Location"] if found.status_code == 303 else None

        ready = wait_until(look, "the export", SECONDS)
    body = requests.get(ready, timeout=60).content
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert [int(row["entity"]) for row in rows] == by_url.table["entity"].to_pylist()


def test_server_streams_what_the_function_url_cannot(by_url: Download, tmp_path: Path) -> None:
    if not by_url.stack.outputs["dataset_stream_url"]:
        pytest.skip("only the offline stack has a server of its own")
    answer = requests.get(f"{by_url.stack.outputs['dataset_stream_url']}/{by_url.name}.json", stream=True, timeout=60)
    with answer:
        assert (answer.status_code, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        assert len(json.loads(answer.content)) == LARGE_ROWS


def test_script_says_what_came(download: Download, tmp_path: Path) -> None:
    environment = {**os.environ, "DOWNLOAD_DIR": str(tmp_path)}
    if download.address != download.stack.outputs["dataset_stream_url"]:
        pytest.skip("the script takes the server that streams")
    script = str(ROOT / "scripts/download_dataset.sh")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [script, *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    done = run(f"{download.name}.csv", "organisation-entity=org-03")
    assert done.returncode == 0, done.stderr
    assert "100 rows" in done.stdout
    assert run("none-such.csv").returncode == 1

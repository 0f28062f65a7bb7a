"""The dataset download as deployed: its Function URL, its export function, and locally the server that streams."""

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from lib.common.settings import is_loopback
from tests.e2e.stack import Stack, wait_until

ROWS = 200_000
SECONDS = 120


def make_table() -> pa.Table:
    """Return some 14 MB of CSV, sorted by organisation: more than a buffered answer can be."""
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "organisation-entity": [f"org-{number // 1000:03d}" for number in range(ROWS)],
            "note": [
                f'{number:08d} "quoted", and a line\nbreak é ☃ {number * 7919 % 1_000_003}' for number in range(ROWS)
            ],
        }
    )


@dataclass(frozen=True)
class Deployed:
    """The deployment, and a dataset of the tests' own."""

    stack: Stack
    name: str

    def __getattr__(self, name: str) -> str:
        return self.stack.outputs[name]

    @property
    def key(self) -> str:
        prefix = self.dataset_prefix
        return f"{prefix}{self.name}.parquet"

    def get(
        self, path: str, *, base: str = "", method: str = "GET", tag: str = "", follow: bool = True
    ) -> requests.Response:
        """Ask the Function URL, with a signature where it is AWS's; what it redirects to needs none."""
        url = (base or self.dataset_url).rstrip("/") + path
        request = AWSRequest(method=method, url=url, headers={"If-None-Match": tag} if tag else {})
        if not is_loopback(url) and ".localhost" not in url:
            session = boto3.Session()
            credentials = session.get_credentials()
            assert credentials
            SigV4Auth(credentials.get_frozen_credentials(), "lambda", self.aws_region).add_auth(request)
        answer = requests.request(method, url, headers=dict(request.headers), timeout=SECONDS, allow_redirects=False)
        if follow and answer.is_redirect:
            return requests.request(method, answer.headers["Location"], timeout=SECONDS)
        return answer


@pytest.fixture(scope="module")
def deployed_dataset(deployed: Stack) -> Iterator[Deployed]:
    if not deployed.outputs["dataset_bucket"]:
        pytest.skip("the dataset download is not deployed")
    dataset = Deployed(deployed, f"e2e-{uuid.uuid4()}")
    file = io.BytesIO()
    pq.write_table(make_table(), file, row_group_size=20_000)
    deployed.s3.put_object(Bucket=dataset.dataset_bucket, Key=dataset.key, Body=file.getvalue())
    yield dataset
    deployed.s3.delete_object(Bucket=dataset.dataset_bucket, Key=dataset.key)


@pytest.fixture
def dataset(deployed_dataset: Deployed) -> Deployed:
    return deployed_dataset


READERS: dict[str, Callable[[bytes], list[str]]] = {
    "csv": lambda body: [row["note"] for row in csv.DictReader(io.StringIO(body.decode(), newline=""))],
    "json": lambda body: [row["note"] for row in json.loads(body)],
    "jsonl": lambda body: [json.loads(line)["note"] for line in body.decode().splitlines()],
    "parquet": lambda body: list(pq.read_table(io.BytesIO(body))["note"].to_pylist()),
}


@pytest.mark.parametrize("extension", READERS)
def test_one_organisation_in_each_format(dataset: Deployed, extension: str) -> None:
    answer = dataset.get(f"/{dataset.name}.{extension}?organisation-entity=org-007")
    assert answer.status_code == 200
    assert READERS[extension](answer.content) == make_table()["note"].to_pylist()[7000:8000]
    assert answer.headers["X-Row-Count"] == "1000"
    assert f"{dataset.name}_organisation-entity-org-007.{extension}" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("extension", READERS)
def test_all_rows_in_each_format(dataset: Deployed, extension: str) -> None:
    answer = dataset.get(f"/{dataset.name}.{extension}")
    assert answer.status_code == 200
    assert READERS[extension](answer.content) == make_table()["note"].to_pylist()


def test_what_is_too_large_for_the_function_is_exported_once(dataset: Deployed) -> None:
    if not dataset.stack.is_local:
        pytest.skip("a deployment in AWS streams what is as small as this")
    path = f"/{dataset.name}.csv?id__gte=1"
    first, second = (dataset.get(path, follow=False) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["Location"].partition("?")[0] == second.headers["Location"].partition("?")[0]


def test_the_export_function_makes_what_is_left_to_it(dataset: Deployed) -> None:
    query = "id__gte=2"
    export = dataset.get(f"/{dataset.name}.jsonl?{query}", method="HEAD", follow=False).headers["ETag"].strip('"')[:32]
    now, owner = datetime.now(UTC), str(uuid.uuid4())
    status = {
        "export": export,
        "state": "running",
        "dataset": dataset.name,
        "format": "jsonl",
        "owner": owner,
        "key": f"exports/{export}/{dataset.name}.jsonl",
        "started": now.isoformat(),
        "expires": (now + timedelta(minutes=16)).isoformat(),
    }
    dataset.stack.s3.put_object(
        Bucket=dataset.dataset_export_bucket, Key=f"exports/{export}.json", Body=json.dumps(status).encode()
    )
    assert dataset.get(f"/exports/{export}", follow=False).status_code == 202
    event = {"export": export, "dataset": dataset.name, "format": "jsonl", "query": query, "owner": owner}
    dataset.stack.functions.invoke(
        FunctionName=dataset.dataset_export_function, InvocationType="Event", Payload=json.dumps(event).encode()
    )

    def look() -> requests.Response | None:
        answer = dataset.get(f"/exports/{export}", follow=False)
        return None if answer.status_code == 202 else answer

    ready = wait_until(look, "the export", SECONDS)
    assert ready.status_code == 303
    body = requests.get(ready.headers["Location"], timeout=SECONDS).content
    assert READERS["jsonl"](body) == make_table()["note"].to_pylist()[2:]


def test_problems_and_pages(dataset: Deployed) -> None:
    assert dataset.get("/nothing-of-this-name.csv").status_code == 404
    assert dataset.get(f"/{dataset.name}.csv?colour=red").status_code == 400
    assert dataset.get(f"/{dataset.name}.xlsx").status_code == 404
    page = dataset.get(f"/{dataset.name}")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "organisation-entity" in page.text
    assert dataset.get("/healthz").json() == {"status": "ok"}
    assert dataset.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_who_has_the_answer_is_told_so(dataset: Deployed) -> None:
    path = f"/{dataset.name}.csv?limit=5"
    tag = dataset.get(path).headers["ETag"]
    assert dataset.get(path, tag=tag).status_code == 304
    assert dataset.get(f"/{dataset.name}.csv?limit=6", tag=tag).status_code == 200


def test_the_local_server_streams_all_of_it(dataset: Deployed) -> None:
    if not dataset.dataset_stream_url:
        pytest.skip("only the offline stack has a server of its own")
    answer = dataset.get(f"/{dataset.name}.csv", base=dataset.dataset_stream_url, follow=False)
    assert answer.status_code == 200
    assert answer.headers["X-Row-Count"] == str(ROWS)
    assert READERS["csv"](answer.content) == make_table()["note"].to_pylist()

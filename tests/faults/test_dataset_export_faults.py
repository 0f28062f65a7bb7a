"""The dataset export under faults: each answer is written once, whole and right.

A request begins an export and leaves it to the export function; both are killed, invoked twice, and S3 misbehaves.
SEED, ROUNDS and KILLS vary it.
"""

import csv
import io
import json
import os
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.request import urlopen

import boto3
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from tests.faults.support.fault_proxy import S3_KINDS, FaultProxy, run_fault_proxy
from tests.faults.support.figures import ROUNDS, SEED, Figures, record
from tests.faults.support.functions import Function, run_function
from tests.support.emulator import CREDENTIALS, ROOT, run_emulator
from tests.support.tiers import few_quick, scale

KILLS = int(os.environ.get("KILLS", str(scale(4))))
ROWS = 80_000
WEB = "dataset_download.app.lambda_handler"
EXPORTER = "dataset_download.exporter.lambda_handler"
MAX_REQUESTS = 30
TOO_LATE = 20.0
"""Seconds: what the exporter keeps of its time."""
STEPS = [
    "after GetObject",
    "before CreateMultipartUpload",
    "after CreateMultipartUpload",
    "before UploadPart",
    "after UploadPart",
    "before CompleteMultipartUpload",
    "after CompleteMultipartUpload",
    "before PutObject",
    "after PutObject",
]
FORMATS = ("csv", "jsonl", "parquet")

type Row = tuple[int, str, str]


def make_rows() -> list[Row]:
    return [(number, f"org-{number % 7}", f'{number * 2654435761 % 2**32:08x} "é", x') for number in range(ROWS)]


@dataclass(frozen=True)
class Exporter:
    """The buckets, both functions, and what the dataset holds."""

    s3: S3Client
    proxy: FaultProxy
    function: Function
    rows: list[Row]

    def download(
        self, format_name: str, query: str, dice: random.Random, kill: Callable[[], str], seconds: Callable[[], float]
    ) -> list[Row]:
        """Ask until there is an address, as a patient caller does; return the rows behind it."""
        for _ in range(MAX_REQUESTS):
            answer = self.function.invoke(WEB, make_event(f"/big.{format_name}", query)).get("answer", {})
            if answer.get("statusCode") == 303:
                return read_rows(format_name, self._fetch(answer["headers"]["location"]))
            while self.proxy.plan.invocations:
                self.function.deliver(EXPORTER, self.proxy.plan.invocations.popleft(), dice, kill, seconds())
        raise AssertionError(f"no address after {MAX_REQUESTS} requests: {answer}")

    def _fetch(self, url: str) -> bytes:
        """Download; the caller's own requests fail, too, and are repeated."""
        for _ in range(MAX_REQUESTS):
            with suppress(OSError, HTTPException), urlopen(url, timeout=60) as answer:
                body: bytes = answer.read()
                return body
        raise AssertionError(f"{url} cannot be downloaded")

    def count_objects(self) -> int:
        """Return how many finished exports there are."""
        listed = self.s3.list_objects_v2(Bucket="exports").get("Contents", [])
        return sum(not item["Key"].endswith(".json") or item["Key"].count("/") > 1 for item in listed)

    def forget(self) -> None:
        for item in self.s3.list_objects_v2(Bucket="exports").get("Contents", []):
            self.s3.delete_object(Bucket="exports", Key=item["Key"])


def make_event(path: str, query: str) -> dict[str, Any]:
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"}
    context = {"http": http, "domainName": "data.example.org", "requestId": str(uuid.uuid4()), "stage": "$default"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "data.example.org"},
        "requestContext": context,
        "isBase64Encoded": False,
    }


def read_rows(format_name: str, body: bytes) -> list[Row]:
    """Read an export by something else than what wrote it, where there is such."""
    if format_name == "csv":
        lines = list(csv.reader(io.StringIO(body.decode(), newline="")))
        return [(int(number), organisation, note) for number, organisation, note in lines[1:]]
    if format_name == "jsonl":
        found = [json.loads(line) for line in body.decode().splitlines()]
    else:
        found = pq.read_table(io.BytesIO(body)).to_pylist()
    return [(one["id"], one["organisation-entity"], one["note"]) for one in found]


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    folder = tmp_path_factory.mktemp("exporter")
    with (
        run_emulator(tmp_path_factory.mktemp("ministack")) as address,
        run_fault_proxy(address) as proxy,
        run_function(make_environment(proxy.url), folder / "function.log") as function,
    ):
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        s3 = session.client("s3", endpoint_url=address, config=Config(s3={"addressing_style": "path"}))
        for bucket in ("data", "exports"):
            s3.create_bucket(Bucket=bucket)
        rows = make_rows()
        columns = map(list, zip(*rows, strict=True))
        table = pa.table(dict(zip(("id", "organisation-entity", "note"), columns, strict=True)))
        file = io.BytesIO()
        pq.write_table(table, file, row_group_size=10_000)
        s3.put_object(Bucket="data", Key="big.parquet", Body=file.getvalue())
        yield Exporter(s3, proxy, function, rows)


def make_environment(address: str) -> dict[str, str]:
    return CREDENTIALS | {
        "AWS_ENDPOINT_URL": address,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, [ROOT, ROOT / "lambdas"])),
        "DATASET_BUCKET": "data",
        "EXPORT_BUCKET": "exports",
        "EXPORT_FUNCTION": "exporter",
        "EXPORT_INLINE_MB": "0",
        "STREAM_LIMIT_MB": "1",
        "REDIRECT_PARQUET": "false",
    }


def have_time() -> float:
    return 600.0


def run(
    exporter: Exporter,
    seed: str,
    kill: Callable[[random.Random], str],
    formats: tuple[str, ...],
    seconds: Callable[[], float] = have_time,
) -> Counter[str]:
    """Export the dataset in each format; return the counts."""
    counts: Counter[str] = Counter()
    exporter.forget()
    dice = random.Random(seed)
    for format_name in formats:
        query = f"id__gte={dice.randrange(ROWS // 4)}"
        expected = Counter(row for row in exporter.rows if row[0] >= int(query.partition("=")[2]))
        found = Counter(exporter.download(format_name, query, dice, lambda: kill(dice), seconds))
        counts["results"] += expected.total()
        counts["lost"] += (expected - found).total()
        counts["duplicated"] += sum(found[row] - 1 for row in found if row in expected)
        counts["corrupt"] += sum(row not in expected for row in found)
    counts["duplicated"] += exporter.count_objects() - len(formats)
    return counts


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
@pytest.mark.parametrize("kind", few_quick(S3_KINDS))
def test_exports_are_whole_while_s3_misbehaves(exporter: Exporter, kind: str, seed: int) -> None:
    with exporter.proxy.failing(kind, "s3", seed) as plan:
        counts = run(exporter, f"{seed} {kind}", lambda _: "", FORMATS)
    finish(f"s3 {kind}", seed, plan.injected.total(), counts, f"'s3 and {kind}'")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_exports_begun_too_late_are_made_by_the_next(exporter: Exporter, seed: int) -> None:
    """With no more left than what an export keeps for its end, it is taken back and reported, and asked for again."""
    late = iter([TOO_LATE] * len(FORMATS))
    counts = run(exporter, f"{seed} late", lambda _: "", FORMATS, lambda: next(late, 600.0))
    finish("deadline", seed, len(FORMATS) - len(list(late)), counts, "late")


@pytest.mark.scaled
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_exports_are_whole_when_the_function_is_killed(exporter: Exporter, seed: int) -> None:
    counts: Counter[str] = Counter()
    before = exporter.function.killed_at.copy()
    for trial in range(1000):
        if (kills := (exporter.function.killed_at - before).total()) >= KILLS:
            break
        counts += run(
            exporter,
            f"{seed} {trial}",
            lambda dice: f"{dice.choice(STEPS)} {dice.choice([1, 1, 2])}" if dice.random() < 0.7 else "",
            (FORMATS[trial % len(FORMATS)],),
        )
    print(f"killed {dict(exporter.function.killed_at - before)}")
    finish("kills", seed, kills, counts, "killed", f"KILLS={KILLS} ")


def finish(fault: str, seed: int, injected: int, counts: Counter[str], name: str, variables: str = "") -> None:
    command = f"{variables}SEED={seed} pytest tests/faults/test_dataset_export_faults.py -k {name}"
    found = (counts["results"], counts["lost"], counts["duplicated"], counts["corrupt"])
    record(Figures("dataset-export", fault, seed, injected, *found, command))

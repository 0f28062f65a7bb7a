"""The CSV streamer under faults: each file is stored once and whole, over kills, hops and a misbehaving S3 or server.

SEED, ROUNDS and KILLS vary it.
"""

import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from sample_files import expected_sha256
from tests.faults.support.fault_proxy import S3_KINDS, FaultProxy, run_fault_proxy
from tests.faults.support.figures import ROUNDS, SEED, Figures, record
from tests.faults.support.functions import Function, run_function
from tests.support.emulator import CREDENTIALS, ROOT, run_emulator
from tests.support.sample_server import run_sample_server
from tests.support.tiers import few_quick, scale

KILLS = int(os.environ.get("KILLS", str(scale(4))))
HANDLER = "csv_streamer.app.lambda_handler"
BUCKET = "csv"
STEPS = [
    "before CreateMultipartUpload",
    "after CreateMultipartUpload",
    "after UploadPart",
    "before CompleteMultipartUpload",
    "after CompleteMultipartUpload",
    "after PutObject",
    "before Invoke",
    "after Invoke",
    "after GetObject",
    "before DeleteObject",
]
HOSTILE = [
    "hostile/drop/a.csv?bytes=300000&every=70000&times=4",
    "hostile/drop/b.csv?bytes=300000&every=100000&how=rst&times=3",
    "hostile/drop/c.csv?bytes=200000&every=90000&ranges=no&times=2",
    "hostile/drop/d.csv?bytes=200000&every=90000&ranges=ignored&times=2",
    "hostile/ignore-range/e.csv?bytes=200000",
    "hostile/wrong-range/f.csv?bytes=300000&every=100000&wrong=start&times=1",
    "hostile/wrong-range/g.csv?bytes=300000&every=100000&wrong=garbled&times=1",
    "hostile/status/h.csv?bytes=200000&code=503&times=2",
    "hostile/hang-up/i.csv?bytes=200000&how=rst&times=2",
    "hostile/garbage/j.csv?bytes=200000&times=1",
    "hostile/chunked/k.csv?bytes=200000&cut=70000&times=1",
    "hostile/long-length/l.csv?bytes=200000&times=1",
    "hostile/stall/m.csv?bytes=200000&after=70000&seconds=3&then=drop&times=1",
]
SILENT = [
    "hostile/stall/units.csv?bytes=9000000&after=6000000&seconds=30&then=drop&times=1",
    "hostile/stall/projects.csv?bytes=14000000&after=6000000&seconds=30&then=drop&times=2",
    "files/rents.csv?bytes=40000",
]


@dataclass(frozen=True)
class Streamer:
    """The bucket, the file server, and the function."""

    s3: S3Client
    server: str
    proxy: FaultProxy
    function: Function

    def ask_for(self, paths: list[str], token: str) -> dict[str, str]:
        """Write the parameters; return what is to be stored: SHA-256 by name."""
        self._empty()
        urls = [f"{self.server}/{path}{'&' if '?' in path else '?'}token={token}-{n}" for n, path in enumerate(paths)]
        entries = [{"url": url, "name": f"{number}.csv"} for number, url in enumerate(urls)]
        self.s3.put_object(Bucket=BUCKET, Key="config/parameters.json", Body=json.dumps({"file_urls": entries}))
        return {f"{number}.csv": expected_sha256(url) for number, url in enumerate(urls)}

    def _empty(self) -> None:
        for prefix in ("raw/", ".csv-streamer/"):
            for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []):
                self.s3.delete_object(Bucket=BUCKET, Key=item["Key"])

    def run(self, dice: random.Random, choose_kill: Callable[[], str], seconds: float = 600) -> list[dict[str, Any]]:
        """Deliver a scheduled event, and what the function sends itself; return the files' last results.

        Each hop may take a little longer than the last, so that a slow machine gets to the end, too.
        """
        hops: list[Any] = [{"source": "schedule"}]
        results: dict[str, dict[str, Any]] = {}
        while hops:
            for done in self.function.deliver(HANDLER, hops.pop(0), dice, choose_kill, seconds):
                body = json.loads(done.get("answer", {}).get("body", "{}"))
                results |= {one["url"]: one for one in body.get("results", [])}
            while self.proxy.plan.invocations:
                hops.append(self.proxy.plan.invocations.popleft())
            seconds *= 1.3
        return list(results.values())

    def count(self, expected: dict[str, str]) -> tuple[int, int, int]:
        """Return how many files are lost, stored more than once, and not what the server has."""
        stored: dict[str, str] = {}
        found: Counter[str] = Counter()
        for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix="raw/").get("Contents", []):
            name = item["Key"].rpartition("/")[2]
            found[item["Key"].partition(".csv")[0].partition("-")[0]] += 1
            body = self.s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            stored[name] = hashlib.sha256(body).hexdigest()
        lost = len(expected.keys() - stored.keys())
        corrupt = sum(stored[name] != digest for name, digest in expected.items() if name in stored)
        return lost, sum(found.values()) - len(found), corrupt


@pytest.fixture(scope="module")
def streamer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streamer]:
    folder = tmp_path_factory.mktemp("streamer")
    with (
        run_emulator(tmp_path_factory.mktemp("ministack")) as address,
        run_fault_proxy(address) as proxy,
        run_sample_server() as server,
        run_function(make_environment(proxy.url), folder / "function.log") as function,
    ):
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        s3 = session.client("s3", endpoint_url=address, config=Config(s3={"addressing_style": "path"}))
        s3.create_bucket(Bucket=BUCKET)
        yield Streamer(s3, server, proxy, function)


def make_environment(address: str) -> dict[str, str]:
    return CREDENTIALS | {
        "AWS_ENDPOINT_URL": address,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, [ROOT, ROOT / "lambdas", ROOT / "scripts"])),
        "BUCKET_NAME": BUCKET,
        "S3_PART_MB": "5",
        "CONCURRENCY": "4",
        "ALLOW_PRIVATE_HOSTS": "true",
        "CONTINUE_ASYNC": "true",
        "MAX_HOPS": "1000",
        "STOP_BEFORE_SECONDS": "1",
        "STALL_SECONDS": "1",
        "MAX_ATTEMPTS": "8",
    }


def never() -> str:
    return ""


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
@pytest.mark.parametrize("kind", few_quick(S3_KINDS))
def test_files_are_stored_whole_while_s3_misbehaves(streamer: Streamer, kind: str, seed: int) -> None:
    dice = random.Random(f"{seed} {kind}")
    expected = streamer.ask_for([f"files/units.csv?bytes={size}" for size in (0, 9000, 70_000, 17_000_000)], kind)
    with streamer.proxy.failing(kind, "s3", seed, rate=0.4) as plan:
        results = streamer.run(dice, never)
    finish(streamer, expected, results, f"s3 {kind}", seed, plan.injected.total())


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_files_are_stored_whole_from_a_server_that_misbehaves(streamer: Streamer, seed: int) -> None:
    paths = random.Random(seed).sample(HOSTILE, len(HOSTILE))
    expected = streamer.ask_for(paths, f"hostile-{seed}")
    results = streamer.run(random.Random(seed), never)
    finish(streamer, expected, results, "source server", seed, len(paths))


@pytest.mark.scaled
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_killed_runs_store_each_file_once(streamer: Streamer, seed: int, tmp_path: Path) -> None:
    """Runs over several invocations, of which some are killed, some end, and some are delivered twice.

    The servers fall silent for longer than an invocation lasts, so that one is never enough.
    """
    dice = random.Random(seed)
    environment = streamer.function.environment | {"RANGE_CONNECTIONS": "1", "STALL_SECONDS": "60"}
    counts: Counter[str] = Counter()
    with run_function(environment, tmp_path / "function.log") as function:
        mortal = replace(streamer, function=function)
        while (kills := function.killed_at.total()) < KILLS:
            expected = mortal.ask_for(SILENT, f"kill-{seed}-{kills}")
            seconds = 4.0
            while not is_done(mortal.run(dice, lambda: f"{dice.choice(STEPS)} {dice.choice([1, 1, 1, 2])}", seconds)):
                # Reported, as when a slow machine gets nothing done in an invocation: the next schedule tries again.
                seconds *= 2
            lost, duplicated, corrupt = mortal.count(expected)
            counts.update(files=len(expected), lost=lost, duplicated=duplicated, corrupt=corrupt)
        hops = function.log.read_text().count("continuation_started")
    print(f"killed {dict(function.killed_at)}, {hops} hops")
    command = f"KILLS={KILLS} SEED={seed} pytest tests/faults/test_csv_streamer_faults.py -k killed"
    found = (counts["files"], counts["lost"], counts["duplicated"], counts["corrupt"])
    record(Figures("csv-streamer", "kills", seed, kills, *found, command))
    if hops:  # not where kills came before every hop
        record(Figures("csv-streamer", "deadline", seed, hops, *found, command))


def is_done(results: list[dict[str, Any]]) -> bool:
    return bool(results) and all(one["status"] == "success" for one in results)


def finish(
    streamer: Streamer, expected: dict[str, str], results: list[dict[str, Any]], fault: str, seed: int, injected: int
) -> None:
    """Count; a file that was reported as failed is fetched by the next scheduled run, as in life."""
    if not is_done(results):
        print(f"reported: {results}")
        streamer.run(random.Random(seed), never)
    name = "server" if fault == "source server" else f"'s3 and {fault.removeprefix('s3 ')}'"
    command = f"SEED={seed} pytest tests/faults/test_csv_streamer_faults.py -k {name}"
    record(Figures("csv-streamer", fault, seed, injected, len(expected), *streamer.count(expected), command))

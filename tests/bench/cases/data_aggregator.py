"""The data aggregator against its reference algorithm, the standard library's gzip and pigz."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.cases.csv_streamer import LATENCY_MS, MB_PER_SECOND
from tests.bench.cases.documents import make_object
from tests.bench.fakes.fake_s3_client import FakeS3Client
from tests.bench.harness.comparison import (
    OURS,
    REFERENCE,
    Bill,
    Case,
    Contender,
    Counts,
    Outcome,
    Row,
    make_row,
    run_case,
)
from tests.bench.harness.processes import ROOT, RunError, run_server
from tests.bench.harness.ratios import Ratio

SERVICE = "data_aggregator"
SOURCE_BUCKET, BUNDLE_BUCKET, TABLE = "bench-sources", "bench-bundles", "bench-claims"
_STDLIB = "stdlib gzip 6"
_OBJECTS = 1_000
_OBJECT_BYTES = 10_000
_MEMORY_MB = 1024
_AROUND = {"SQS": _OBJECTS + 2 * _OBJECTS // 10}
"""S3 sends a message for each object; Lambda receives and deletes them ten at a time."""
_DATA_BYTES = 100_000_000
_SEEDS = 64
_SPEED_TARGET, _SIZE_TARGET, _READ_TARGET = 4.0, 0.85, 10.0
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(map(str, [ROOT, ROOT / "lambdas"]))
    nothing = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    return {"PATH": os.environ["PATH"], "PYTHONPATH": paths, **_CREDENTIALS, **nothing}


def run_compression(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """One large input; also the rows for the sizes that come of it."""
    source = folder / "events.jsonl"
    # Learners and sessions of their own in each part, as in many objects of a real source.
    parts = [make_object(seed, _DATA_BYTES // _SEEDS) for seed in range(_SEEDS)]
    source.write_bytes(b"".join(parts))
    contenders = [_make_compressor(folder, source, OURS, "bundle")]
    contenders.append(_make_compressor(folder, source, _STDLIB, "stdlib", _SPEED_TARGET))
    if shutil.which("pigz"):
        target = folder / "pigz.gz"
        command = ["sh", "-c", 'pigz -6 -c "$0" > "$1"', str(source), str(target)]
        contenders.append(Contender("pigz -6, all cores", command, _environment()))
    else:
        say("skipped, not installed: pigz")
    name = f"compression of {_DATA_BYTES // 1_000_000} MB of JSON lines"
    outcome = run_case(Case(SERVICE, name, contenders, lambda: None, dict), rounds, folder, say)
    sizes = {how: (folder / f"{how}.gz").stat().st_size for how in ("bundle", "stdlib")}
    _check_bundle(folder / "bundle.gz", source.read_bytes())
    say(
        f"{SERVICE}, sizes: {source.stat().st_size / sizes['bundle']:.2f} to 1 against "
        f"{source.stat().st_size / sizes['stdlib']:.2f} to 1"
    )
    size_ratio = sizes["stdlib"] / sizes["bundle"]
    ratio = Ratio(size_ratio, size_ratio, size_ratio)
    rss = max(run.rss_mb for run in outcome.runs[OURS])
    row = make_row(SERVICE, "compression ratio", _STDLIB, _SIZE_TARGET, ratio, rss_mb=rss, s3_requests=None)
    return outcome, [row]


def _make_compressor(folder: Path, source: Path, name: str, how: str, target: float = 1.0) -> Contender:
    result = folder / f"{how}.json"
    command = [
        sys.executable,
        "-m",
        "tests.bench.contenders.compress_file",
        how,
        str(source),
        str(folder / f"{how}.gz"),
        str(result),
    ]
    return Contender(name, command, _environment(), own_time=result, target=target)


def _check_bundle(packed: Path, content: bytes) -> None:
    if gzip.decompress(packed.read_bytes()) != content:
        raise RunError(f"{packed.name} does not hold what was compressed")


@dataclass(frozen=True)
class Stage:
    """Where the handlers read and write."""

    environment: dict[str, str]
    fake_s3: FakeS3Client
    folder: Path

    @property
    def event(self) -> Path:
        """Return the file with the SQS event."""
        return self.folder / "sqs.json"


@contextmanager
def set_stage(folder: Path) -> Iterator[Stage]:
    """Run the fake S3 for S3 and DynamoDB behind the proxy."""
    with ExitStack() as stack:
        port = stack.enter_context(run_server("tests.bench.fakes.fake_s3", "--keep-mib", "64"))
        how = ["--latency-ms", str(LATENCY_MS), "--mb-per-second", str(MB_PER_SECOND)]
        proxy = stack.enter_context(run_server("tests.bench.fakes.proxy", "--to", f"127.0.0.1:{port}", *how))
        environment = _environment() | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy}",
            "DISTRIBUTION_BUCKET_NAME": BUNDLE_BUCKET,
            "SERVICE_NAME": "data-aggregator",
            "IDEMPOTENCY_TABLE_NAME": TABLE,
            "IDEMPOTENCY_TTL_DAYS": "21",
            "LOG_LEVEL": "INFO",
        }
        yield Stage(environment, FakeS3Client(port), folder)


def run_small_objects(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """Many small objects, each call 20 ms late."""
    with set_stage(folder) as stage:
        contents = {f"in/{number:04}.jsonl": make_object(number, _OBJECT_BYTES) for number in range(_OBJECTS)}
        ours = _make_handler(stage, OURS, "data_aggregator.app")
        theirs = _make_handler(stage, REFERENCE, "tests.bench.contenders.baselines.data_aggregator", _READ_TARGET)

        def prepare() -> None:
            stage.fake_s3.reset()
            for key, content in contents.items():
                stage.fake_s3.put(f"{SOURCE_BUCKET}/{key}", content)
            stage.fake_s3.reset(keep=True)
            found = stage.fake_s3.list_objects()
            etags = {key: _etag(*found[f"{SOURCE_BUCKET}/{key}"][0]) for key in contents}
            stage.event.write_text(json.dumps(make_event(contents, etags)))

        def finish() -> Counts:
            requests = stage.fake_s3.count_requests()
            _check_stored(stage.fake_s3, list(contents.values()))
            return requests

        name = f"{_OBJECTS:,} objects of {_OBJECT_BYTES // 1000} KB"
        bill = Bill(_OBJECTS, sum(map(len, contents.values())), _MEMORY_MB, _AROUND)
        return run_case(Case(SERVICE, name, [ours, theirs], prepare, finish, bill), rounds, folder, say), []


def _make_handler(stage: Stage, name: str, module: str, target: float = 1.0) -> Contender:
    result = stage.folder / f"{name.partition(' ')[0]}.json"
    command = [sys.executable, "-m", "tests.bench.contenders.invoke", module, str(stage.event), str(result)]
    return Contender(name, command, stage.environment, own_time=result, target=target)


def _etag(size: int, crc32: int) -> str:
    return f"{crc32:08x}-{size}"


def make_event(contents: dict[str, bytes], etags: dict[str, str]) -> dict[str, Any]:
    """Return an SQS batch with one message for each object; every call announces them as new versions."""
    records = []
    for key, content in contents.items():
        item = {"key": key, "size": len(content), "eTag": etags[key], "sequencer": uuid.uuid4().hex[:16].upper()}
        entity = {"bucket": {"name": SOURCE_BUCKET}, "object": item}
        body = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}]}
        records.append(
            {
                "messageId": str(uuid.uuid4()),
                "receiptHandle": "receipt",
                "body": json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:bench",
                "awsRegion": "us-east-1",
            }
        )
    return {"Records": records}


def _check_stored(fake_s3: FakeS3Client, contents: Sequence[bytes]) -> None:
    bundles = [key for key in fake_s3.list_objects() if key.startswith(f"{BUNDLE_BUCKET}/") and key.endswith(".gz")]
    if len(bundles) != 1:
        raise RunError(f"{len(bundles)} bundles were written, not one")
    if gzip.decompress(fake_s3.get(bundles[0])) != b"".join(contents):
        raise RunError("the bundle does not hold the objects in their order")

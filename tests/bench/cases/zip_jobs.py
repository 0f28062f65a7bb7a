"""The ZIP worker against its reference algorithm and against itself without zero copy."""

from __future__ import annotations

import json
import os
import random
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import boto3

from tests.bench.cases.csv_streamer import LATENCY_MS, MB_PER_SECOND
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
from tests.bench.harness.ratios import compare
from tests.support.emulator import CREDENTIALS, run_emulator
from zip_worker.archive.crc import combine

SERVICE = "zip_jobs"
STREAMED = "ours, all bytes streamed"
SOURCE, TARGET, TABLE = "bench-sources", "bench-archives", "jobs"
_MB = 1_000_000
_MEMORY_MB = 1024
_AROUND = {"HTTPAPI": 2, "Lambda": 2, "SQS": 3, "DynamoDBWrite": 2, "DynamoDBRead": 1, "PutObject": 1}
"""A request for the job and one for its state, each with a function's run; its record, message and list of keys."""
_BENCH_PYTHON = ROOT / ".local" / "bench-venv" / "bin" / "python"
_REFERENCE_TARGET, _COPY_TARGET, _MIXED_TARGET, _BYTES_TARGET = 10.0, 5.0, 2.0, 40.0


@dataclass(frozen=True)
class Stage:
    """Where the workers read and write: S3 behind the proxy, the job table and the queue without it."""

    environment: dict[str, str]
    fake_s3: FakeS3Client
    emulator: str
    folder: Path

    def client(self, service: str) -> Any:
        """Return a client of the emulator."""
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        return session.client(service, endpoint_url=self.emulator)  # type: ignore[call-overload]


@contextmanager
def set_stage(folder: Path) -> Iterator[Stage]:
    """Run the fake S3 for S3 behind the proxy, and the emulator for DynamoDB and SQS."""
    with ExitStack() as stack:
        port = stack.enter_context(run_server("tests.bench.fakes.fake_s3", "--keep-mib", "1"))
        how = ["--latency-ms", str(LATENCY_MS), "--mb-per-second", str(MB_PER_SECOND)]
        proxy = stack.enter_context(run_server("tests.bench.fakes.proxy", "--to", f"127.0.0.1:{port}", *how))
        home = folder / f"emulator-{uuid.uuid4().hex[:8]}"
        home.mkdir()
        emulator = stack.enter_context(run_emulator(home))
        nothing = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
        environment = (
            CREDENTIALS
            | nothing
            | {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(map(str, [ROOT, ROOT / "lambdas"])),
                "AWS_ENDPOINT_URL": emulator,
                "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{proxy}",
                "TABLE_NAME": TABLE,
            }
        )
        stage = Stage(environment, FakeS3Client(port), emulator, folder)
        environment["QUEUE_URL"] = stage.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
        stage.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield stage


@dataclass
class Work:
    """Objects to zip, and what the runs of it took."""

    stage: Stage
    large: Mapping[str, int]
    """Sizes of objects that take no memory."""
    small: Mapping[str, bytes]
    taken: dict[bool, list[tuple[int, int]]] = field(default_factory=lambda: {True: [], False: []})
    """Requests and bytes of our runs, by whether S3 copied."""
    archives: set[tuple[int, int]] = field(default_factory=set)

    @property
    def keys(self) -> list[str]:
        """Return all keys, in the archive's order."""
        return [*self.large, *self.small]

    @property
    def size(self) -> int:
        """Return the bytes of all objects."""
        return sum(self.large.values()) + sum(map(len, self.small.values()))

    def prepare(self) -> None:
        """Put sources, the job and its message there."""
        fake_s3 = self.stage.fake_s3
        fake_s3.reset()
        for key, size in self.large.items():
            fake_s3.make(f"{SOURCE}/{key}", size, key)
        for key, content in self.small.items():
            fake_s3.put(f"{SOURCE}/{key}", content)
        job_id = str(uuid.uuid4())
        fake_s3.put(f"{TARGET}/.zip-jobs/{job_id}.json", json.dumps(self.keys).encode())
        fake_s3.reset(keep=True)
        item = {"jobId": job_id, "status": "PENDING", "phase": "queued", "sourceBucket": SOURCE}
        item |= {"targetBucket": TARGET, "targetKey": f"zips/{job_id}.zip", "keyListKey": f".zip-jobs/{job_id}.json"}
        item |= {"paths": "basename", "onMissing": "fail", "compression": "stored"}
        typed = {name: {"S": value} for name, value in item.items()}
        self.stage.client("dynamodb").put_item(TableName=TABLE, Item=typed)
        (self.stage.folder / "job.json").write_text(json.dumps(self._receive(job_id)))
        named = {"source": SOURCE, "keys": self.keys, "target": TARGET, "key": "zips/reference.zip"}
        (self.stage.folder / "named.json").write_text(json.dumps(named))

    def _receive(self, job_id: str) -> dict[str, Any]:
        sqs, queue_url = self.stage.client("sqs"), self.stage.environment["QUEUE_URL"]
        sqs.purge_queue(QueueUrl=queue_url)
        sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps({"jobId": job_id}))
        (message,) = sqs.receive_message(QueueUrl=queue_url)["Messages"]
        record = {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"]}
        return {"Records": [{**record, "attributes": {"ApproximateReceiveCount": "1"}}]}

    def finish(self) -> Counts:
        """Check the archive; return the requests that it took."""
        fake_s3 = self.stage.fake_s3
        counts, passed = fake_s3.count_requests(), fake_s3.count_bytes()
        (parts,) = [parts for key, parts in fake_s3.list_objects().items() if key.startswith(f"{TARGET}/zips/")]
        size = sum(length for length, _ in parts)
        if size < self.size:
            raise RunError(f"the archive has {size} bytes, its members {self.size}")
        requests = sum(counts.values())
        if not counts.get("HeadObject") and not counts.get("ListObjectsV2"):
            return counts  # the reference algorithm, whose archive has other headers
        self.taken["UploadPartCopy" in counts].append((requests, passed))
        crc32 = 0
        for length, part in parts:
            crc32 = combine(crc32, part, length)
        self.archives.add((size, crc32))
        if len(self.archives) > 1:
            raise RunError("two runs made two different archives")
        return counts

    @property
    def bill(self) -> Bill:
        """Return what the cost is worked out from."""
        return Bill(len(self.keys), self.size, _MEMORY_MB, _AROUND)

    def contenders(self, *, streamed: float | None, reference: float | None) -> list[Contender]:
        """Return ours, and those that it is compared with; the numbers are what we want to reach against them."""
        found = [self._handler(OURS, "zip_worker.app", "job.json")]
        if streamed:
            settings = {"COPY_THRESHOLD_MB": "0"}
            found.append(self._handler(STREAMED, "zip_worker.app", "job.json", streamed, settings))
        if reference:
            found.append(self._handler(REFERENCE, "tests.bench.contenders.baselines.zip_jobs", "named.json", reference))
        return found

    def _handler(
        self, name: str, module: str, event: str, target: float = 1.0, settings: Mapping[str, str] | None = None
    ) -> Contender:
        folder = self.stage.folder
        result = folder / "result.json"
        command = [sys.executable, "-m", "tests.bench.contenders.invoke", module, str(folder / event), str(result)]
        return Contender(name, command, self.stage.environment | dict(settings or {}), own_time=result, target=target)

    def count_rows(self, name: str) -> list[Row]:
        """Return rows for the bytes that pass through the worker and the requests it makes, copied against streamed."""
        rows = []
        for index, what, target in ((1, "bytes through the worker", _BYTES_TARGET), (0, "requests", 1.0)):
            ours, theirs = ([run[index] for run in self.taken[copied]] for copied in (True, False))
            requests = round(median(run[0] for run in self.taken[True]))
            ratio = compare(ours, theirs)
            case = f"{name}: {what}"
            rows.append(make_row(SERVICE, case, STREAMED, target, ratio, rss_mb=None, s3_requests=requests))
        return rows


def run_small(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """Many small objects, each call 20 ms late."""
    with set_stage(folder) as stage:
        noise = random.Random(1)
        work = Work(stage, {}, {f"docs/{number:04}.pdf": noise.randbytes(100_000) for number in range(1000)})
        contenders = work.contenders(streamed=None, reference=_REFERENCE_TARGET)
        case = Case(SERVICE, "1,000 objects of 100 KB", contenders, work.prepare, work.finish, work.bill)
        return run_case(case, rounds, folder, say), []


def run_mixed(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """A few large objects among small ones."""
    with set_stage(folder) as stage:
        noise = random.Random(2)
        large = {f"large/{number}.bin": 64 * _MB for number in range(6)}
        work = Work(stage, large, {f"docs/{number:03}.pdf": noise.randbytes(100_000) for number in range(200)})
        contenders = work.contenders(streamed=_MIXED_TARGET, reference=_REFERENCE_TARGET)
        case = Case(SERVICE, "6 objects of 64 MB, 200 of 100 KB", contenders, work.prepare, work.finish, work.bill)
        return run_case(case, rounds, folder, say), []


def run_large(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """Large objects: what passes through the worker is what they begin with. The reference would take minutes."""
    with set_stage(folder) as stage:
        work = Work(stage, {f"large/{number:02}.bin": 256 * _MB for number in range(5)}, {})
        name = "5 objects of 256 MB"
        contenders = work.contenders(streamed=_COPY_TARGET, reference=None)
        case = Case(SERVICE, name, contenders, work.prepare, work.finish, work.bill)
        outcome = run_case(case, rounds, folder, say)
        return outcome, work.count_rows(name)


def run_packing(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """The archive alone: documents in memory, nothing kept of what is written."""
    files, size = 2_000, 100_000
    paths = os.pathsep.join(map(str, [ROOT, ROOT / "lambdas"]))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": paths}

    def make(name: str, how: str, python: Path) -> Contender:
        result = folder / f"pack-{how}.json"
        command = [str(python), "-m", "tests.bench.contenders.pack_documents", how, str(files), str(size), str(result)]
        return Contender(name, command, environment, own_time=result)

    ours = Path(sys.executable)
    contenders: Sequence[Contender] = [make(OURS, "ours", ours), make("zipstream-ng", "zipstream-ng", ours)]
    if _has_stream_zip():
        contenders = [*contenders, make("stream-zip", "stream-zip", _BENCH_PYTHON)]
    else:
        say("skipped, not installed: stream-zip")
    case = Case(SERVICE, f"the archive alone, {files:,} files of 100 KB", contenders, lambda: None, dict)
    return run_case(case, rounds, folder, say), []


def _has_stream_zip() -> bool:
    return any(_BENCH_PYTHON.parent.parent.glob("lib/python3*/site-packages/stream_zip*"))

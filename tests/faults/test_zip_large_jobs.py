"""Jobs of many gigabytes over several invocations, and archives at the boundaries of Zip64, opened by common tools.

The objects are noise that takes no memory in the bench's stand-in for S3, which copies parts as S3 does. LARGE_JOB_GB
makes the job larger, ZIP64=true adds the archives of more than 4 GiB; archives are downloaded to a temporary folder,
so the disk has to have that much.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from tests.bench.fakes.fake_s3_client import FakeS3Client
from tests.bench.harness.processes import run_server
from tests.support.emulator import CREDENTIALS, ROOT, run_emulator
from zip_worker.archive.crc import combine

LARGE_JOB_BYTES = int(float(os.environ.get("LARGE_JOB_GB", "0.3")) * 10**9)
GIB, MB = 2**30, 10**6
KEPT_MIB = 24 if LARGE_JOB_BYTES <= 2 * 10**9 else 7
"""Parts up to this size the stand-in keeps in memory: of large archives only what surrounds copied parts."""
_RSS_LIMIT_MB = 256
_PIECE = 64 * MB


@dataclass(frozen=True)
class Place:
    """The stand-in for S3, and the emulator's table and queue."""

    fake_s3: FakeS3Client
    environment: dict[str, str]
    emulator: str

    def client(self, service: str) -> Any:
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        return session.client(service, endpoint_url=self.emulator)  # type: ignore[call-overload]

    def queue_job(self, job_id: str, **fields: str) -> None:
        item = {"jobId": job_id, "status": "PENDING", "phase": "queued", "sourceBucket": "source", "paths": "basename"}
        item |= {"targetBucket": "target", "targetKey": f"zips/{job_id}.zip", "onMissing": "fail", "prefix": "in/"}
        item |= {"compression": "stored"} | fields
        self.client("dynamodb").put_item(TableName="jobs", Item={name: {"S": value} for name, value in item.items()})
        queue_url = self.environment["QUEUE_URL"]
        self.client("sqs").send_message(QueueUrl=queue_url, MessageBody=json.dumps({"jobId": job_id}))

    def read_job(self, job_id: str) -> dict[str, str]:
        item = self.client("dynamodb").get_item(TableName="jobs", Key={"jobId": {"S": job_id}})["Item"]
        return {name: str(next(iter(value.values()))) for name, value in item.items()}

    def download(self, key: str, size: int, file: Path) -> int:
        """Write an object to a file, piece by piece; return its CRC-32."""
        connection = HTTPConnection("127.0.0.1", self.fake_s3.port, timeout=60)
        crc32 = 0
        with file.open("wb") as opened:
            for start in range(0, size, _PIECE):
                connection.request("GET", f"/{key}", headers={"Range": f"bytes={start}-{start + _PIECE - 1}"})
                piece = connection.getresponse().read()
                crc32 = zlib.crc32(piece, crc32)
                opened.write(piece)
        connection.close()
        return crc32


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with (
        run_server("tests.bench.fakes.fake_s3", "--keep-mib", "24", "--keep-parts-mib", str(KEPT_MIB)) as port,
        run_emulator(tmp_path_factory.mktemp("ministack")) as emulator,
    ):
        environment = CREDENTIALS | {
            "AWS_ENDPOINT_URL": emulator,
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, [ROOT, ROOT / "lambdas"])),
            "TABLE_NAME": "jobs",
            "MAX_RECEIVES": "3",
            "MALLOC_MMAP_THRESHOLD_": "1048576",  # as the Terraform sets it
        }
        made = Place(FakeS3Client(port), environment, emulator)
        environment["QUEUE_URL"] = made.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
        made.client("dynamodb").create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield made


def work(place: Place, job_id: str, settings: dict[str, str]) -> tuple[dict[str, str], float]:
    """Let a worker take the job to its end; return the job and the worker's peak memory in MB."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.loops.queue_loop"],
        cwd=ROOT,
        env=place.environment | settings,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 3000
    while (job := place.read_job(job_id))["status"] == "PENDING" and time.monotonic() < deadline:
        time.sleep(0.5)
    peak = measure_peak(worker.pid)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    return job, peak


def measure_peak(process_id: int) -> float:
    """Return a running process's peak memory in MB; rusage would begin with that of whoever forked it."""
    status = Path(f"/proc/{process_id}/status")
    if not status.exists():  # macOS: what it is now
        return float(psutil.Process(process_id).memory_info().rss) / MB
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / MB


def make_sources(place: Place, sizes: dict[str, int]) -> None:
    place.fake_s3.reset()
    for name, size in sizes.items():
        place.fake_s3.make(f"source/in/{name}", size, name)


@pytest.mark.slow
@pytest.mark.parametrize("threshold", ["10", "0"], ids=["copied", "streamed"])
def test_large_job_over_several_invocations_stays_small_in_memory(place: Place, threshold: str, tmp_path: Path) -> None:
    count = 10
    sizes = {f"{number}.bin": LARGE_JOB_BYTES // count + number for number in range(count)}
    make_sources(place, sizes)
    job_id = f"large-{threshold}"
    place.queue_job(job_id)
    # A quarter of the reads of 4 MiB, or of the copies of 256 MiB.
    steps = max(25, LARGE_JOB_BYTES // 2**24) if threshold == "0" else max(10, LARGE_JOB_BYTES // 2**30)
    settings = {"INVOCATION_STEPS": str(steps), "STOP_BEFORE_SECONDS": "10", "COPY_THRESHOLD_MB": threshold}
    job, peak = work(place, job_id, settings)

    assert job["status"] == "READY", job.get("error")
    print(f"{job['sizeBytes']} bytes, {job['bytesCopied']} copied, {int(job['hops']) + 1} invocations, {peak:.0f} MB")
    assert int(job["hops"]) >= 2, "at least three invocations"
    assert peak <= _RSS_LIMIT_MB
    assert int(job["bytesCopied"]) + int(job["bytesStreamed"]) == sum(sizes.values())
    parts = place.fake_s3.list_objects()[f"target/zips/{job_id}.zip"]
    assert sum(size for size, _ in parts) == int(job["sizeBytes"])
    assert all(size >= 5 * 2**20 for size, _ in parts[:-1])
    crc32 = 0
    for size, part in parts:
        crc32 = combine(crc32, part, size)
    assert f"{crc32:08x}" == job["crc32"], "what S3 has is what the worker counted"
    if threshold == "0" and KEPT_MIB < 8:
        return  # nobody keeps the bytes of so much
    file = tmp_path / "archive.zip"
    assert f"{place.download(f'target/zips/{job_id}.zip', int(job['sizeBytes']), file):08x}" == job["crc32"]
    run_tool(["unzip", "-tq", str(file)])
    file.unlink()


def run_tool(command: list[str]) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


TOOLS: dict[str, Callable[[Path], list[str]]] = {
    "unzip": lambda file: ["unzip", "-tq", str(file)],
    "7z": lambda file: ["7z", "t", str(file)],
    "bsdtar": lambda file: ["bsdtar", "-xOf", str(file), "z.bin"],
}


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("ZIP64") != "true", reason="takes minutes and 5 GB of disk: ZIP64=true")
@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"a.bin": 4 * GIB - 2, "z.bin": 99}, id="member-below"),
        pytest.param({"a.bin": 4 * GIB - 1, "z.bin": 99}, id="member-at-the-mark"),
        pytest.param({"a.bin": 4 * GIB + 1, "z.bin": 99}, id="member-above"),
        pytest.param({"a.bin": 2 * GIB, "b.bin": 2 * GIB + 5, "c.bin": 40 * MB, "z.bin": 99}, id="archive-above"),
    ],
)
def test_copied_archives_beyond_four_gibibytes_are_opened(
    place: Place, sizes: dict[str, int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    make_sources(place, sizes)
    job_id = request.node.callspec.id
    place.queue_job(job_id)
    job, _ = work(place, job_id, {})
    assert job["status"] == "READY", job.get("error")
    assert int(job["bytesCopied"]) > 4 * GIB - 20 * MB
    file = tmp_path / "archive.zip"
    assert f"{place.download(f'target/zips/{job_id}.zip', int(job['sizeBytes']), file):08x}" == job["crc32"]
    with zipfile.ZipFile(file) as archive:
        assert {info.filename: info.file_size for info in archive.infolist()} == sizes
    for name, command in TOOLS.items():
        if shutil.which(name):
            run_tool(command(file))
    file.unlink()

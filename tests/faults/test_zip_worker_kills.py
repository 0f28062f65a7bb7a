"""SIGKILL at random moments: the job ends READY, its archive is correct and nothing half-written stays."""

import io
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from tests.faults.support.figures import SEED, Figures, record
from tests.support.emulator import CREDENTIALS, ROOT, run_emulator
from tests.support.tiers import few_quick, scale

KILLS = int(os.environ.get("KILLS", str(scale(20))))
KILLS_PER_JOB = 12
MIB = 2**20


@dataclass(frozen=True)
class Deployment:
    """The worker's surroundings, and the environment that its process gets."""

    s3: S3Client
    dynamodb: DynamoDBClient
    queue_url: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with run_emulator(tmp_path_factory.mktemp("ministack")) as address:
        yield deploy(address)


def deploy(address: str) -> Deployment:
    """Make the worker's surroundings in an emulator."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    s3 = session.client("s3", endpoint_url=address)
    sqs = session.client("sqs", endpoint_url=address)
    dynamodb = session.client("dynamodb", endpoint_url=address)
    s3.create_bucket(Bucket="source")
    s3.create_bucket(Bucket="target")
    queue_url = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
    dynamodb.create_table(
        TableName="jobs",
        KeySchema=[{"AttributeName": "jobId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "jobId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    environment = CREDENTIALS | {
        "AWS_ENDPOINT_URL": address,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "lambdas"),
        "TABLE_NAME": "jobs",
        "QUEUE_URL": queue_url,
        "LEASE_SECONDS": "1",
        "MAX_RECEIVES": "1000",
        "S3_PART_SIZE": str(5 * MIB),
        "S3_READ_CHUNK": str(MIB),
        "COPY_THRESHOLD_MB": "10",
    }
    return Deployment(s3, dynamodb, queue_url, environment)


@pytest.fixture
def strict_deployment(deployment: Deployment) -> Deployment:
    """The same with a queue that gives three receives, and a worker slow enough to be killed between two beats."""
    sqs = make_sqs(deployment)
    dlq_url = sqs.create_queue(QueueName="strict-dlq")["QueueUrl"]
    dlq_arn = sqs.get_queue_attributes(QueueUrl=dlq_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": "3"})
    queue_url = sqs.create_queue(QueueName="strict", Attributes={"VisibilityTimeout": "900", "RedrivePolicy": redrive})[
        "QueueUrl"
    ]
    slow = {"LEASE_SECONDS": "4", "MAX_RECEIVES": "3", "READ_CONCURRENCY": "1", "S3_READ_CHUNK": "65536"}
    environment = deployment.environment | slow | {"QUEUE_URL": queue_url}
    return replace(deployment, queue_url=queue_url, environment=environment)


def make_sqs(deployment: Deployment) -> SQSClient:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    return session.client("sqs", endpoint_url=deployment.environment["AWS_ENDPOINT_URL"])


def put_sources(deployment: Deployment, dice: random.Random) -> dict[str, bytes]:
    """Many small objects and a few of several parts: about 70 MiB; of one of these S3 does not know the CRC-32."""
    sizes = [0, 1, 30 * MIB, 12 * MIB + 1, 22 * MIB] + [dice.randrange(100_000) for _ in range(150)]
    contents = {f"sources/{number:03d}.bin": dice.randbytes(size) for number, size in enumerate(sizes)}
    for key, body in contents.items():
        algorithm: Literal["SHA256", "CRC32"] = "SHA256" if key == "sources/004.bin" else "CRC32"
        deployment.s3.put_object(Bucket="source", Key=key, Body=body, ChecksumAlgorithm=algorithm)
    return contents


def queue_job(deployment: Deployment, job_id: str, *, compression: str = "stored", compute_crc: bool = False) -> None:
    item: dict[str, Any] = {
        "jobId": job_id,
        "status": "PENDING",
        "phase": "queued",
        "sourceBucket": "source",
        "targetBucket": "target",
        "targetKey": f"zips/{job_id}.zip",
        "prefix": "sources/",
        "paths": "basename",
        "onMissing": "fail",
        "compression": compression,
    }
    typed = {name: {"S": value} for name, value in item.items()} | {"computeCrc": {"BOOL": compute_crc}}
    deployment.dynamodb.put_item(TableName="jobs", Item=typed)
    make_sqs(deployment).send_message(QueueUrl=deployment.queue_url, MessageBody=json.dumps({"jobId": job_id}))


def start_worker(deployment: Deployment, log: Path) -> subprocess.Popen[str]:
    with log.open("a") as errors:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.loops.queue_loop"],
            cwd=ROOT,
            env=deployment.environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert worker.stdout
    assert worker.stdout.readline() == "up\n"
    return worker


def read_job(deployment: Deployment, job_id: str) -> dict[str, str]:
    item = deployment.dynamodb.get_item(TableName="jobs", Key={"jobId": {"S": job_id}}, ConsistentRead=True)["Item"]
    return {name: str(next(iter(value.values()))) for name, value in item.items()}


def kill(worker: subprocess.Popen[str]) -> None:
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert worker.stdout
    worker.stdout.close()


def kill_again_and_again(deployment: Deployment, job_id: str, dice: random.Random, log: Path, most: int) -> int:
    """Kill workers at their work on a job until it ends, or there were enough; return how many kills hit the work."""
    hits = 0
    for _ in range(min(most, KILLS_PER_JOB)):
        attempts = int(read_job(deployment, job_id).get("attempts", 0))
        worker = start_worker(deployment, log)
        wait_for_attempt(deployment, job_id, attempts + 1)
        time.sleep(dice.uniform(0, 1.5))
        kill(worker)
        if read_job(deployment, job_id)["status"] != "PENDING":
            break
        hits += 1
    return hits


def check_archive(deployment: Deployment, job: dict[str, str], contents: dict[str, bytes]) -> None:
    assert job["status"] == "READY", job.get("error")
    raw = deployment.s3.get_object(Bucket="target", Key=job["targetKey"])["Body"].read()
    assert (job["crc32"], job["sizeBytes"]) == (f"{zlib.crc32(raw):08x}", str(len(raw)))
    assert int(job["bytesCopied"]) + int(job["bytesStreamed"]) == sum(map(len, contents.values()))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert {f"sources/{name}": archive.read(name) for name in archive.namelist()} == contents


@pytest.mark.scaled
@pytest.mark.parametrize(
    ("compression", "compute_crc"), few_quick([("stored", False), ("stored", True), ("deflated", False)]), ids=str
)
def test_jobs_killed_at_random_moments_end_ready_and_correct(
    deployment: Deployment, compression: str, compute_crc: bool, tmp_path: Path
) -> None:
    """Workers that save their state whenever they can, and hand over after 1.5 s, if they live so long."""
    seed = f"{SEED}-{compression}-{compute_crc}"
    print(f"seed {seed}")
    dice = random.Random(seed)
    contents = put_sources(deployment, dice)
    settings = {"CHECKPOINT_SECONDS": "0", "INVOCATION_SECONDS": "2.5", "STOP_BEFORE_SECONDS": "1"}
    hasty = replace(deployment, environment=deployment.environment | settings | {"MAX_HOPS": "1000"})
    hits = hops = jobs = left = 0
    wanted = math.ceil(KILLS / 3)
    while hits < wanted:
        jobs += 1
        job_id = f"{compression}-{compute_crc}-{jobs}"
        queue_job(hasty, job_id, compression=compression, compute_crc=compute_crc)
        hits += kill_again_and_again(hasty, job_id, dice, tmp_path / "worker.log", wanted - hits)
        worker = start_worker(hasty, tmp_path / "worker.log")
        job = wait_until_ended(deployment, job_id)
        time.sleep(0.5)  # for what the worker removes after the job's end
        kill(worker)
        check_archive(deployment, job, contents)
        assert "Uploads" not in deployment.s3.list_multipart_uploads(Bucket="target")
        left += len(deployment.s3.list_objects_v2(Bucket="target", Prefix="zips/")["Contents"]) - 1
        hops += int(job.get("hops", 0))
        deployment.s3.delete_object(Bucket="target", Key=job["targetKey"])
    print(f"{hits} kills, {hops} handovers, {jobs} jobs")
    assert hops, "no worker lived to hand its job over"
    command = f"KILLS={KILLS} SEED={SEED} pytest tests/faults/test_zip_worker_kills.py"
    record(Figures("zip-jobs", "kills", SEED, hits, jobs, 0, left, 0, command))
    record(Figures("zip-jobs", "deadline", SEED, hops, jobs, 0, left, 0, command))


@pytest.mark.slow
def test_each_kill_costs_one_receive_only(strict_deployment: Deployment, tmp_path: Path) -> None:
    """A message that came back while its dead worker's lease lived would be received in vain."""
    dice = random.Random(SEED)
    put_sources(strict_deployment, dice)
    queue_job(strict_deployment, "strict-job")
    for attempt in (1, 2):
        worker = start_worker(strict_deployment, tmp_path / "worker.log")
        wait_for_attempt(strict_deployment, "strict-job", attempt)
        time.sleep(dice.uniform(0, 1.5))
        kill(worker)
        assert read_job(strict_deployment, "strict-job")["status"] == "PENDING"
    worker = start_worker(strict_deployment, tmp_path / "worker.log")
    job = wait_until_ended(strict_deployment, "strict-job")
    kill(worker)
    assert (job["status"], job["attempts"], job["receives"]) == ("READY", "3", "3")


def wait_for_attempt(deployment: Deployment, job_id: str, attempt: int) -> None:
    """Wait for the new worker to start on the job, unless the job has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        job = read_job(deployment, job_id)
        if job["status"] != "PENDING" or int(job.get("attempts", 0)) >= attempt:
            return
        time.sleep(0.02)
    pytest.fail("no worker took the job within 30 s")


def wait_until_ended(deployment: Deployment, job_id: str) -> dict[str, str]:
    deadline = time.monotonic() + 600  # a state is saved after each step, on a machine that may be busy
    while time.monotonic() < deadline:
        job = read_job(deployment, job_id)
        if job["status"] != "PENDING":
            return job
        time.sleep(0.2)
    pytest.fail(f"the job had not ended after 600 s: {read_job(deployment, job_id)}")

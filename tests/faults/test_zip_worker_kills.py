"""SIGKILL at random moments: the job ends READY, its archive is correct and nothing half-written stays."""

import io
import json
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

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from tests.emulator import CREDENTIALS, ROOT, run_emulator

KILLS = int(os.environ.get("KILLS", "20"))
JOBS = int(os.environ.get("KILL_JOBS", "1"))
SEED = int(os.environ.get("KILL_SEED", "20261121"))
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
        }
        yield Deployment(s3, dynamodb, queue_url, environment)


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
    """Many small objects and a few of several parts: about 50 MiB."""
    sizes = [0, 1, 30 * MIB, 12 * MIB + 1] + [dice.randrange(100_000) for _ in range(150)]
    contents = {f"sources/{number:03d}.bin": dice.randbytes(size) for number, size in enumerate(sizes)}
    for key, body in contents.items():
        deployment.s3.put_object(Bucket="source", Key=key, Body=body)
    return contents


def queue_job(deployment: Deployment, job_id: str) -> None:
    item = {
        "jobId": job_id,
        "status": "PENDING",
        "phase": "queued",
        "sourceBucket": "source",
        "targetBucket": "target",
        "targetKey": f"zips/{job_id}.zip",
        "prefix": "sources/",
        "paths": "basename",
        "onMissing": "fail",
        "compression": "stored",
    }
    deployment.dynamodb.put_item(TableName="jobs", Item={name: {"S": value} for name, value in item.items()})
    make_sqs(deployment).send_message(QueueUrl=deployment.queue_url, MessageBody=json.dumps({"jobId": job_id}))


def start_worker(deployment: Deployment, log: Path) -> subprocess.Popen[str]:
    with log.open("a") as errors:
        worker = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("queue_loop.py")],
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


@pytest.mark.parametrize("number", range(JOBS))
def test_job_killed_at_random_moments_ends_ready_and_correct(
    deployment: Deployment, number: int, tmp_path: Path
) -> None:
    print(f"seed {SEED + number}, {KILLS} kills")
    dice = random.Random(SEED + number)
    contents = put_sources(deployment, dice)
    job_id = f"job-{number}"
    queue_job(deployment, job_id)
    kills_at_work = 0
    for attempt in range(1, KILLS + 1):
        worker = start_worker(deployment, tmp_path / "worker.log")
        wait_for_attempt(deployment, job_id, attempt)
        time.sleep(dice.uniform(0, 0.8))
        kill(worker)
        kills_at_work += read_job(deployment, job_id)["status"] == "PENDING"
    worker = start_worker(deployment, tmp_path / "worker.log")
    job = wait_until_ended(deployment, job_id)
    kill(worker)

    print(f"{kills_at_work} of {KILLS} kills came before the end; the job took {job['attempts']} attempts")
    assert kills_at_work > KILLS / 4, "too few kills hit the work for this test to mean anything"
    assert job["status"] == "READY"
    raw = deployment.s3.get_object(Bucket="target", Key=job["targetKey"])["Body"].read()
    assert (job["crc32"], job["sizeBytes"]) == (f"{zlib.crc32(raw):08x}", str(len(raw)))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert {f"sources/{name}": archive.read(name) for name in archive.namelist()} == contents
    assert "Uploads" not in deployment.s3.list_multipart_uploads(Bucket="target")


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
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        job = read_job(deployment, job_id)
        if job["status"] != "PENDING":
            return job
        time.sleep(0.2)
    pytest.fail(f"the job had not ended after 120 s: {read_job(deployment, job_id)}")

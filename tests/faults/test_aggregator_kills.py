"""SIGKILL at claim, upload, commit and random moments, under duplicated, reordered and interleaved messages.

Each version of each source ends in exactly one bundle, or its message in the dead-letter queue.
"""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from data_aggregator.bundle.manifest import name_manifest, read_manifest
from tests.faults.support.figures import ROUNDS, SEED, Figures, record
from tests.support.emulator import CREDENTIALS, ROOT, run_emulator
from tests.support.tiers import scale
from verify_bundles.bucket_checks import BucketCheck

KILLS = int(os.environ.get("KILLS", str(scale(24))))
SOURCES = int(os.environ.get("SOURCES", str(scale(900))))
WORKERS = 3
STEP_SHARE = 0.75
"""Share of the kills at a chosen step; the others come at any moment."""
PATIENCE_SECONDS = 5.0
"""Seconds that a worker may take to reach its step before it is killed anyway."""
MAX_RECEIVES = 15
STEPS = [
    "before-parameter-build.s3.CreateMultipartUpload",
    "before-parameter-build.dynamodb.TransactWriteItems",
    "after-call.dynamodb.TransactWriteItems",
    "before-parameter-build.s3.UploadPart",
    "after-call.s3.UploadPart",
    "before-parameter-build.s3.PutObject",
    "after-call.s3.PutObject",
    "before-parameter-build.s3.CompleteMultipartUpload",
    "after-call.s3.CompleteMultipartUpload",
    "after-call.s3.CompleteMultipartUpload",
    "before-parameter-build.s3.AbortMultipartUpload",
    "after-call.s3.HeadObject",
    "before-parameter-build.sqs.ChangeMessageVisibility",
]

type Version = tuple[str, str]
"""Key and version id of a source."""


@dataclass(frozen=True)
class Deployment:
    """The function's surroundings, and the environment that its process gets."""

    s3: S3Client
    sqs: SQSClient
    dynamodb: DynamoDBClient
    queue_url: str
    dlq_url: str
    environment: dict[str, str]


@pytest.fixture
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with run_emulator(tmp_path_factory.mktemp("ministack")) as address:
        yield deploy(address)


def deploy(address: str) -> Deployment:
    """Make the function's surroundings in an emulator."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    config = Config(max_pool_connections=20, s3={"addressing_style": "path"})
    s3 = session.client("s3", endpoint_url=address, config=config)
    sqs = session.client("sqs", endpoint_url=address, config=config)
    dynamodb = session.client("dynamodb", endpoint_url=address, config=config)
    make_buckets(s3)
    queue_url, dlq_url = make_queues(sqs)
    dynamodb.create_table(
        TableName="idempotency",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    environment = CREDENTIALS | {
        "AWS_ENDPOINT_URL": address,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "lambdas"),
        "DISTRIBUTION_BUCKET_NAME": "distribution",
        "SERVICE_NAME": "data-aggregator",
        "IDEMPOTENCY_TABLE_NAME": "idempotency",
        "IDEMPOTENCY_TTL_DAYS": "21",
        "LOG_LEVEL": "DEBUG",
        "MAX_BUNDLE_INPUT_MB": "1",
        "QUEUE_URL": queue_url,
        "INVOCATION_SECONDS": "3",
        "STOP_BEFORE_SECONDS": "1",
        "CLAIM_GRACE_SECONDS": "1",
    }
    return Deployment(s3, sqs, dynamodb, queue_url, dlq_url, environment)


def make_buckets(s3: S3Client) -> None:
    for bucket in ("source", "distribution", "archive"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(
        Bucket="distribution",
        ReplicationConfiguration={
            "Role": "arn:aws:iam::000000000000:role/replication",
            "Rules": [
                {
                    "Status": "Enabled",
                    "Priority": 1,
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "Destination": {"Bucket": "arn:aws:s3:::archive"},
                }
            ],
        },
    )


def make_queues(sqs: SQSClient) -> tuple[str, str]:
    dlq_url = sqs.create_queue(QueueName="aggregator-dlq")["QueueUrl"]
    dlq_arn = sqs.get_queue_attributes(QueueUrl=dlq_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": str(MAX_RECEIVES)})
    attributes: dict[Any, str] = {"VisibilityTimeout": "4", "RedrivePolicy": redrive}
    return sqs.create_queue(QueueName="aggregator", Attributes=attributes)["QueueUrl"], dlq_url


def put_sources(
    deployment: Deployment, dice: random.Random, count: int = SOURCES
) -> tuple[dict[Version, bytes], list[dict[str, Any]]]:
    """Put objects, a tenth of them twice, some compressed, some empty; return their contents and event records."""
    contents: dict[Version, bytes] = {}
    records = []
    for number in range(count):
        key = f"in/{number:05d} +ü.{dice.choice(['log', 'log', 'log.gz'])}"
        for _ in range(1 + (dice.random() < 0.1)):
            content = b"".join(b"%x line\n" % dice.getrandbits(64) for _ in range(dice.choice([0, 1, 50, 2000])))
            content += dice.choice([b"", b"no newline"])
            body = gzip.compress(content) if key.endswith(".gz") else content
            version = deployment.s3.put_object(Bucket="source", Key=key, Body=body)["VersionId"]
            contents[key, version] = content
            item = {"key": key.replace("+", "%2B").replace(" ", "+"), "versionId": version, "size": len(body)}
            records.append({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "source"}, "object": item}})
    return contents, records


def send_messages(deployment: Deployment, records: list[dict[str, Any]], dice: random.Random) -> None:
    """Send every record at least once, many twice or more, several in one message, in no order."""
    doubled = records + dice.choices(records, k=len(records) // 2)
    dice.shuffle(doubled)
    bodies = []
    while doubled:
        count = dice.choice([1, 1, 1, 3])
        bodies.append(json.dumps({"Records": doubled[:count]}))
        doubled = doubled[count:]
    send_bodies(deployment, bodies)


def send_bodies(deployment: Deployment, bodies: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda body: deployment.sqs.send_message(QueueUrl=deployment.queue_url, MessageBody=body), bodies)
        )


class Workers:
    """Several processes that work on the queue, one of which is killed now and then."""

    def __init__(self, deployment: Deployment, folder: Path, dice: random.Random) -> None:
        self._deployment = deployment
        self._folder = folder
        self._dice = dice
        self._running: list[tuple[subprocess.Popen[bytes], str]] = []
        self.killed_at: Counter[str] = Counter()

    def start(self, *, mortal: bool) -> None:
        kill_at = f"{self._dice.choice(STEPS)} {self._dice.choice([1, 1, 1, 2])}" if mortal else ""
        with (self._folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.loops.aggregator_loop"],
                cwd=ROOT,
                env=self._deployment.environment | {"KILL_AT": kill_at},
                stdout=log,
                stderr=log,
            )
        self._running.append((process, kill_at))

    def kill_one(self) -> None:
        """Wait for one to kill itself, or kill one at a random moment; start another."""
        waits = self._dice.random() < STEP_SHARE
        deadline = time.monotonic() + (PATIENCE_SECONDS if waits else self._dice.uniform(0, 1))
        ended: list[int] = []
        while not ended and time.monotonic() < deadline:
            time.sleep(0.05)
            ended = [place for place, (process, _) in enumerate(self._running) if process.poll() is not None]
        position = ended[0] if ended else self._dice.randrange(len(self._running))
        process, kill_at = self._running.pop(position)
        died_by_itself = process.poll() == -signal.SIGKILL
        assert process.poll() in {None, -signal.SIGKILL}, (self._folder / "worker.log").read_text()[-3000:]
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.killed_at[kill_at.rpartition(" ")[0] if died_by_itself else "a random moment"] += 1
        self.start(mortal=True)

    def stop(self) -> None:
        for process, _ in self._running:
            process.kill()
            process.wait()
        self._running.clear()


def wait_until_empty(deployment: Deployment) -> None:
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + 240
    looks: list[bool] = []
    while looks[-3:] != [True] * 3:
        assert time.monotonic() < deadline, "the queue is not empty"
        attributes = deployment.sqs.get_queue_attributes(QueueUrl=deployment.queue_url, AttributeNames=names)
        looks.append(set(attributes["Attributes"].values()) == {"0"})
        time.sleep(0.3)


def read_dead_letters(deployment: Deployment) -> list[str]:
    bodies: list[str] = []
    while messages := deployment.sqs.receive_message(QueueUrl=deployment.dlq_url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        bodies += [message["Body"] for message in messages]
    return bodies


def read_bundled(deployment: Deployment) -> dict[Version, list[bytes]]:
    """Return what the bundles hold of each version, taken out by their manifests."""
    found: dict[Version, list[bytes]] = {}
    pages = deployment.s3.get_paginator("list_objects_v2").paginate(Bucket="distribution")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    for key in (key for key in keys if key.endswith(".gz")):
        raw = deployment.s3.get_object(Bucket="distribution", Key=key)["Body"].read()
        data = subprocess.run(["gzip", "-dc"], input=raw, capture_output=True, check=True).stdout
        manifest = read_manifest(deployment.s3.get_object(Bucket="distribution", Key=name_manifest(key))["Body"].read())
        for entry in manifest["sources"]:
            piece = data[entry["offset"] : entry["offset"] + entry["length"]]
            found.setdefault((entry["key"], entry["version_id"] or ""), []).append(piece)
    return found


@pytest.mark.scaled
@pytest.mark.parametrize("trial", range(ROUNDS))
def test_killed_workers_leave_each_source_in_exactly_one_bundle(
    deployment: Deployment, tmp_path: Path, trial: int
) -> None:
    print(f"seed {SEED + trial}, {KILLS} kills")
    dice = random.Random(SEED + trial)
    contents, records = put_sources(deployment, dice)
    workers = Workers(deployment, tmp_path, dice)
    try:
        for _ in range(WORKERS):
            workers.start(mortal=True)
        send_bodies(deployment, ["poison"])
        for wave in range(KILLS):
            send_messages(deployment, records[wave::KILLS], dice)
            workers.kill_one()
        workers.stop()
        for _ in range(WORKERS):
            workers.start(mortal=False)
        wait_until_empty(deployment)
    finally:
        workers.stop()

    dead = read_dead_letters(deployment)
    bundled = read_bundled(deployment)
    check = BucketCheck(deployment.s3, "distribution", prefix="", grace_seconds=0)
    check.check_bundles(contents=True)
    check.check_archive("archive")
    findings = check.findings
    log = (tmp_path / "worker.log").read_text()
    print(f"{len(contents)} versions, {findings.bundles} bundles, {len(dead)} dead letters, kills: {workers.killed_at}")
    print(f"recovered claims: {log.count('claim_recovered')}, taken over: {log.count('"bundled":false')}")
    assert findings.problems == []
    assert {version: [content] for version, content in contents.items() if version in bundled} == bundled
    lost = [version for version in contents if version not in bundled and not is_named(version, dead)]
    assert lost == []
    assert dead.count("poison") == 1
    assert "claims_lost" not in log
    command = f"KILLS={KILLS} SEED={SEED + trial} pytest tests/faults/test_aggregator_kills.py"
    kills = workers.killed_at.total()
    record(Figures("data-aggregator", "kills", SEED + trial, kills, len(contents), len(lost), 0, 0, command))


def is_named(version: Version, bodies: list[str]) -> bool:
    return any(version[1] in body for body in bodies)

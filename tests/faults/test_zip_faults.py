"""ZIP jobs while S3 and DynamoDB misbehave: each job ends READY with one archive that holds its objects.

Every message is sent twice. SEED and ROUNDS vary it.
"""

import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.faults.support.fault_proxy import DYNAMODB_KINDS, S3_KINDS, FaultProxy, run_fault_proxy
from tests.faults.support.figures import ROUNDS, SEED, Figures, record
from tests.faults.test_zip_worker_kills import (
    MIB,
    Deployment,
    deploy,
    make_sqs,
    queue_job,
    read_job,
)
from tests.support.emulator import ROOT, run_emulator
from tests.support.tiers import few_quick

COMPRESSIONS = ("stored", "deflated")
SECONDS = 240
"""More than a job takes that is given back again and again."""


@dataclass(frozen=True)
class Jobs:
    """The deployment, the faults, and what the sources hold."""

    deployment: Deployment
    proxy: FaultProxy
    contents: dict[str, bytes]
    folder: Path


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    folder = tmp_path_factory.mktemp("jobs")
    with run_emulator(tmp_path_factory.mktemp("ministack")) as address, run_fault_proxy(address) as proxy:
        made = deploy(address)
        places = {"AWS_ENDPOINT_URL_S3": proxy.url, "AWS_ENDPOINT_URL_DYNAMODB": proxy.url}
        deployment = replace(made, environment=made.environment | places)
        with (folder / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.faults.loops.queue_loop"]
            worker = subprocess.Popen(command, cwd=ROOT, env=deployment.environment, stdout=log, stderr=log)
        try:
            yield Jobs(deployment, proxy, put_sources(deployment), folder)
        finally:
            worker.kill()
            worker.wait()


def put_sources(deployment: Deployment) -> dict[str, bytes]:
    """Put small objects, one of two parts, and one that is copied."""
    dice = random.Random(SEED)
    sizes = [0, 1, 7 * MIB, 12 * MIB] + [dice.randrange(100_000) for _ in range(12)]
    contents = {f"sources/{number:03d}.bin": dice.randbytes(size) for number, size in enumerate(sizes)}
    for key, body in contents.items():
        deployment.s3.put_object(Bucket="source", Key=key, Body=body, ChecksumAlgorithm="CRC32")
    return contents


def run(jobs: Jobs, name: str) -> list[str]:
    """Have a job of each compression done; return their ids."""
    ids = [f"{name}-{compression}" for compression in COMPRESSIONS]
    for _ in range(2):
        for job_id, compression in zip(ids, COMPRESSIONS, strict=True):
            if not is_queued(jobs, job_id):
                queue_job(jobs.deployment, job_id, compression=compression)
            else:
                body = f'{{"jobId": "{job_id}"}}'
                make_sqs(jobs.deployment).send_message(QueueUrl=jobs.deployment.queue_url, MessageBody=body)
    deadline = time.monotonic() + SECONDS
    while any(read_job(jobs.deployment, job_id)["status"] == "PENDING" for job_id in ids):
        assert time.monotonic() < deadline, f"not ended after {SECONDS} s: {ids}"
        time.sleep(0.2)
    return ids


def is_queued(jobs: Jobs, job_id: str) -> bool:
    return "Item" in jobs.deployment.dynamodb.get_item(TableName="jobs", Key={"jobId": {"S": job_id}})


def count(jobs: Jobs, ids: list[str]) -> tuple[int, int, int]:
    """Return how many jobs have no archive, more than one, and one that is not right."""
    lost = corrupt = 0
    for job_id in ids:
        job = read_job(jobs.deployment, job_id)
        print(f"{job_id}: {job['status']} after {job.get('attempts')} attempts; {job.get('error', '')}")
        if job["status"] != "READY":
            lost += 1
            continue
        file = jobs.folder / f"{job_id}.zip"
        jobs.deployment.s3.download_file("target", job["targetKey"], str(file))
        corrupt += not is_right(file, jobs.contents)
        file.unlink()
    listed = jobs.deployment.s3.list_objects_v2(Bucket="target", Prefix="zips/").get("Contents", [])
    for item in listed:
        jobs.deployment.s3.delete_object(Bucket="target", Key=item["Key"])
    return lost, max(0, len(listed) - (len(ids) - lost)), corrupt


def is_right(file: Path, contents: dict[str, bytes]) -> bool:
    if shutil.which("unzip") and subprocess.run(["unzip", "-tq", file], capture_output=True, check=False).returncode:
        return False
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        return len(names) == len(contents) and {f"sources/{name}": archive.read(name) for name in names} == contents


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
@pytest.mark.parametrize(
    ("service", "kind"),
    [*few_quick(("s3", kind) for kind in S3_KINDS), *few_quick(("dynamodb", kind) for kind in DYNAMODB_KINDS)],
)
def test_jobs_end_ready_while_a_service_misbehaves(jobs: Jobs, service: str, kind: str, seed: int) -> None:
    with jobs.proxy.failing(kind, service, seed, rate=0.2) as plan:
        ids = run(jobs, f"{service}-{kind}-{seed}")
        injected = plan.injected.total()
    command = f"SEED={seed} pytest tests/faults/test_zip_faults.py -k '{service} and {kind}'"
    record(Figures("zip-jobs", f"{service} {kind}", seed, injected, len(ids), *count(jobs, ids), command))


def test_messages_that_come_twice_make_one_archive(jobs: Jobs) -> None:
    ids = run(jobs, "twice")
    command = "pytest tests/faults/test_zip_faults.py -k twice"
    record(Figures("zip-jobs", "messages", SEED, len(ids), len(ids), *count(jobs, ids), command))

"""Messages that are wrong, that come twice, or whose worker dies."""

import json
import random
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from tests.e2e.archives import hash_bytes, read_with_python
from tests.e2e.stack import Stack, wait_until

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# For an emulator in a container whose processes this user may not signal. Prints the ids of what it killed.
KILL_WORKERS = """
import os, pathlib
for file in pathlib.Path("/proc").glob("[0-9]*/environ"):
    try:
        names = [line for line in file.read_bytes().split(b"\\0") if line.startswith(b"AWS_LAMBDA_FUNCTION_NAME=")]
    except OSError:
        continue
    if names and names[0].endswith(b"-zip-worker"):
        os.kill(int(file.parent.name), 9)
        print(file.parent.name)
"""


@pytest.mark.parametrize(
    "form", ["no JSON: {marker}", '{{"note": "{marker}"}}', '{{"jobId": "{marker}"}}', '["{marker}"]']
)
def test_malformed_message_ends_in_the_dead_letter_queue_alone(stack: Stack, prefix: str, form: str) -> None:
    keys = stack.put_objects({f"{prefix}one.pdf": b"x"})
    marker = str(uuid.uuid4())
    body = form.format(marker=marker)

    stack.send_message(body)
    job = stack.finish_job(keys=keys)

    assert job["files"] == 1
    message = wait_until(lambda: find_dead_letter(stack, marker), "the message in the dead-letter queue", 120)
    assert message["Body"] == body
    stack.sqs.delete_message(QueueUrl=stack.outputs["zip_dlq_url"], ReceiptHandle=message["ReceiptHandle"])


def find_dead_letter(stack: Stack, marker: str) -> "MessageTypeDef | None":
    answer = stack.sqs.receive_message(
        QueueUrl=stack.outputs["zip_dlq_url"], MaxNumberOfMessages=10, VisibilityTimeout=2, WaitTimeSeconds=1
    )
    found = [message for message in answer.get("Messages", []) if marker in message["Body"]]
    return found[0] if found else None


def test_message_of_a_ready_job_that_comes_again_does_nothing(stack: Stack, prefix: str) -> None:
    keys = stack.put_objects({f"{prefix}{number}.pdf": b"x" * number for number in range(5)})
    job = stack.finish_job(keys=keys)
    before = stack.s3.head_object(Bucket=stack.target, Key=job["targetKey"])
    item = stack.read_item(job["jobId"])

    stack.send_message(json.dumps({"jobId": job["jobId"]}))
    stack.wait_for_empty_queue()

    after = stack.s3.head_object(Bucket=stack.target, Key=job["targetKey"])
    for name in ("ETag", "LastModified", "ContentLength"):
        assert after[name] == before[name]
    assert after.get("VersionId") == before.get("VersionId")
    assert len(stack.list_versions(job["targetKey"])) == 1
    assert stack.list_uploads(job["jobId"]) == []
    assert stack.read_item(job["jobId"]) == item


def test_second_message_of_a_running_job_makes_no_second_archive(stack: Stack, prefix: str, tmp_path: Path) -> None:
    noise = random.Random(3).randbytes(4 * 1024 * 1024)
    (key,) = stack.put_objects({f"{prefix}noise.bin": noise})
    job_id = stack.create_job(keys=[key] * 20, compression="deflated")

    for _ in range(3):
        stack.send_message(json.dumps({"jobId": job_id}))
    job = stack.wait_for_end(job_id)
    stack.wait_for_empty_queue()

    assert job["status"] == "READY", job
    assert len(stack.list_versions(job["targetKey"])) == 1
    assert stack.list_uploads(job_id) == []
    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    assert list(contents.values()) == [hash_bytes(noise)] * 20


def test_killed_worker_costs_time_but_no_job(stack: Stack, prefix: str, tmp_path: Path) -> None:
    if not stack.is_local:
        pytest.skip("a worker can be killed on this machine only")
    noise = {f"{prefix}{number}.bin": random.Random(number).randbytes(8 * 1024 * 1024) for number in range(15)}
    keys = stack.put_objects(noise)
    job_id = stack.create_job(keys=keys * 2, compression="deflated")
    wait_until(lambda: stack.list_uploads(job_id), "the job to be worked on", pause=0.05)

    killed = kill_workers(stack)
    state_then = stack.get_job(job_id)
    job = stack.wait_for_end(job_id)
    stack.wait_for_empty_queue()

    assert killed, "no process of the worker was found"
    assert state_then["status"] == "PENDING", "the job had ended before its worker died"
    assert job["status"] == "READY", job
    assert int(stack.read_item(job_id)["attempts"]["N"]) >= 2
    assert len(stack.list_versions(job["targetKey"])) == 1
    assert stack.list_uploads(job_id) == []
    contents = read_with_python(stack.download(job, tmp_path / "archive.zip"), tmp_path)
    assert sorted(contents.values()) == sorted(hash_bytes(content) for content in noise.values() for _ in range(2))


def kill_workers(stack: Stack) -> list[int]:
    """Kill the processes that run this stack's worker function; return their process ids."""
    killed = []
    for process in find_workers(stack):
        process.send_signal(signal.SIGKILL)
        killed.append(process.pid)
    return killed or kill_contained_workers(stack)


def kill_contained_workers(stack: Stack) -> list[int]:
    """Kill the processes that run the worker function in the container that has this stack's port."""
    if shutil.which("docker") is None:
        return []
    port = urlsplit(stack.outputs["aws_endpoint_url"]).port
    killed = []
    for container in ask_docker("ps", "--quiet", "--filter", f"publish={port}"):
        killed += ask_docker("exec", container, "python3", "-c", KILL_WORKERS)
    return [int(process) for process in killed]


def ask_docker(*arguments: str) -> list[str]:
    """Return the words that a docker command prints; none if it fails."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stdout.split()


def find_workers(stack: Stack) -> Iterator[psutil.Process]:
    """Yield the children of this stack's MiniStack that run the worker, as their environment tells.

    Those in a container are seen, too, by who may read their environment.
    """
    port = str(urlsplit(stack.outputs["aws_endpoint_url"]).port)
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            parent = process.parent()
        except psutil.Error:
            continue
        name = environment.get("AWS_LAMBDA_FUNCTION_NAME", "")
        belongs = environment.get("GATEWAY_PORT") == port and parent is not None
        if belongs and name.endswith("-zip-worker"):
            yield process

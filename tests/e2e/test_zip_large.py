"""Large objects are copied inside S3; large jobs take more than one invocation."""

import random
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.archives import READERS, Contents, hash_bytes
from tests.e2e.stack import JOB_SECONDS, Stack, wait_until

MIB = 1024 * 1024
_TIMEOUT = 20
"""Seconds, of which two are for work."""


@pytest.fixture
def objects(prefix: str) -> dict[str, bytes]:
    """Two that are worth copying, and small neighbours."""
    noise = random.Random(11)
    sizes = {"a.bin": 40 * MIB, "b.txt": 10, "c.bin": 33 * MIB + 1, "d.txt": 100_000}
    return {prefix + name: noise.randbytes(size) for name, size in sizes.items()}


@pytest.mark.parametrize("read", READERS)
def test_every_tool_reads_an_archive_of_copied_parts(
    stack: Stack, objects: dict[str, bytes], tmp_path: Path, read: Callable[[Path, Path], Contents]
) -> None:
    job = stack.finish_job(keys=stack.put_objects(objects))

    assert job["bytesCopied"] > 60 * MIB
    assert job["bytesCopied"] + job["bytesStreamed"] == sum(map(len, objects.values()))
    archive = stack.download(job, tmp_path / "archive.zip")
    assert f"{zlib.crc32(archive.read_bytes()):08x}" == job["crc32"]
    (tmp_path / "extracted").mkdir()
    expected = {key.rpartition("/")[2]: hash_bytes(body) for key, body in objects.items()}
    assert read(archive, tmp_path / "extracted") == expected


def test_object_whose_checksum_s3_does_not_know_is_copied_where_the_caller_allows(stack: Stack, prefix: str) -> None:
    body = random.Random(12).randbytes(34 * MIB)
    stack.s3.put_object(Bucket=stack.source, Key=f"{prefix}a.bin", Body=body, ChecksumAlgorithm="SHA256")

    streamed = stack.finish_job(keys=[f"{prefix}a.bin"])
    copied = stack.finish_job(keys=[f"{prefix}a.bin"], computeCrc=True)

    assert (streamed["bytesCopied"], streamed["bytesStreamed"]) == (0, len(body))
    assert copied["bytesCopied"] > 28 * MIB
    assert copied["crc32"] == streamed["crc32"], "the same bytes"


@pytest.fixture
def short_invocations(stack: Stack) -> Iterator[None]:
    """Let the worker stop after two seconds; all is as it was afterwards."""
    if not stack.is_local:
        pytest.skip("the worker's settings are changed on the offline stack only")
    names = [each["FunctionName"] for page in stack.functions.get_paginator("list_functions").paginate()
             for each in page["Functions"]]  # fmt: skip
    (name,) = [each for each in names if each.endswith("-zip-worker")]
    before = stack.functions.get_function_configuration(FunctionName=name)
    variables = dict(before["Environment"]["Variables"])
    change(stack, name, _TIMEOUT, variables | {"STOP_BEFORE_SECONDS": str(_TIMEOUT - 2), "CHECKPOINT_SECONDS": "1"})
    yield
    change(stack, name, before["Timeout"], variables)


def change(stack: Stack, name: str, timeout: int, variables: dict[str, str]) -> None:
    stack.functions.update_function_configuration(
        FunctionName=name, Timeout=timeout, Environment={"Variables": variables}
    )

    def look() -> Any:
        state = stack.functions.get_function_configuration(FunctionName=name)
        return state if state.get("LastUpdateStatus", "Successful") == "Successful" else None

    wait_until(look, "the worker's new settings", 30)


@pytest.mark.usefixtures("short_invocations")
def test_job_goes_on_in_further_invocations(stack: Stack, prefix: str, tmp_path: Path) -> None:
    noise = random.Random(13).randbytes(8 * MIB)
    (key,) = stack.put_objects({f"{prefix}noise.bin": noise})
    job_id = stack.create_job(keys=[key] * 60, compression="deflated")
    seen: list[int] = []

    def look() -> Any:
        job = stack.get_job(job_id)
        seen.append(job.get("bytesDone", 0))
        return job if job["status"] != "PENDING" else None

    job = wait_until(look, "the job's end", JOB_SECONDS)

    assert job["status"] == "READY", job
    item = stack.read_item(job_id)
    assert int(item["hops"]["N"]) >= 2
    assert seen[:-1] == sorted(seen[:-1]), "progress never goes back"
    archive = stack.download(job, tmp_path / "archive.zip")
    assert f"{zlib.crc32(archive.read_bytes()):08x}" == job["crc32"]
    assert READERS[0](archive, tmp_path)["noise (60).bin"] == hash_bytes(noise)
    stack.wait_for_empty_queue()
    assert stack.list_uploads(job_id) == []
    states = stack.s3.list_objects_v2(Bucket=stack.target, Prefix=f".zip-jobs/{job_id}")
    assert "Contents" not in states


@pytest.mark.usefixtures("short_invocations")
def test_job_may_be_cancelled_between_two_invocations(stack: Stack, prefix: str) -> None:
    (key,) = stack.put_objects({f"{prefix}noise.bin": random.Random(14).randbytes(8 * MIB)})
    job_id = stack.create_job(keys=[key] * 60, compression="deflated")
    wait_until(lambda: "hops" in stack.read_item(job_id), "a handover", 60, 0.1)
    time.sleep(0.1)

    assert stack.call("DELETE", f"/zip-jobs/{job_id}").status_code == 200

    wait_until(lambda: not stack.list_uploads(job_id), "the upload to be aborted", 30)
    stack.wait_for_empty_queue()
    assert stack.list_versions(f"zips/{job_id}") == []
    states = stack.s3.list_objects_v2(Bucket=stack.target, Prefix=f".zip-jobs/{job_id}")
    assert "Contents" not in states

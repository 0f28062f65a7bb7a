"""Operators' commands against the deployed stack."""

import json
import subprocess
import uuid
from pathlib import Path

from tests.e2e.stack import ROOT, Stack, wait_until
from tests.e2e.test_scripts import run_script

SECONDS = 120


def count_messages(stack: Stack, queue_url: str) -> int:
    found = stack.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    waiting, taken = found["ApproximateNumberOfMessages"], found["ApproximateNumberOfMessagesNotVisible"]
    return int(waiting) + int(taken)


def test_dead_letter_is_listed_and_goes_back_to_its_queue(stack: Stack, tmp_path: Path) -> None:
    bucket, dlq_url = stack.outputs["aggregator_source_bucket"], stack.outputs["aggregator_dlq_url"]
    key = f"gone/{uuid.uuid4()}.txt"  # the function has done with an object that is not there
    stack.sqs.send_message(QueueUrl=dlq_url, MessageBody=json.dumps({"bucket": bucket, "key": key}))
    listed = run_script("redrive.sh", "--match", key, dlq_url, folder=tmp_path)
    assert f"s3://{bucket}/{key}" in listed
    assert "nothing was changed" in listed

    before = count_messages(stack, dlq_url)
    assert "1 sent back, 0 left" in run_script("redrive.sh", "--send", "--match", key, dlq_url, folder=tmp_path)
    assert count_messages(stack, dlq_url) == before - 1
    queue_url = stack.outputs["aggregator_queue_url"]
    wait_until(lambda: count_messages(stack, queue_url) == 0, "the function's taking the message", SECONDS, pause=1)


def list_smoke(stack: Stack) -> set[str]:
    """Keys of smoke tests in the buckets that they put sources into."""
    names = ("zip_source_bucket", "csv_bucket", "aggregator_source_bucket", "xapi_bucket", "dataset_bucket")
    buckets = [stack.outputs[name] for name in names if stack.outputs.get(name)]
    listings = [stack.s3.get_paginator("list_object_versions").paginate(Bucket=bucket) for bucket in buckets]
    keys = {item["Key"] for pages in listings for page in pages for item in page.get("Versions", [])}
    return {key for key in keys if "smoke-" in key}


def test_smoke_test_passes_and_leaves_nothing(stack: Stack) -> None:
    before = list_smoke(stack)
    # Without an end of its own: on a busy machine all five take minutes.
    done = subprocess.run([ROOT / "scripts/smoke.sh"], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("all as it has to be\n"), done.stdout + done.stderr
    assert list_smoke(stack) == before

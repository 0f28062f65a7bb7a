"""Prints a finished ZIP job and the commands that repeat each of its steps by hand."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from lib.common.demo_notes import note
from lib.common.units import describe_bytes, describe_rate

_BODY_SHOWN = 300
_AUTH_OPTIONS = {
    "AWS_IAM": (
        '--aws-sigv4 "aws:amz:{region}:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
        '-H "x-amz-security-token: $AWS_SESSION_TOKEN" '
    ),
    "JWT": '-H "Authorization: Bearer $API_TOKEN" ',
    "NONE": "",
}
_GET_URL = """grep -o '"downloadUrl": *"[^"]*' | cut -d '"' -f 4"""


def write_commands(job_id: str, body: dict[str, Any], variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each curl command with its purpose; credentials appear as variable names only."""
    auth = _AUTH_OPTIONS[variables["API_AUTH"]].format(region=variables["AWS_REGION"])
    base = variables["API_BASE"]
    jobs = f"{base}/zip-jobs"
    create = shlex.quote(_shorten(body))
    yield "create a job", f"curl -sS {auth}-X POST {jobs} -H 'Content-Type: application/json' -d {create}"
    yield "look how far it is", f"curl -sS {auth}{jobs}/{job_id}"
    # Each GET returns a new presigned URL, so this line still works after an older URL has expired.
    yield "download its archive", f'curl -o archive.zip "$(curl -sS {auth}{jobs}/{job_id} | {_GET_URL})"'
    yield "cancel a job, or delete its archive", f"curl -sS {auth}-X DELETE {jobs}/{job_id}"
    yield "list the newest jobs", f"curl -sS {auth}'{jobs}?limit=5'"


def describe_job(job: dict[str, Any], archive: Path, download_seconds: float) -> Iterator[tuple[str, str]]:
    """Yield labels and values of a READY job and its download."""
    seconds = (datetime.fromisoformat(job["completedAt"]) - datetime.fromisoformat(job["createdAt"])).total_seconds()
    size = job["sizeBytes"]
    rate = f"{describe_rate(size, seconds)}, {job['files'] / seconds:.0f} files/s" if seconds > 0 else "-"
    yield "Job", job["jobId"]
    yield "Archive in S3", f"s3://{job['targetBucket']}/{job['targetKey']}"
    yield "Files", f"{job['files']}" + (f" ({job['skipped']} skipped)" if job["skipped"] else "")
    yield "Size", f"{describe_bytes(size)} ({size} bytes), CRC-32 {job['crc32']}"
    yield "From request to READY", f"{seconds:.1f} s ({rate})"
    yield "Download", f"{download_seconds:.1f} s ({describe_rate(size, download_seconds)})"
    yield "Archive here", str(archive)


def _shorten(body: dict[str, Any]) -> str:
    text = json.dumps(body)
    if len(text) > _BODY_SHOWN and "keys" in body:
        return json.dumps({**body, "keys": body["keys"][:2]})
    return text


def main() -> int:
    """Run from the command line: ``ANSWER_FILE BODY_FILE ARCHIVE DOWNLOAD_SECONDS VERIFIED_WITH``."""
    parser = argparse.ArgumentParser()
    for name in ("answer", "body", "archive"):
        parser.add_argument(name, type=Path)
    parser.add_argument("download_seconds", type=float)
    parser.add_argument("verified_with")
    arguments = parser.parse_args()
    job, body = (json.loads(file.read_text(encoding="utf-8")) for file in (arguments.answer, arguments.body))
    facts = [
        *describe_job(job, arguments.archive, arguments.download_seconds),
        ("Verified with", arguments.verified_with),
    ]
    commands = list(write_commands(job["jobId"], body, os.environ))
    for label, value in facts:
        note("fact", label, value)
    if "SLUICE_FACTS" not in os.environ:  # else the summary will say it
        _print_report(facts, commands)
    return 0


def _print_report(facts: list[tuple[str, str]], commands: list[tuple[str, str]]) -> None:
    for label, value in facts:
        print(f"{label + ':':<24}{value}")
    print("\nThe same by hand:")
    for what, command in commands:
        print(f"\n# {what}\n{command}")


if __name__ == "__main__":
    sys.exit(main())

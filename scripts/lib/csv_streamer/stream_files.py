"""Invokes the CSV streamer and shows the progress of its files, from log events and uploaded parts."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from lib.common.clients import make_s3_client
from lib.common.demo_notes import note
from lib.common.units import describe_bytes, describe_rate

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client

_LAMBDA_SECONDS = 910
_PAUSE_SECONDS = 0.4
_LOGS_SECONDS = 30
_COLUMNS = (TextColumn("{task.description:<22}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())


class StreamError(RuntimeError):
    """The invocation failed; the message says why."""


@dataclass
class Invocation:
    """One synchronous invocation that runs in a thread."""

    answer: dict[str, Any] | None = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)


def invoke(functions: LambdaClient, function: str, urls: list[str]) -> Invocation:
    """Start an invocation for ``urls``; without URLs the function's parameters name the files."""
    invocation = Invocation()
    event = {"file_urls": urls} if urls else {}

    def work() -> None:
        try:
            raw = functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())
            payload = json.loads(raw["Payload"].read())
            if raw.get("FunctionError"):
                invocation.error = StreamError(f"{function} failed: {payload.get('errorMessage', payload)}")
            else:
                invocation.answer = {**json.loads(payload["body"]), "statusCode": payload["statusCode"]}
        except (ClientError, BotoCoreError) as error:
            invocation.error = error
        finally:
            invocation.done.set()

    threading.Thread(target=work, daemon=True).start()
    return invocation


class Watch:
    """Progress bars, one for each file in progress."""

    def __init__(
        self,
        progress: Progress,
        s3: S3Client,
        logs: CloudWatchLogsClient,
        bucket: str,
        group: str,
        sizes: dict[str, int],
    ) -> None:
        self._progress = progress
        self._s3 = s3
        self._logs = logs
        self._bucket = bucket
        self._group = group
        self._since = int(time.time() * 1000) - 1000
        self._sizes = sizes
        self._bars: dict[str, TaskID] = {}
        self._events: list[dict[str, Any]] = []

    def look(self) -> None:
        """Update the bars with events and parts since the last call."""
        self._read_events()
        for event in self._events:
            if key := event.get("s3_key"):
                self._draw(key, event.get("bytes"), event.get("expected"))
        # An emulator delivers log lines only after the invocation; S3 lists the parts at once.
        for upload in self._s3.list_multipart_uploads(Bucket=self._bucket).get("Uploads", []):
            try:
                parts = self._s3.list_parts(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            except ClientError:
                continue  # completed since the listing
            self._draw(upload["Key"], sum(part["Size"] for part in parts.get("Parts", [])), None)

    def read_to_the_end(self, run: str) -> list[dict[str, Any]]:
        """Return the log events of an invocation; the last ones may arrive seconds after the response."""
        deadline = time.monotonic() + _LOGS_SECONDS
        while True:
            self.look()
            # Others may invoke the function at the same time.
            ours = [event for event in self._events if event.get("aws_request_id") == run]
            if time.monotonic() > deadline or any(event["event"] == "lambda_complete" for event in ours):
                return ours
            time.sleep(_PAUSE_SECONDS)

    def _read_events(self) -> None:
        try:
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=self._group, startTime=self._since
            )
            lines = [event["message"] for page in pages for event in page["events"]]
        except ClientError:
            return  # no line has been written yet
        parsed = [json.loads(line) for line in lines if line.startswith("{")]
        self._events = [line for line in parsed if "event" in line]

    def _draw(self, key: str, done: int | None, expected: int | None) -> None:
        name = key.rpartition("/")[2]  # the parts' own key ends like the file's
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=self._sizes.get(name))
        bar = self._progress.tasks[self._bars[name]]
        total = expected if expected is not None else bar.total
        self._progress.update(bar.id, total=total, completed=max(done or 0, int(bar.completed)))


def ask_sizes(urls: list[str]) -> dict[str, int]:
    """Return file sizes by name, where the servers report them; only the progress bars use them."""
    sizes = {}
    for url in urls:
        with suppress(requests.RequestException):
            answer = requests.head(url, timeout=2, allow_redirects=True)
            if answer.ok and answer.headers.get("Content-Length", "").isdecimal():
                sizes[urlsplit(url).path.rpartition("/")[2]] = int(answer.headers["Content-Length"])
    return sizes


def stream(
    function: str, bucket: str, urls: list[str], console: Console
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Invoke the function and return its response and its log events.

    Raises:
        StreamError: the function failed or refused to run.
    """
    region = os.environ.get("AWS_REGION")
    patient = Config(read_timeout=_LAMBDA_SECONDS, retries={"total_max_attempts": 1})
    s3 = make_s3_client()
    with Progress(*_COLUMNS, console=console, disable=not console.is_terminal) as progress:
        watch = Watch(
            progress, s3, boto3.client("logs", region_name=region), bucket, f"/aws/lambda/{function}", ask_sizes(urls)
        )
        invocation = invoke(boto3.client("lambda", region_name=region, config=patient), function, urls)
        while not invocation.done.wait(_PAUSE_SECONDS):
            watch.look()
        if invocation.error:
            raise StreamError(str(invocation.error)) from invocation.error
        answer = invocation.answer or {}
        if "results" not in answer:  # there was no run, and there is nothing to wait for
            raise StreamError(str(answer.get("message", answer)))
        return answer, watch.read_to_the_end(answer["run"])


def report(answer: dict[str, Any], events: list[dict[str, Any]], bucket: str, console: Console) -> None:
    """Print each file's outcome and the totals; note them for the demo."""
    rates = {event["s3_key"]: event["avg_mbps"] for event in events if event["event"] == "file_complete"}
    table = Table(box=None, pad_edge=False)
    for heading, side in (
        ("file", "left"),
        ("status", "left"),
        ("size", "right"),
        ("parts", "right"),
        ("Mbit/s", "right"),
    ):
        table.add_column(heading, justify=side, overflow="fold")  # type: ignore[arg-type]
    for result in answer["results"]:
        key = result["s3_key"] or result["url"]
        rate = f"{rates[key]:.0f}" if key in rates else ""
        size = describe_bytes(result["bytes"]) if result["bytes"] else ""
        table.add_row(key, result["status"], size, str(result["parts"] or ""), rate)
        for line in (*result.get("warnings", []), *([result["error"]] if "error" in result else [])):
            table.add_row(f"  {line}")
    console.print(table, soft_wrap=True)
    summary, requests = answer["summary"], answer["s3_request_counts"]
    total, seconds = summary["total_bytes"], answer["elapsed_seconds"]
    counted = ", ".join(f"{count} {name}" for name, count in requests.items() if count and name != "total")
    facts = [
        ("Result", answer["message"]),
        ("Streamed", f"{describe_bytes(total)} in {seconds} s, {describe_rate(total, seconds)}"),
        ("S3 requests", f"{requests['total']}: {counted}"),
        ("Bucket", f"s3://{bucket}/"),
    ]
    for label, value in facts:
        print(f"{label + ':':<14}{value}")
        note("fact", label, value)


def main() -> int:
    """Run from the command line; the exit status is 1 if a file failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("function")
    parser.add_argument("bucket")
    parser.add_argument("urls", nargs="*")
    chosen = parser.parse_args()
    console = Console()
    try:
        answer, events = stream(chosen.function, chosen.bucket, chosen.urls, console)
    except (StreamError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    report(answer, events, chosen.bucket, console)
    return 1 if answer["summary"]["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())

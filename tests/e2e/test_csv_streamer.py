"""The deployed CSV streamer: invoked as operators and schedules do, fetching from the offline stack's file server."""

import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from lib.common.settings import read_settings
from sample_files import expected_sha256
from tests.e2e.stack import ROOT, Stack, wait_until

PARAMETERS = "config/parameters.json"
RUN_SECONDS = 120


@dataclass
class Streamer:
    """The function, its bucket and the server."""

    stack: Stack
    server: str

    @property
    def bucket(self) -> str:
        return self.stack.outputs["csv_bucket"]

    @property
    def function(self) -> str:
        return self.stack.outputs["csv_streamer_function"]

    def put_parameters(self, prefix: str, *paths: str) -> None:
        entries = [{"url": self.server + path, "prefix": f"raw/{prefix.strip('/')}"} for path in paths]
        self.stack.s3.put_object(Bucket=self.bucket, Key=PARAMETERS, Body=json.dumps({"file_urls": entries}))

    def invoke(self) -> tuple[int, dict[str, Any]]:
        answer = self.stack.functions.invoke(FunctionName=self.function, Payload=b"{}")
        payload = json.loads(answer["Payload"].read())
        assert answer.get("FunctionError") is None, payload
        return payload["statusCode"], json.loads(payload["body"])

    def sha256(self, key: str) -> str:
        digest = hashlib.sha256()
        for chunk in self.stack.s3.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(2**20):
            digest.update(chunk)
        return digest.hexdigest()

    def list_keys(self, prefix: str) -> list[str]:
        listed = self.stack.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def read_events(self, since: float) -> list[dict[str, Any]]:
        """Log events since a Unix time."""
        session = boto3.Session(region_name=self.stack.outputs["aws_region"])
        logs = session.client(
            "logs",
            endpoint_url=self.stack.outputs["aws_endpoint_url"] or None,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{self.function}", startTime=int(since * 1000)
        )
        lines = [event["message"] for page in pages for event in page["events"]]
        return [event for line in lines if line.startswith("{") and "event" in (event := json.loads(line))]


@pytest.fixture
def streamer(stack: Stack) -> Iterator[Streamer]:
    if not stack.is_local:
        pytest.skip("the sample files are served on this machine, which a function in AWS does not reach")
    settings = read_settings(ROOT, os.environ)
    streamer = Streamer(stack, settings["SAMPLE_FILES_URL"])
    kept = streamer.list_keys(PARAMETERS)
    before = stack.s3.get_object(Bucket=streamer.bucket, Key=PARAMETERS)["Body"].read() if kept else None
    yield streamer
    if before is not None:
        stack.s3.put_object(Bucket=streamer.bucket, Key=PARAMETERS, Body=before)
    else:
        stack.s3.delete_object(Bucket=streamer.bucket, Key=PARAMETERS)
    for key in streamer.list_keys("raw/"):
        if key.startswith("raw/e2e/") or key.endswith("/e2e-script.csv"):
            stack.s3.delete_object(Bucket=streamer.bucket, Key=key)


def test_files_of_good_and_bad_servers_arrive_byte_for_byte(streamer: Streamer, prefix: str) -> None:
    paths = [
        "/files/rent_contracts.csv?mb=120",
        f"/hostile/drop/units.csv?bytes=30000000&every=7000000&token={prefix}drop",
        f"/hostile/chunked/projects.csv?bytes=12000000&token={prefix}chunked",
        f"/hostile/status/developers.csv?bytes=100000&code=503&times=1&token={prefix}status",
        "/hostile/gzip/buildings.csv?bytes=500000",
        "/hostile/empty?how=chunked",
        "/hostile/status/transactions.csv?code=404",
    ]
    started = time.time() - 1
    streamer.put_parameters(prefix, *paths)
    status, body = streamer.invoke()
    assert status == 200, body
    assert [result["status"] for result in body["results"]] == ["success"] * 6 + ["failed"]
    for path, result in zip(paths[:-1], body["results"][:-1], strict=True):
        assert streamer.sha256(result["s3_key"]) == expected_sha256(path), path
    assert len(streamer.list_keys(f"raw/{prefix}")) == 6
    assert "Uploads" not in streamer.stack.s3.list_multipart_uploads(Bucket=streamer.bucket)

    def find_all() -> list[dict[str, Any]]:
        events = streamer.read_events(started)
        return events if any(event["event"] == "lambda_complete" for event in events) else []

    events = wait_until(find_all, "the log events")
    named = {event["event"] for event in events}
    assert {
        "lambda_start",
        "ingestion_plan",
        "file_complete",
        "file_complete_zero",
        "file_retry",
        "file_error",
    } <= named
    (counters,) = [event for event in events if event["event"] == "s3_request_counters"]
    assert {name: counters[name] for name in body["s3_request_counts"]} == body["s3_request_counts"]


def test_what_is_stored_already_is_not_fetched_again(streamer: Streamer, prefix: str) -> None:
    with streamer.stack.changed_environment(streamer.function, SKIP_UNCHANGED="true"):
        streamer.put_parameters(prefix, "/files/units.csv?mb=30", "/files/units.csv?mb=20")
        _, first = streamer.invoke()
        _, second = streamer.invoke()
    assert [result["status"] for result in first["results"]] == ["success", "success"]
    assert [result["status"] for result in second["results"]] == ["unchanged", "unchanged"]


def test_a_file_that_takes_several_invocations_is_whole(streamer: Streamer, prefix: str) -> None:
    """At 2 MB/s for each of four connections and six seconds an invocation, 110 MB take three of them and more."""
    path = "/files/transactions.csv?mb=110&kbps=2000"
    timeout = streamer.stack.functions.get_function_configuration(FunctionName=streamer.function)["Timeout"]
    started = time.time() - 1
    streamer.put_parameters(prefix, path)
    with streamer.stack.changed_environment(
        streamer.function, STOP_BEFORE_SECONDS=str(timeout - 6), S3_PART_MB="5", CONTINUE_ASYNC="true"
    ):
        _, body = streamer.invoke()
        (result,) = body["results"]
        assert result["status"] == "deferred", result
        done = wait_until(lambda: streamer.list_keys(f"raw/{prefix}"), "the last invocation", seconds=RUN_SECONDS)
        wait_until(lambda: not streamer.list_keys(".csv-streamer/") or _only_claims(streamer), "the state to go")
    assert done == [result["s3_key"]]
    assert streamer.sha256(done[0]) == expected_sha256(path)
    assert "Uploads" not in streamer.stack.s3.list_multipart_uploads(Bucket=streamer.bucket)
    events = streamer.read_events(started)
    hops = [event["hop"] for event in events if event["event"] == "continuation_started"]
    assert len(hops) >= 2, hops
    assert len([event for event in events if event["event"] == "multipart_create_complete"]) == 1


def test_the_script_shows_what_became_of_each_file_and_never_writes_the_parameters(streamer: Streamer) -> None:
    streamer.put_parameters("e2e/kept/", "/files/kept.csv?bytes=10")
    before = streamer.stack.s3.get_object(Bucket=streamer.bucket, Key=PARAMETERS)
    bad = f"{streamer.server}/hostile/status/gone.csv?code=410"
    done = run_script(f"{streamer.server}/files/e2e-script.csv?mb=6", bad)
    assert done.returncode == 1, done.stderr
    assert re.search(r"e2e-script\.csv +success +6\.0 MB +\d ", done.stdout), done.stdout
    assert "HTTP 410 Gone" in done.stdout
    assert "Streamed 1 ok, 1 failed" in done.stdout
    after = streamer.stack.s3.get_object(Bucket=streamer.bucket, Key=PARAMETERS)
    assert (after["ETag"], after["LastModified"]) == (before["ETag"], before["LastModified"])
    assert run_script(f"{streamer.server}/files/e2e-script.csv?bytes=1000").returncode == 0


def run_script(*urls: str) -> subprocess.CompletedProcess[str]:
    script = str(ROOT / "scripts" / "stream_files.sh")
    return subprocess.run([script, *urls], capture_output=True, text=True, timeout=RUN_SECONDS, check=False)


def _only_claims(streamer: Streamer) -> bool:
    return all(key.endswith(".claim") for key in streamer.list_keys(".csv-streamer/"))

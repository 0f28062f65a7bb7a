"""Small cases of the services that work on objects. Their objects bear the run's name and are removed at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lib.aggregator.manifests import PREFIX, SUFFIX, name_bundle_of, read_manifest
from lib.common.clients import make_s3_client
from lib.xapi.clickhouse_client import ClickHouseError, ask, order, quote_table

SCRIPTS = Path(__file__).parents[2]
_MIB = 2**20
_COPIED_MB = 40  # above COPY_THRESHOLD_MB
_COPY_SECONDS = 1200  # S3 promises nothing, and mostly copies within 15 minutes


class FailedError(RuntimeError):
    """A check failed; the message says which."""


@dataclass
class Case:
    """The run of one service: its name, its folder, and its cleanup actions."""

    name: str
    folder: Path
    undo: list[tuple[str, Callable[[], object]]] = field(default_factory=list)

    def later(self, what: str, work: Callable[[], object]) -> None:
        """Register a cleanup action; the last one runs first."""
        self.undo.append((what, work))

    def clean_up(self) -> list[str]:
        """Run all cleanup actions; return those that failed, with the reason."""
        left = []
        for what, work in reversed(self.undo):
            try:
                work()
            except (ClientError, BotoCoreError, ClickHouseError, FailedError) as error:
                left.append(f"{what}: {error}")
        return left

    def say(self, text: str) -> None:
        """Print a check that passed."""
        print(f"  {text}", flush=True)


def expect(said: object, what: str) -> None:
    """Raise unless a condition holds.

    Raises:
        FailedError: the condition does not hold.
    """
    if not said:
        raise FailedError(what)


def run_script(*command: str, **environment: str) -> str:
    """Run one of the scripts; return its output.

    Raises:
        FailedError: the exit status is not 0; the message has the last lines of the output.
    """
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **environment}, cwd=SCRIPTS
    )
    expect(done.returncode == 0, f"{command[0]}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def run_module(module: str, *arguments: str) -> str:
    """Run a module of `scripts/lib` as the scripts do; return its output."""
    return run_script(sys.executable, "-m", f"lib.{module}", *arguments)


def delete_versions(bucket: str, prefix: str) -> None:
    """Delete every version of every object under a prefix, which must not be empty."""
    expect(len(prefix) > len("smoke"), "a prefix of a run is needed")
    s3 = make_s3_client()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])


def list_keys(bucket: str, prefix: str = "") -> list[str]:
    """List the keys under a prefix."""
    pages = make_s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def check_zip(case: Case) -> None:
    """Archive small objects and one that S3 copies itself, for which the upload must name the parts' checksums."""
    source, target = os.environ["ZIP_SOURCE_BUCKET"], os.environ["ZIP_DESTINATION_BUCKET"]
    s3, prefix = make_s3_client(), f"{case.name}/"
    case.later("sources", lambda: delete_versions(source, prefix))
    for number in range(3):
        s3.put_object(Bucket=source, Key=f"{prefix}small-{number}.txt", Body=f"{number}\n".encode())
    s3.put_object(
        Bucket=source, Key=f"{prefix}copied.bin", Body=os.urandom(_COPIED_MB * _MIB), ChecksumAlgorithm="CRC32"
    )
    said = run_script("bash", "zip_job_roundtrip.sh", prefix, DOWNLOAD_DIR=str(case.folder))
    job = said.split("Job ", 1)[1].split(":", 1)[0]
    table = boto3.client("dynamodb")
    key = {"jobId": {"S": job}}
    item = table.get_item(TableName=os.environ["ZIP_JOBS_TABLE"], Key=key)["Item"]
    case.later("the job", lambda: table.delete_item(TableName=os.environ["ZIP_JOBS_TABLE"], Key=key))
    case.later("the archive", lambda: delete_versions(target, item["targetKey"]["S"]))
    case.say("an archive of 4 objects, downloaded and verified")
    copied = int(item.get("bytesCopied", {}).get("N", "0"))
    expect(copied > _COPIED_MB * _MIB // 2, f"only {copied} bytes were copied inside S3")
    case.say(f"{copied // _MIB} of {_COPIED_MB} MiB were copied inside S3, and have the right checksum")


def check_csv(case: Case) -> None:
    """Stream a file from the same bucket through a presigned URL, so that no other server is needed."""
    bucket, name = os.environ["CSV_BUCKET"], os.environ["CSV_STREAMER_FUNCTION"]
    key, body = f"{case.name}/{case.name}.csv", b"number,text\n" + b"".join(b"%d,text\n" % n for n in range(100_000))
    s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
    case.later("the source", lambda: delete_versions(bucket, f"{case.name}/"))
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=600)
    run_script("bash", "stream_files.sh", url)
    found = [each for each in list_keys(bucket) if each.endswith(f"{case.name}.csv") and each != key]
    expect(len(found) == 1, f"the file is there {len(found)} times")
    case.later("the file", lambda: delete_versions(bucket, found[0]))
    expect(s3.get_object(Bucket=bucket, Key=found[0])["Body"].read() == body, f"s3://{bucket}/{found[0]} differs")
    case.say(f"a file of {len(body)} bytes, as it was served")
    functions = boto3.client("lambda")
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    if variables.get("CONTINUE_ASYNC") == "true":
        config = functions.get_function_recursion_config(FunctionName=name)
        expect(config["RecursiveLoop"] == "Allow", "Lambda ends the function's calls of itself")
        case.say("it may go on by itself")


def check_aggregator(case: Case) -> None:
    """Bundle a few objects; each is in one bundle, by version, and the archive has a copy of it."""
    source, distribution = os.environ["AGGREGATOR_SOURCE_BUCKET"], os.environ["DISTRIBUTION_BUCKET"]
    archive, prefix = os.environ.get("ARCHIVE_BUCKET") or distribution, f"{case.name}/"
    before = set(list_keys(distribution))
    case.later("sources", lambda: delete_versions(source, prefix))
    case.later("bundles", lambda: _delete_bundles({distribution, archive}, source, prefix, before))
    run_module("aggregator.small_objects", source, prefix, "5")
    run_module("aggregator.watch_bundles", source, prefix, distribution, archive, "--timeout", str(_COPY_SECONDS))
    case.say("5 objects, each in one bundle" + ("" if archive == distribution else ", with copies in the archive"))


def check_xapi(case: Case) -> None:
    """Load statements exactly once; if this machine cannot reach ClickHouse, check the function's response only."""
    bucket, prefix = os.environ["XAPI_BUCKET"], os.environ.get("XAPI_PREFIX", "")
    request = {"diagnostics": True, "clickhouse_check": True, "s3_check": {"bucket": bucket, "prefix": prefix}}
    answer = boto3.client("lambda").invoke(
        FunctionName=os.environ["XAPI_ETL_FUNCTION"], Payload=json.dumps(request).encode()
    )
    report = json.loads(json.loads(answer["Payload"].read())["body"])
    for check in ("settings", "s3_check", "clickhouse_check"):
        expect(report[check]["ok"], f"{check}: {report[check]}")
    case.say("the function reaches S3 and ClickHouse")
    try:
        ask("SELECT 1")
    except (ClickHouseError, KeyError):
        case.say("rows are not counted: ClickHouse does not answer to this machine")
        return
    prefix = f"{prefix}generated/{case.name}/"
    where = f"s3://{bucket}/{prefix}"
    case.later("objects", lambda: delete_versions(bucket, prefix))
    delete = f"ALTER TABLE {quote_table()} DELETE WHERE startsWith(source_file, {{source:String}})"
    case.later("rows", lambda: order(delete, source=where))
    run_script("bash", "load_statements.sh", "--objects", "1", "--seed", case.name, "50")
    case.say("50 statements are 50 rows")


def _delete_bundles(buckets: set[str], source: str, prefix: str, before: set[str]) -> None:
    """Delete new bundles that hold only this run's objects; bundles shared with other sources stay."""
    s3 = make_s3_client()
    distribution = os.environ["DISTRIBUTION_BUCKET"]
    for key in list_keys(distribution):
        if key in before or not (key.startswith(PREFIX) and key.endswith(SUFFIX)):
            continue
        manifest = read_manifest(s3, distribution, name_bundle_of(key))
        if all(entry["bucket"] == source and entry["key"].startswith(prefix) for entry in manifest["sources"]):
            for bucket in buckets:
                delete_versions(bucket, key)
                delete_versions(bucket, name_bundle_of(key))

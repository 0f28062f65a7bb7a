"""The CSV streamer against its reference algorithm, rclone and the AWS CLI."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from sample_files.bodies import Body
from sample_files.catalogue import find_resource
from sample_files.target import parse_target
from tests.bench.fakes.fake_s3_client import FakeS3Client
from tests.bench.harness.comparison import (
    OURS,
    REFERENCE,
    Bill,
    Case,
    Contender,
    Counts,
    Outcome,
    Row,
    make_row,
    run_case,
)
from tests.bench.harness.processes import ROOT, RunError, measure, run_server
from tests.bench.harness.ratios import compare

SERVICE = "csv_streamer"
BUCKET = "bench"
LONG_CASE = "peak memory"
LATENCY_MS = 20
MB_PER_SECOND = 25
"""Cap of each connection, each way."""
AWS = ROOT / ".local" / "bench-venv" / "bin" / "aws"
_LARGE_MB = 200
_MEMORY_MB = 1024
_SMALL_FILES = 60
_SMALL_BYTES = 100_000
_LONG_MB = 2_000
_REFERENCE_TARGET = 2.0
_MEMORY_TARGET = 0.87
"""Peak memory within 15 %: 1 / 1.15."""


@dataclass(frozen=True)
class Stage:
    """The servers of a case: where files come from and where they go, as seen through the proxies."""

    files_url: str
    s3_url: str
    fake_s3: FakeS3Client
    folder: Path

    def environment(self) -> dict[str, str]:
        """Return what all contenders see."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": os.pathsep.join(map(str, [ROOT, ROOT / "lambdas"])),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.s3_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BUCKET_NAME": BUCKET,
            "ALLOW_PRIVATE_HOSTS": "true",
        }


@contextmanager
def set_stage(folder: Path, latency_ms: float, mb_per_second: float) -> Iterator[Stage]:
    """Run the file server and the fake S3, each behind its own proxy (no proxy without latency and cap)."""
    with ExitStack() as stack:
        files = stack.enter_context(run_server("sample_files", "--port", "0"))
        s3 = stack.enter_context(run_server("tests.bench.fakes.fake_s3"))
        ports = [files, s3]
        if latency_ms or mb_per_second:
            how = ["--latency-ms", str(latency_ms), "--mb-per-second", str(mb_per_second)]
            ports = [
                stack.enter_context(run_server("tests.bench.fakes.proxy", "--to", f"127.0.0.1:{port}", *how))
                for port in ports
            ]
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        yield Stage(urls[0], urls[1], FakeS3Client(s3), folder)


def _make_handler(stage: Stage, name: str, module: str, target: float = 1.0) -> Contender:
    event, result = stage.folder / "event.json", stage.folder / f"{name.partition(' ')[0]}.json"
    event.write_text("{}")
    command = [sys.executable, "-m", "tests.bench.contenders.invoke", module, str(event), str(result)]
    return Contender(name, command, stage.environment(), own_time=result, target=target)


def _make_ours(stage: Stage, settings: Mapping[str, str] | None = None) -> Contender:
    ours = _make_handler(stage, OURS, "csv_streamer.app")
    return replace(ours, environment={**ours.environment, **(settings or {})})


def _make_reference(stage: Stage, target: float) -> Contender:
    return _make_handler(stage, REFERENCE, "tests.bench.contenders.baselines.csv_streamer", target)


def _make_rclone(stage: Stage, name: str, *arguments: str) -> Contender | None:
    if not shutil.which("rclone"):
        return None
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
        "REGION": "us-east-1",
        "ENDPOINT": stage.s3_url,
        "FORCE_PATH_STYLE": "true",
        "NO_CHECK_BUCKET": "true",
    }
    environment = stage.environment() | {f"RCLONE_CONFIG_BENCH_{key}": value for key, value in settings.items()}
    # No config file at all.
    environment |= {"RCLONE_CONFIG": "", "RCLONE_CONFIG_FILES_TYPE": "http", "RCLONE_CONFIG_FILES_URL": ""}
    return Contender(name, ["rclone", *arguments], environment, startup=["rclone", "version"])


def _make_aws(stage: Stage, url: str, key: str) -> Contender | None:
    if not AWS.exists() or not shutil.which("curl"):
        return None
    script = 'curl -sSf "$0" | "$1" s3 cp --only-show-errors - "$2"'
    command = ["sh", "-c", script, url, str(AWS), f"s3://{BUCKET}/{key}"]
    return Contender("aws s3 cp -", command, stage.environment(), startup=[str(AWS), "--version"])


def _present(contenders: list[Contender | None], missing: str, say: Callable[[str], None]) -> list[Contender]:
    if None in contenders:
        say(f"skipped, not installed: one of {missing}")
    return [contender for contender in contenders if contender]


def _make_case(stage: Stage, name: str, urls: list[str], contenders: list[Contender]) -> Case:
    config = json.dumps({"file_urls": urls}).encode()
    bodies = [_find_body(url) for url in urls]

    def prepare() -> None:
        stage.fake_s3.reset()
        stage.fake_s3.put(f"{BUCKET}/config/parameters.json", config)
        stage.fake_s3.reset(keep=True)

    def finish() -> Counts:
        counts = stage.fake_s3.count_requests()
        objects = [parts for key, parts in stage.fake_s3.list_objects().items() if "/raw/" in key]
        check_objects(bodies, objects)
        return counts

    bill = Bill(len(bodies), sum(body.size for body in bodies), _MEMORY_MB)
    return Case(SERVICE, name, contenders, prepare, finish, bill)


def _find_body(url: str) -> Body:
    resource = find_resource(parse_target(url))
    if resource is None:
        raise LookupError(url)
    return resource.body


def check_objects(bodies: list[Body], objects: list[list[tuple[int, int]]]) -> None:
    """Check that each body is stored whole: size and CRC-32 of every part. Raises RunError."""
    wanted = list(bodies)
    for parts in objects:
        match = next((body for body in wanted if _is_stored(body, parts)), None)
        if match is None:
            raise RunError(f"an object of {sum(size for size, _ in parts)} bytes is none of the files")
        wanted.remove(match)
    if wanted:
        raise RunError(f"{len(wanted)} of {len(bodies)} files were not stored")


def _is_stored(body: Body, parts: list[tuple[int, int]]) -> bool:
    if body.size != sum(size for size, _ in parts):
        return False
    start = 0
    for size, crc32 in parts:
        found = 0
        for block in body.read_blocks(start, start + size):
            found = zlib.crc32(block, found)
        if found != crc32:
            return False
        start += size
    return True


def run_large(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """One large file through the slow path."""
    with set_stage(folder, LATENCY_MS, MB_PER_SECOND) as stage:
        url = f"{stage.files_url}/files/transactions.csv?mb={_LARGE_MB}"
        copy = _make_rclone(stage, "rclone copyurl", "copyurl", url, f"BENCH:{BUCKET}/raw/transactions.csv")
        found = [_make_ours(stage), _make_reference(stage, _REFERENCE_TARGET), copy]
        contenders = _present([*found, _make_aws(stage, url, "raw/transactions.csv")], "rclone, aws, curl", say)
        return run_case(_make_case(stage, f"one file of {_LARGE_MB} MB", [url], contenders), rounds, folder, say), []


def run_small(folder: Path, rounds: int, say: Callable[[str], None]) -> tuple[Outcome, list[Row]]:
    """Many small files through the slow path; rclone copies as many at once as we do."""
    with set_stage(folder, LATENCY_MS, MB_PER_SECOND) as stage:
        names = [f"part_{number:03}.csv" for number in range(_SMALL_FILES)]
        base = f"{stage.files_url}/files/{_SMALL_BYTES}"
        listing = folder / "names.txt"
        listing.write_text("".join(f"{name}\n" for name in names))
        source = f":http,url='{base}':"
        how = ["--files-from", str(listing), "--no-traverse", "--transfers", "2", "--checkers", "2"]
        copy = _make_rclone(stage, "rclone copy", "copy", source, f"BENCH:{BUCKET}/raw", *how)
        contenders = _present([_make_ours(stage), _make_reference(stage, _REFERENCE_TARGET), copy], "rclone", say)
        urls = [f"{base}/{quote(name)}" for name in names]
        name = f"{_SMALL_FILES} files of {_SMALL_BYTES // 1000} KB"
        return run_case(_make_case(stage, name, urls, contenders), rounds, folder, say), []


def run_memory(folder: Path, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """Peak memory of a long stream compared with a short one, without a proxy and at full speed.

    With parts of the default size, 50 MiB, the short stream has fewer parts than may be in memory at once, and so its
    peak is lower; with parts of 16 MiB both streams have all that the settings allow.
    """
    rows = []
    with set_stage(folder, 0, 0) as stage:
        for note, settings in (("", {}), (", parts of 16 MiB", {"S3_PART_MB": "16"})):
            peaks: dict[int, list[float]] = {_LARGE_MB: [], _LONG_MB: []}
            for _ in range(rounds):
                for megabytes, found in peaks.items():
                    found.append(_measure_peak(stage, megabytes, settings))
                    say(f"{SERVICE}, memory{note}: {megabytes} MB streamed, peak {found[-1]:.0f} MB")
            ratio = compare(peaks[_LONG_MB], peaks[_LARGE_MB])
            name, peak = f"{LONG_CASE}, {_LONG_MB:,} MB{note}", max(peaks[_LONG_MB])
            rows.append(
                make_row(SERVICE, name, f"{_LARGE_MB} MB", _MEMORY_TARGET, ratio, rss_mb=peak, s3_requests=None)
            )
    return rows


def _measure_peak(stage: Stage, megabytes: int, settings: Mapping[str, str]) -> float:
    ours = _make_ours(stage, settings)
    case = _make_case(stage, "memory", [f"{stage.files_url}/files/transactions.csv?mb={megabytes}"], [ours])
    case.prepare()
    peak = measure(ours.command, ours.environment, stage.folder).rss_mb
    case.finish()
    return peak

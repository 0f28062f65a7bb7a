"""Import times of each handler, compared with those of boto3 alone.

An interpreter without any packages gets the unpacked zips of the function and its layers, and boto3 as Lambda's
runtime has it. Everything in the zips is compiled already, as is boto3.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.harness.comparison import Row, make_row
from tests.bench.harness.processes import RunError
from tests.bench.harness.ratios import compare

SERVICE = "cold_start"
AGAINST = "import boto3"
TARGET, ARROW_TARGET = 0.5, 0.4
"""At most twice as long as boto3 alone, which all of them import; two and a half times with Arrow and a web server."""
HANDLERS = {
    "csv_streamer.app": TARGET,
    "data_aggregator.app": TARGET,
    "dataset_download.serve": ARROW_TARGET,
    "dataset_download.app": ARROW_TARGET,
    "dataset_download.exporter": ARROW_TARGET,
    "xapi_etl.app": TARGET,
    "zip_enqueue.app": TARGET,
    "zip_status.app": TARGET,
    "zip_worker.app": TARGET,
    "zip_worker.dead_letters": TARGET,
}
_BOTO3 = "boto3"
_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
_IMPORT = """
import importlib, json, sys, time
sys.path[:0] = json.loads(sys.argv[1])
started, worked = time.perf_counter(), time.process_time()
importlib.import_module(sys.argv[2])
seconds, cpu = time.perf_counter() - started, time.process_time() - worked
print(json.dumps({"seconds": seconds, "cpu_seconds": cpu}))
"""


@dataclass(frozen=True)
class Start:
    """One import in a new interpreter."""

    seconds: float
    cpu_seconds: float


def run_cold_starts(
    paths: Mapping[str, Sequence[str]], folder: Path, rounds: int, say: Callable[[str], None]
) -> list[Row]:
    """Import boto3 and every handler in turn, `rounds` times; returns a row for each handler.

    Args:
        paths: by package, the folders that are on the path before the runtime's.
        folder: for boto3 as the runtime has it.
        rounds: how often.
        say: gets a line a round.
    """
    runtime = _copy_runtime(folder)
    found: dict[str, list[Start]] = {name: [] for name in (_BOTO3, *HANDLERS)}
    _start(_BOTO3, [runtime])
    for number in range(rounds):
        for name in list(found) if number % 2 == 0 else list(reversed(found)):
            found[name].append(_start(name, [*paths.get(name.partition(".")[0], []), runtime]))
        say(f"cold starts: round {number + 1} of {rounds}: boto3 {found[_BOTO3][-1].seconds:.2f} s")
    return make_rows(found)


def make_rows(found: Mapping[str, Sequence[Start]]) -> list[Row]:
    """Return a row for each handler: boto3's processor time by the handler's, which are one thread's work both."""
    rows = []
    base = [each.cpu_seconds for each in found[_BOTO3]]
    for name, target in HANDLERS.items():
        ratio = compare([each.cpu_seconds for each in found[name]], base)
        rows.append(make_row(SERVICE, name, AGAINST, target, ratio, rss_mb=None, s3_requests=None))
    return rows


def _copy_runtime(folder: Path) -> str:
    """Link the packages that Lambda's runtime has into a folder of their own; return it."""
    runtime = folder / "runtime"
    runtime.mkdir(exist_ok=True)
    for name in _RUNTIME:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RunError(f"{name} is not installed")
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        (runtime / source.name).symlink_to(source)
    return str(runtime)


def _start(module: str, path: Sequence[str]) -> Start:
    command = [sys.executable, "-I", "-S", "-B", "-c", _IMPORT, json.dumps(path), module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"{module} cannot be imported:\n{done.stderr[-2_000:]}")
    return Start(**json.loads(done.stdout))

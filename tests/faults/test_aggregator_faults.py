"""The data aggregator while S3 and DynamoDB misbehave, time runs short, or the disk is full.

Each version of each source ends in exactly one bundle. Messages come twice and in any order. SEED and ROUNDS vary it.
"""

import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.support.fault_proxy import DYNAMODB_KINDS, S3_KINDS, FaultProxy, run_fault_proxy
from tests.faults.support.figures import ROUNDS, SEED, Figures, record
from tests.faults.test_aggregator_kills import (
    Deployment,
    Version,
    deploy,
    is_named,
    put_sources,
    read_bundled,
    read_dead_letters,
    send_messages,
    wait_until_empty,
)
from tests.support.emulator import ROOT, run_emulator
from tests.support.tiers import few_quick

SOURCES = 40
STEPS = "15"
"""Reads of the remaining time per invocation: fewer than a batch of 20 messages needs."""
DISK_BYTES = 2 * 10**6
"""The largest file that a worker may write where the disk is full: less than one source that does not compress."""


@dataclass(frozen=True)
class Aggregator:
    """The deployment, behind the proxy."""

    deployment: Deployment
    proxy: FaultProxy
    folder: Path

    @contextmanager
    def worker(self, prepare: Callable[[], None] | None = None, **variables: str) -> Iterator[Path]:
        """Run a worker while the block lasts; gives its log."""
        log = self.folder / f"worker-{time.monotonic_ns()}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.loops.aggregator_loop"],
                cwd=ROOT,
                env=self.deployment.environment | variables,
                stdout=file,
                stderr=file,
                preexec_fn=prepare,  # noqa: PLW1509 - before a single thread of the child
            )
        try:
            yield log
        finally:
            assert process.poll() is None, log.read_text()[-3000:]
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def aggregator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aggregator]:
    with run_emulator(tmp_path_factory.mktemp("ministack")) as address, run_fault_proxy(address) as proxy:
        made = deploy(address)
        places = {"AWS_ENDPOINT_URL_S3": proxy.url, "AWS_ENDPOINT_URL_DYNAMODB": proxy.url, "INVOCATION_SECONDS": "60"}
        yield Aggregator(
            replace(made, environment=made.environment | places), proxy, tmp_path_factory.mktemp("aggregator")
        )


def count(aggregator: Aggregator, contents: dict[Version, bytes]) -> tuple[int, int, int]:
    """Return how many versions are in no bundle nor dead letter, in more than one, and not what they were."""
    bundled, dead = read_bundled(aggregator.deployment), read_dead_letters(aggregator.deployment)
    lost = [version for version in contents if version not in bundled and not is_named(version, dead)]
    found = {version: bundled[version] for version in contents if version in bundled}
    duplicated = sum(len(pieces) - 1 for pieces in found.values())
    corrupt = sum(piece != contents[version] for version, pieces in found.items() for piece in pieces)
    print(f"{len(contents)} versions, {len(dead)} dead letters")
    assert not dead, "a fault that passes should leave no dead letter"
    return len(lost), duplicated, corrupt


def note(fault: str, seed: int, injected: int, results: int, found: tuple[int, int, int], name: str) -> None:
    command = f"SEED={seed} pytest tests/faults/test_aggregator_faults.py -k {name}"
    record(Figures("data-aggregator", fault, seed, injected, results, *found, command))


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
@pytest.mark.parametrize(
    ("service", "kind"),
    [*few_quick(("s3", kind) for kind in S3_KINDS), *few_quick(("dynamodb", kind) for kind in DYNAMODB_KINDS)],
)
def test_sources_land_once_while_a_service_misbehaves(
    aggregator: Aggregator, service: str, kind: str, seed: int
) -> None:
    dice = random.Random(f"{seed} {service} {kind}")
    contents, records = put_sources(aggregator.deployment, dice, SOURCES)
    with aggregator.worker(), aggregator.proxy.failing(kind, service, seed) as plan:
        send_messages(aggregator.deployment, records, dice)
        wait_until_empty(aggregator.deployment)
        injected = plan.injected.total()
    note(f"{service} {kind}", seed, injected, len(contents), count(aggregator, contents), f"'{service} and {kind}'")


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_sources_land_once_when_time_runs_short(aggregator: Aggregator, seed: int) -> None:
    dice = random.Random(f"{seed} time")
    contents, records = put_sources(aggregator.deployment, dice, SOURCES)
    send_messages(aggregator.deployment, records, dice)  # first, so that batches are full
    with aggregator.worker(INVOCATION_STEPS=STEPS, INVOCATION_NEAR_MS="500") as log:
        wait_until_empty(aggregator.deployment)
        stopped = log.read_text().count('"stopped_early"')
    note("deadline", seed, stopped, len(contents), count(aggregator, contents), "time")


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_sources_land_once_after_the_disk_was_full(aggregator: Aggregator, seed: int) -> None:
    """Writing to the spool fails; the messages come back, and another environment with room does them."""
    dice = random.Random(f"{seed} disk")
    contents: dict[Version, bytes] = {}
    records: list[dict[str, Any]] = []
    for number in range(2):
        body = dice.randbytes(12_000_000)
        version = aggregator.deployment.s3.put_object(Bucket="source", Key=f"disk/{number}", Body=body)["VersionId"]
        contents[f"disk/{number}", version] = body
        item = {"key": f"disk/{number}", "versionId": version, "size": len(body)}
        records.append({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "source"}, "object": item}})
    with aggregator.worker(limit_files, MAX_BUNDLE_INPUT_MB="40") as log:
        send_messages(aggregator.deployment, records, dice)
        failures = wait_for_failures(log)
    with aggregator.worker(MAX_BUNDLE_INPUT_MB="40"):
        wait_until_empty(aggregator.deployment)
    note("disk full", seed, failures, len(contents), count(aggregator, contents), "disk")


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, DISK_BYTES))


def wait_for_failures(log: Path) -> int:
    deadline = time.monotonic() + 120
    while not (failures := log.read_text().count("File too large")):
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.2)
    return failures


@pytest.mark.slow
def test_messages_that_come_twice_and_in_any_order_bundle_once(aggregator: Aggregator) -> None:
    dice = random.Random(SEED)
    contents, records = put_sources(aggregator.deployment, dice, 3 * SOURCES)
    with aggregator.worker(), aggregator.worker():
        send_messages(aggregator.deployment, records, dice)
        wait_until_empty(aggregator.deployment)
    # send_messages sends half of the records once more.
    note("messages", SEED, len(records) // 2, len(contents), count(aggregator, contents), "order")

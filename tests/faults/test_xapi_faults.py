"""The xAPI ETL while S3 or ClickHouse misbehaves, or time runs short: each statement lands once, as it was.

Messages come twice and in any order. SEED and ROUNDS vary it.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.support.fault_proxy import S3_KINDS, FaultProxy, run_fault_proxy
from tests.faults.support.figures import ROUNDS, SEED, Figures, record
from tests.faults.test_xapi_kills import (
    Deployment,
    Load,
    Workers,
    deploy,
    put_objects,
    run_database,
    send,
    wait_until_empty,
)
from tests.support.clickhouse_server import count_faults, forget_faults, order_fault, query
from tests.support.emulator import run_emulator
from tests.support.tiers import few_quick

OBJECTS = 12
LOST = "answer lost"
"""The fault of ClickHouse that the quick tier has."""
CLICKHOUSE: dict[str, dict[str, Any]] = {
    "slow": {"kind": "delay", "seconds": 1},
    "slow answers": {"kind": "delay_after", "seconds": 1},
    "down": {"kind": "drop"},
    "answer lost": {"kind": "drop_after"},
    "too many parts": {"kind": "answer", "status": 500, "code": 252},
    "too busy": {"kind": "answer", "status": 503},
    "error after commit": {"kind": "answer_after", "status": 503},
    "answer cut": {"kind": "cut", "match": ""},
}


@dataclass(frozen=True)
class Etl:
    """The deployment, S3 behind the proxy."""

    deployment: Deployment
    proxy: FaultProxy


@pytest.fixture(scope="module")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etl]:
    folders = tmp_path_factory.mktemp("ministack"), tmp_path_factory.mktemp("clickhouse")
    with (
        run_emulator(folders[0]) as address,
        run_fault_proxy(address) as proxy,
        run_database(folders[1]) as database,
    ):
        made = deploy(address, database)
        yield Etl(replace(made, environment=made.environment | {"AWS_ENDPOINT_URL_S3": proxy.url}), proxy)


@pytest.fixture(scope="module")
def crew(etl: Etl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    made = Workers(etl.deployment, tmp_path_factory.mktemp("crew"), random.Random(SEED))
    made.start(mortal=False)
    yield made
    made.stop()


def work(etl: Etl, load: Load, dice: random.Random) -> None:
    """Send every message twice, in any order, and wait until all are done with."""
    send(etl.deployment, load.bodies * 2, dice)
    wait_until_empty(etl.deployment)


def count(etl: Etl, load: Load) -> tuple[int, int, int]:
    """Return how many statements are lost, there more than once, and not what was sent."""
    lines = query(etl.deployment.database.url, "SELECT statement_id, statement FROM xapi.statements FORMAT JSONEachRow")
    rows = [json.loads(line) for line in lines.splitlines()]
    mine = [row for row in rows if row["statement_id"] in load.ids]
    found = {row["statement_id"] for row in mine}
    corrupt = sum(json.loads(row["statement"])["id"] != row["statement_id"] for row in mine)
    return len(load.ids - found), len(mine) - len(found), corrupt


def note(fault: str, seed: int, injected: int, load: Load, found: tuple[int, int, int], name: str) -> None:
    command = f"SEED={seed} pytest tests/faults/test_xapi_faults.py -k {name}"
    record(Figures("xapi-etl", fault, seed, injected, len(load.ids), *found, command))


@pytest.mark.usefixtures("crew")
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
@pytest.mark.parametrize("kind", few_quick(S3_KINDS))
def test_statements_land_once_while_s3_misbehaves(etl: Etl, kind: str, seed: int) -> None:
    dice = random.Random(f"{seed} s3 {kind}")
    load = put_objects(etl.deployment, dice, OBJECTS, f"{kind}-{seed}/")
    with etl.proxy.failing(kind, "s3", seed) as plan:
        work(etl, load, dice)
        injected = plan.injected.total()
    note(f"s3 {kind}", seed, injected, load, count(etl, load), f"'s3 and {kind}'")


@pytest.mark.usefixtures("crew")
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
@pytest.mark.parametrize("name", few_quick(sorted(CLICKHOUSE, key=LOST.__ne__)))
def test_statements_land_once_while_the_database_misbehaves(etl: Etl, name: str, seed: int) -> None:
    dice = random.Random(f"{seed} clickhouse {name}")
    load = put_objects(etl.deployment, dice, OBJECTS, f"{name}-{seed}/")
    url = etl.deployment.database.url
    forget_faults(url)
    order_fault(url, **CLICKHOUSE[name] | {"times": 3, "skip": dice.randrange(3)})
    work(etl, load, dice)
    happened = sum(count_faults(url).values())
    forget_faults(url)
    note(f"clickhouse {name}", seed, happened, load, count(etl, load), f"'database and {name.replace(' ', ' and ')}'")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_statements_land_once_when_time_runs_short(etl: Etl, crew: Workers, seed: int, tmp_path: Path) -> None:
    crew.stop()
    dice = random.Random(f"{seed} time")
    load = put_objects(etl.deployment, dice, OBJECTS, f"time-{seed}/")
    near = etl.deployment.environment | {"INVOCATION_STEPS": "8", "INVOCATION_NEAR_MS": "9000"}
    hurried = Workers(replace(etl.deployment, environment=near), tmp_path, dice)
    send(etl.deployment, load.bodies * 2, dice)  # first, so that batches are full
    hurried.start(mortal=False)
    try:
        wait_until_empty(etl.deployment)
    finally:
        hurried.stop()
        crew.start(mortal=False)
    stopped = hurried.log.read_text().count('"object_not_started"')
    note("deadline", seed, stopped, load, count(etl, load), "time")


@pytest.mark.slow
@pytest.mark.usefixtures("crew")
def test_messages_that_come_twice_and_in_any_order_land_once(etl: Etl) -> None:
    dice = random.Random(SEED)
    load = put_objects(etl.deployment, dice, 2 * OBJECTS, "messages/")
    work(etl, load, dice)
    note("messages", SEED, len(load.bodies), load, count(etl, load), "order")

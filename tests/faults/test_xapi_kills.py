"""SIGKILL while objects are read, looked for, inserted and acknowledged: each statement lands once.

``count()`` without FINAL is exact after kills of workers and of ClickHouse, duplicated and regrouped messages, and
answers that are lost. KILLS, ROUNDS and SEED vary it.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client
from mypy_boto3_sqs import SQSClient

from clickhouse.apply import DEFAULT_DATABASE, DEFAULT_TABLE, apply_schema
from tests.faults.support.figures import ROUNDS, SEED, Figures, record
from tests.support.clickhouse_server import ClickHouse, count_faults, order_fault, query, start_clickhouse
from tests.support.emulator import CREDENTIALS, ROOT, run_emulator
from tests.unit.xapi_etl.statements import make_statements, write_lines

KILLS = int(os.environ.get("KILLS", "10"))
STEPS = ["object-read", "looked", "insert-sent", "insert-sent", "inserted", ""]
PATIENCE_SECONDS = 6.0
"""Seconds that a worker may take to reach its step before it is killed anyway."""
VISIBILITY_SECONDS = 60
"""A message comes back when its worker is dead, as with a queue whose visibility timeout outlives the function."""
RETURN_SECONDS = 3
STALL_SECONDS = 180


@dataclass
class Database:
    """A ClickHouse that can be killed; it comes back at the same address, with what it had."""

    folder: Path
    server: ClickHouse
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return self.server.url

    def kill(self) -> None:
        self.note_faults()
        port = int(self.url.rpartition(":")[2].strip("/"))
        self.server.kill()
        self.server = start_clickhouse(self.folder, port=port)
        self.faults["server killed"] += 1

    def note_faults(self) -> None:
        self.faults.update(count_faults(self.url))


@contextmanager
def run_database(folder: Path) -> Iterator[Database]:
    database = Database(folder, start_clickhouse(folder))
    try:
        apply_schema(database.url, {}, DEFAULT_DATABASE, DEFAULT_TABLE)
        # Nothing may merge equal rows before they are counted, nor when it has just been started again.
        setting = "max_bytes_to_merge_at_max_space_in_pool"
        query(database.url, f"ALTER TABLE xapi.statements MODIFY SETTING {setting} = 1")
        add_views(database.url)
        yield database
    finally:
        database.server.kill()


def add_views(url: str) -> None:
    """Chain two views behind the statements; each lands in a table that remembers tokens, as the README asks."""
    for source, name in (("statements", "seen"), ("seen", "seen_again")):
        columns = "(statement_id String) ENGINE = MergeTree ORDER BY statement_id"
        query(url, f"CREATE TABLE xapi.{name} {columns} SETTINGS non_replicated_deduplication_window = 10000")
        query(url, f"CREATE MATERIALIZED VIEW xapi.to_{name} TO xapi.{name} AS SELECT statement_id FROM xapi.{source}")


@dataclass(frozen=True)
class Deployment:
    """The function's surroundings, and the environment that its process gets."""

    s3: S3Client
    sqs: SQSClient
    queue_url: str
    database: Database
    environment: dict[str, str]


@pytest.fixture
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folders = tmp_path_factory.mktemp("ministack"), tmp_path_factory.mktemp("clickhouse")
    with run_emulator(folders[0]) as address, run_database(folders[1]) as database:
        yield deploy(address, database)


def deploy(address: str, database: Database) -> Deployment:
    """Make the function's surroundings in an emulator."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    s3 = session.client("s3", endpoint_url=address, config=Config(s3={"addressing_style": "path"}))
    sqs = session.client("sqs", endpoint_url=address)
    s3.create_bucket(Bucket="statements")
    attributes: dict[Any, str] = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
    queue_url = sqs.create_queue(QueueName="xapi", Attributes=attributes)["QueueUrl"]
    environment = CREDENTIALS | {
        "AWS_ENDPOINT_URL": address,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "lambdas"),
        "QUEUE_URL": queue_url,
        "BATCH": "7",
        "CLICKHOUSE_URL": database.url,
        "CLICKHOUSE_DATABASE": "xapi",
        "CLICKHOUSE_TABLE": "statements",
        "TARGET_ROWS_PER_INSERT": "150",
        "MAX_ROWS_PER_INSERT": "300",
        "BAD_LINES": "quarantine",
    }
    return Deployment(s3, sqs, queue_url, database, environment)


@dataclass
class Load:
    """What is sent: objects of all sizes, and their messages."""

    ids: set[str]
    bodies: list[str]


def put_objects(deployment: Deployment, dice: random.Random, count: int, folder: str = "") -> Load:
    """Put objects, some of them larger than an INSERT, some empty, some with a bad line."""
    ids: set[str] = set()
    bodies = []
    for number in range(count):
        rows = dice.choice([0, 1, 20, 20, 60, 60, 200, 700])
        statements = make_statements(rows, seed=dice.getrandbits(30), months=dice.choice([1, 30]))
        ids |= {one["id"] for one in statements}
        contents = write_lines(statements) + dice.choice([b"", b"", b"no JSON\n"])
        key = f"statements/{folder}{number:04d} ü.jsonl"
        deployment.s3.put_object(Bucket="statements", Key=key, Body=contents)
        bodies.append(json.dumps({"bucket": "statements", "key": key}))
    return Load(ids, bodies)


def send(deployment: Deployment, bodies: list[str], dice: random.Random) -> None:
    for body in dice.sample(bodies, len(bodies)):
        deployment.sqs.send_message(QueueUrl=deployment.queue_url, MessageBody=body)


class Workers:
    """Processes that work on the queue, one of which is killed now and then."""

    def __init__(self, deployment: Deployment, folder: Path, dice: random.Random) -> None:
        self._deployment = deployment
        self.log = folder / "worker.log"
        self._folder = folder
        self._dice = dice
        self._running: list[tuple[subprocess.Popen[bytes], str]] = []
        self._held: dict[int, Path] = {}
        self.killed_at: Counter[str] = Counter()

    def start(self, *, mortal: bool) -> None:
        step = self._dice.choice(STEPS) if mortal else ""
        environment = self._deployment.environment | {
            "KILL_AT": f"{step} {self._dice.choice([1, 1, 2, 3])}" if step else "",
            "KILL_AFTER": str(self._dice.choice([0, 0.002, 0.01, 0.03, 0.1, 0.2])),
            "HELD": str(held := self._folder / f"held-{len(self._held)}-{self.killed_at.total()}"),
        }
        command = [sys.executable, "-m", "tests.faults.loops.xapi_loop"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        self._running.append((process, step))
        self._held[process.pid] = held

    def kill_one(self) -> None:
        """Wait for one to kill itself, or kill one; start another."""
        chosen = any(step for _, step in self._running)
        deadline = time.monotonic() + (PATIENCE_SECONDS if chosen else self._dice.uniform(0.5, 3))
        ended: list[int] = []
        while not ended and time.monotonic() < deadline:
            time.sleep(0.05)
            ended = [place for place, (process, _) in enumerate(self._running) if process.poll() is not None]
        process, step = self._running.pop(ended[0] if ended else self._dice.randrange(len(self._running)))
        assert process.poll() in {None, -signal.SIGKILL}, self.log.read_text()[-3000:]
        self.killed_at[step if process.poll() is not None else "any moment"] += 1
        self._end(process)
        self.start(mortal=True)

    def stop(self) -> None:
        for process, _ in self._running:
            self._end(process)
        self._running.clear()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a worker; its messages come back when ClickHouse is done with what it was sent."""
        process.kill()
        process.wait()
        held = self._held.pop(process.pid)
        if not held.exists() or not (text := held.read_text()):
            return
        for handle in json.loads(text):
            # What it had deleted is gone.
            with suppress(ClientError):
                self._deployment.sqs.change_message_visibility(
                    QueueUrl=self._deployment.queue_url, ReceiptHandle=handle, VisibilityTimeout=RETURN_SECONDS
                )


def wait_until_empty(deployment: Deployment) -> None:
    """Wait as long as messages become fewer; how long each takes is the machine's affair."""
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    fewest, deadline = sys.maxsize, time.monotonic() + STALL_SECONDS
    looks: list[bool] = []
    while looks[-3:] != [True] * 3:
        assert time.monotonic() < deadline, f"{fewest} messages are left in the queue"
        attributes = deployment.sqs.get_queue_attributes(QueueUrl=deployment.queue_url, AttributeNames=names)
        left = sum(map(int, attributes["Attributes"].values()))
        if left < fewest:
            fewest, deadline = left, time.monotonic() + STALL_SECONDS
        looks.append(left == 0)
        time.sleep(0.3)


def check_rows(deployment: Deployment, ids: set[str]) -> None:
    """Each statement is there, and no row more, with and without FINAL."""
    for final in ("", " FINAL"):
        assert query(deployment.database.url, f"SELECT count() FROM xapi.statements{final}") == str(len(ids))
    for table in ("statements", "seen", "seen_again"):
        found = query(deployment.database.url, f"SELECT statement_id FROM xapi.{table} FORMAT TSV").split()
        assert (len(found), set(found)) == (len(ids), ids), table


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(ROUNDS))
@pytest.mark.parametrize(("workers", "copies"), [(3, 1), (1, 2)], ids=["several workers", "duplicated messages"])
def test_killed_workers_leave_each_statement_once(
    deployment: Deployment, tmp_path: Path, workers: int, copies: int, trial: int
) -> None:
    seed = SEED + trial
    kills = (KILLS + 1) // 2
    print(f"seed {seed}, {kills} kills, {workers} workers, messages sent {copies} times")
    dice = random.Random(seed)
    load = put_objects(deployment, dice, 8 * kills)
    crew = Workers(deployment, tmp_path, dice)
    try:
        for _ in range(workers):
            crew.start(mortal=True)
        for wave in range(kills):
            send(deployment, load.bodies[wave::kills] * copies, dice)
            if dice.random() < 0.3:
                order_fault(deployment.database.url, dice.choice(["drop_after", "drop", "answer_after"]), times=1)
            if dice.random() < 0.2:
                deployment.database.kill()
            crew.kill_one()
        crew.stop()
        # What was sent long ago, under tokens and in company of its own, comes once more.
        send(deployment, dice.sample(load.bodies, len(load.bodies) // 4), dice)
        crew.start(mortal=False)
        wait_until_empty(deployment)
    finally:
        crew.stop()
    print(f"{len(load.ids)} statements in {len(load.bodies)} objects; kills: {dict(crew.killed_at)};")
    deployment.database.note_faults()
    print(f"faults: {dict(deployment.database.faults)}; {crew.log.read_text().count('clickhouse_retry')} retries")
    check_rows(deployment, load.ids)
    command = f"KILLS={KILLS} SEED={seed} pytest tests/faults/test_xapi_kills.py"
    record(Figures("xapi-etl", "kills", seed, crew.killed_at.total(), len(load.ids), 0, 0, 0, command))
    injected = deployment.database.faults.total()
    record(Figures("xapi-etl", "clickhouse killed", seed, injected, len(load.ids), 0, 0, 0, command))

"""Lambda's asynchronous events: a process for the function, retries after errors, duplicates."""

import json
import random
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.emulator import ROOT

REPETITIONS = 2
"""Lambda invokes again after an error, a killed process included."""


@dataclass
class Function:
    """Functions of one package in a process that is started again when it was killed."""

    environment: dict[str, str]
    log: Path
    killed_at: Counter[str] = field(default_factory=Counter)
    _process: subprocess.Popen[str] | None = None

    def invoke(
        self, handler: str, event: object, *, seconds: float = 600, kill_at: str = "", request_id: str = ""
    ) -> dict[str, Any]:
        """Return ``{"answer": …}``, ``{"error": …}``, or ``{}`` if the process was killed."""
        process = self._start()
        order = {"handler": handler, "event": event, "seconds": seconds, "kill_at": kill_at}
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(order | {"request_id": request_id or str(uuid.uuid4())}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if line:
            done: dict[str, Any] = json.loads(line)
            return done
        self.stop()
        assert kill_at, self.log.read_text()[-3000:]
        self.killed_at[kill_at.rpartition(" ")[0]] += 1
        return {}

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None:
            with self.log.open("a") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.faults.loops.invoke_loop"],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
        return self._process

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def deliver(
        self, handler: str, event: object, dice: random.Random, choose_kill: Callable[[], str], seconds: float = 600
    ) -> list[dict[str, Any]]:
        """Deliver an asynchronous event as Lambda does, now and then twice; return what the invocations answered.

        The last repetition is not killed: an event that fails as often goes to a queue of failures.
        """
        answers = []
        for _ in range(dice.choice([1, 1, 2])):
            request_id = str(uuid.UUID(int=dice.getrandbits(128)))
            for attempt in range(1 + REPETITIONS):
                kill_at = choose_kill() if attempt < REPETITIONS else ""
                done = self.invoke(handler, event, seconds=seconds, kill_at=kill_at, request_id=request_id)
                answers.append(done)
                if "answer" in done:
                    break
        return answers


@contextmanager
def run_function(environment: dict[str, str], log: Path) -> Iterator[Function]:
    """Give a function whose process ends with the block."""
    function = Function(environment, log)
    try:
        yield function
    finally:
        function.stop()

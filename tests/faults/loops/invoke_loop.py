"""Lambda's runtime for one function, in one process that can be killed.

Takes a JSON object a line: ``handler`` (``package.module.function``), ``event``, ``request_id``, ``seconds`` that the
invocation may take, and ``kill_at``: such as ``after UploadPart 2``, where the process kills itself. Answers each by a
line: the function's answer, or its error.
"""

import importlib
import json
import os
import signal
import sys
from collections import Counter
from threading import Lock
from typing import Any

from botocore.client import BaseClient

from tests.faults.support.context import Context


class Killer:
    """Ends the process at the n-th moment before or after calls of an operation."""

    def __init__(self) -> None:
        self._kill_at = ""
        self._calls: Counter[str] = Counter()
        self._lock = Lock()
        call = BaseClient._make_api_call  # type: ignore[attr-defined]

        def watched(client: BaseClient, operation: str, parameters: object) -> object:
            self._look(f"before {operation}")
            answer = call(client, operation, parameters)
            self._look(f"after {operation}")
            return answer

        BaseClient._make_api_call = watched  # type: ignore[attr-defined]

    def arm(self, kill_at: str) -> None:
        """Count from now on."""
        with self._lock:
            self._calls.clear()
            self._kill_at = kill_at

    def _look(self, moment: str) -> None:
        with self._lock:
            self._calls[moment] += 1
            if self._kill_at == f"{moment} {self._calls[moment]}":
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Invoke until the input ends."""
    answers, killer = os.fdopen(os.dup(1), "w"), Killer()
    os.dup2(2, 1)  # log lines go to the log
    for line in sys.stdin:
        order = json.loads(line)
        killer.arm(order["kill_at"])
        print(json.dumps(_invoke(order)), file=answers, flush=True)


def _invoke(order: dict[str, Any]) -> dict[str, Any]:
    module, _, name = order["handler"].rpartition(".")
    context = Context(module.partition(".")[0], order["seconds"], order["request_id"])
    try:
        return {"answer": getattr(importlib.import_module(module), name)(order["event"], context)}
    except Exception as error:  # noqa: BLE001 - as the runtime does
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()

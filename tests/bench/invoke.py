"""Calls a handler as Lambda does, in a process of its own: `python -m tests.bench.invoke MODULE EVENT OUT`.

OUT gets the seconds from the call to its return, as JSON, with what the handler returned. Imports come before, as
they do in Lambda's init phase.
"""

import importlib
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

_ARGUMENTS = 4


@dataclass
class Context:
    """What handlers use of Lambda's context."""

    aws_request_id: str = "00000000-0000-4000-8000-000000000001"
    function_name: str = "bench"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    function_version: str = "$LATEST"
    log_group_name: str = "/aws/lambda/bench"
    log_stream_name: str = "bench"
    seconds: float = 600.0
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the time limit."""
        return int((self.started + self.seconds - time.monotonic()) * 1000)


def main() -> int:
    """Run; returns the exit status."""
    if len(sys.argv) != _ARGUMENTS:
        print("usage: python -m tests.bench.invoke MODULE EVENT OUT", file=sys.stderr)
        return 2
    module, event, target = sys.argv[1:]
    handler = importlib.import_module(module).lambda_handler
    content = json.loads(Path(event).read_text())
    started = time.perf_counter()
    result = handler(content, Context())
    seconds = time.perf_counter() - started
    Path(target).write_text(json.dumps({"seconds": seconds, "result": result}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

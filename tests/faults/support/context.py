"""The Lambda context of the fault runs: its time runs, and its end can come after a number of looks at it."""

import itertools
import os
import time

from aws_lambda_powertools.utilities.typing import LambdaContext

STEPS = int(os.environ.get("INVOCATION_STEPS", "1000000000"))
"""After so many steps, each of which asks for the time, the limit is near: on any machine at the same place.

Each further invocation of a process may take one more, so that work which needs more gets done some day.
"""
NEAR_MS = int(os.environ.get("INVOCATION_NEAR_MS", "5000"))


class Context(LambdaContext):
    """An invocation of ``name`` that may take ``seconds``."""

    _memory_limit_in_mb = 1024
    _numbers = itertools.count()

    def __init__(self, name: str, seconds: float, request_id: str) -> None:
        self._function_name = name
        self._invoked_function_arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        self._aws_request_id = request_id
        self._ends = time.monotonic() + seconds
        self._steps = -next(self._numbers)

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # a static method there
        """Return what is left of the invocation's time."""
        self._steps += 1
        left = max(0, int((self._ends - time.monotonic()) * 1000))
        return left if self._steps <= STEPS else min(left, NEAR_MS)

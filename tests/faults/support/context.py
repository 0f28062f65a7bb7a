"""The Lambda context of the fault runs: real time, or an end after a number of reads of the remaining time."""

import itertools
import os
import time

from aws_lambda_powertools.utilities.typing import LambdaContext

STEPS = int(os.environ.get("INVOCATION_STEPS", "1000000000"))
"""Number of reads of the remaining time after which the limit is near, at the same place on any machine.

Each further invocation of a process gets one more, so that all work finishes eventually.
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

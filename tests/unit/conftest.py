import threading
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber


@pytest.fixture(scope="session", autouse=True)
def _one_call_of_moto_at_a_time() -> Iterator[None]:
    """Let threads take turns in moto: its models are not safe for threads.

    Two puts of one key at the same moment end in moto's own `I/O operation on closed file`. AWS answers each call as a
    whole, so turns are what comes closest to it; what happens between a client's calls still interleaves freely.
    """
    turns = threading.RLock()
    answer = BotocoreStubber.process_request

    def answer_in_turn(self: BotocoreStubber, request: Any) -> Any:
        with turns:
            return answer(self, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "process_request", answer_in_turn)
        yield

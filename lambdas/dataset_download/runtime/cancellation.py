"""Whether the client of the work at hand has left: what nobody waits for any more is not worth going on with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_cancellation: ContextVar[threading.Event | None] = ContextVar("departure", default=None)


class ClientDisconnectedError(Exception):
    """The client has left before its answer began."""


def set_cancellation(cancellation: threading.Event) -> None:
    """Have the work of this request, in whichever thread, end once the event is set."""
    _cancellation.set(cancellation)


def check_cancelled() -> None:
    """Raise ClientDisconnectedError if the client has left."""
    cancellation = _cancellation.get()
    if cancellation is not None and cancellation.is_set():
        raise ClientDisconnectedError("the client has left")


@contextmanager
def ignore_cancellation() -> Iterator[None]:
    """Go on in the block though the client may leave: others wait for the result, too."""
    token = _cancellation.set(None)
    try:
        yield
    finally:
        _cancellation.reset(token)

"""Cancellation: work ends once its client has disconnected."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_cancellation: ContextVar[threading.Event | None] = ContextVar("departure", default=None)


class ClientDisconnectedError(Exception):
    """The client disconnected before its response began."""


def set_cancellation(cancellation: threading.Event) -> None:
    """Make the work of this request, in any thread, end once the event is set."""
    _cancellation.set(cancellation)


def check_cancelled() -> None:
    """Raise ClientDisconnectedError if the client has disconnected."""
    cancellation = _cancellation.get()
    if cancellation is not None and cancellation.is_set():
        raise ClientDisconnectedError("the client has left")


@contextmanager
def ignore_cancellation() -> Iterator[None]:
    """Ignore a disconnect within the block, since other requests wait for the same result."""
    token = _cancellation.set(None)
    try:
        yield
    finally:
        _cancellation.reset(token)

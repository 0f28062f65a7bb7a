"""Whether the client of the work at hand has left: what nobody waits for any more is not worth going on with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_departure: ContextVar[threading.Event | None] = ContextVar("departure", default=None)


class ClientLeftError(Exception):
    """The client has left before its answer began."""


def expect_departure(departure: threading.Event) -> None:
    """Have the work of this request, in whichever thread, end once the event is set."""
    _departure.set(departure)


def check_departure() -> None:
    """Raise ClientLeftError if the client has left."""
    departure = _departure.get()
    if departure is not None and departure.is_set():
        raise ClientLeftError("the client has left")


@contextmanager
def finish_regardless() -> Iterator[None]:
    """Go on in the block though the client may leave: others wait for the result, too."""
    token = _departure.set(None)
    try:
        yield
    finally:
        _departure.reset(token)

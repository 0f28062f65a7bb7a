"""Work that several ask for at the same time is done once."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from .cancellation import ignore_cancellation


class SingleFlight[Result]:
    """Does pieces of work by key; who asks for one that is under way waits for its result."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Result]] = {}

    def do(self, key: Hashable, work: Callable[[], Result]) -> Result:
        """Return what ``work`` returns, to all who ask meanwhile; whatever it raises is raised for all of them."""
        with self._lock:
            running = self._running.get(key)
            if running is None:
                mine = self._running[key] = Future[Result]()
        if running is not None:
            return running.result()
        try:
            with ignore_cancellation():
                mine.set_result(work())
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._running[key]
        return mine.result()

"""Single flight: concurrent calls for the same key share one execution."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from .cancellation import ignore_cancellation


class SingleFlight[Result]:
    """Runs work by key; a caller whose key is already running waits for that result."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Result]] = {}

    def do(self, key: Hashable, work: Callable[[], Result]) -> Result:
        """Return the result of ``work``, or raise its error, to every concurrent caller of the key."""
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

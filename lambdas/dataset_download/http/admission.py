"""How many answers are made at once: so many that memory and processors last, and the rest is asked to come back."""

import threading
from http import HTTPStatus

import anyio
from anyio import to_thread
from aws_lambda_powertools import Logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dataset_download.request.problem import Problem, answer_problem
from dataset_download.runtime.cancellation import expect_departure

ALWAYS = frozenset({"/healthz"})
PAGES = frozenset({"/", "/datasets.json", "/openapi.json", "/docs"})
WAIT_SECONDS = 2.0
WAITING_FOR_EACH = 8
"""Requests that wait for each place; most answers take a fraction of a second."""
RETRY_SECONDS = 5
_SPARE_THREADS = 8


class Gate:
    """Places for answers of one kind."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting = 0
        self._free = anyio.Semaphore(places)

    async def enter(self) -> bool:
        """Take a place; return False if none becomes free in time."""
        if self._waiting >= WAITING_FOR_EACH * self._places:
            return False
        self._waiting += 1
        try:
            with anyio.move_on_after(WAIT_SECONDS):
                await self._free.acquire()
                return True
            return False
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Give the place back."""
        self._free.release()


class Admission:
    """Lets so many downloads in at once, and as many pages; work ends when its client leaves."""

    def __init__(self, app: ASGIApp, places: int, logger: Logger) -> None:
        self._app = app
        self._places = places
        self._logger = logger
        self._gates: dict[bool, Gate] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when there is a place for it, else answer 503."""
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self._app(scope, receive, send)
            return
        left, departure = anyio.Event(), threading.Event()

        async def receive_departure() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async with anyio.create_task_group() as tasks:
            waiting = anyio.CancelScope()

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                departure.set()
                left.set()
                waiting.cancel()

            tasks.start_soon(watch)
            expect_departure(departure)
            await self._admit(scope, receive_departure, send, waiting)
            tasks.cancel_scope.cancel()

    async def _admit(self, scope: Scope, receive: Receive, send: Send, waiting: anyio.CancelScope) -> None:
        gate = self._find_gate(scope["path"])
        is_in = False
        with waiting:
            is_in = await gate.enter()
        if is_in:
            try:
                await self._app(scope, receive, send)
            finally:
                gate.leave()
        elif not waiting.cancel_called:
            await self._refuse(scope, receive, send)

    def _find_gate(self, path: str) -> Gate:
        if not self._gates:
            # Here, where the event loop runs. Each answer works in one thread at a time.
            self._gates = {True: Gate(self._places), False: Gate(self._places)}
            to_thread.current_default_thread_limiter().total_tokens = 2 * self._places + _SPARE_THREADS
        return self._gates["." in path and path not in PAGES]

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"{self._places} answers are being made, as many as there may be at once; please try again."
        fields = {"status": HTTPStatus.SERVICE_UNAVAILABLE.value, "path": scope["path"][:200], "reason": detail}
        self._logger.info("request_rejected", extra=fields)
        problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_SECONDS)})
        await answer_problem(problem)(scope, receive, send)

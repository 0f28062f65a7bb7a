"""Admission control: bounds the number of concurrent responses; excess requests get a 503 with Retry-After."""

import threading
from http import HTTPStatus

import anyio
from anyio import to_thread
from aws_lambda_powertools import Logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dataset_download.request.problem import Problem, make_problem_response
from dataset_download.runtime.cancellation import set_cancellation

ALWAYS = frozenset({"/healthz"})
PAGES = frozenset({"/", "/datasets.json", "/openapi.json", "/docs"})
WAIT_SECONDS = 2.0
MAX_WAITING_PER_SLOT = 8
"""Waiting requests per slot; most responses take a fraction of a second."""
RETRY_SECONDS = 5
_SPARE_THREADS = 8


class RequestLimit:
    """A bounded number of slots for responses of one kind."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._waiting = 0
        self._free = anyio.Semaphore(slots)

    async def acquire(self) -> bool:
        """Acquire a slot; return False if none becomes free in time."""
        if self._waiting >= MAX_WAITING_PER_SLOT * self._slots:
            return False
        self._waiting += 1
        try:
            with anyio.move_on_after(WAIT_SECONDS):
                await self._free.acquire()
                return True
            return False
        finally:
            self._waiting -= 1

    def release(self) -> None:
        """Release the slot."""
        self._free.release()


class Admission:
    """Middleware that bounds concurrent downloads and pages, and cancels work when its client disconnects."""

    def __init__(self, app: ASGIApp, slots: int, logger: Logger) -> None:
        self._app = app
        self._slots = slots
        self._logger = logger
        self._limits: dict[bool, RequestLimit] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request if a slot is free, else respond with 503."""
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self._app(scope, receive, send)
            return
        left, cancellation = anyio.Event(), threading.Event()

        async def receive_disconnect() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async with anyio.create_task_group() as tasks:
            waiting = anyio.CancelScope()

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                cancellation.set()
                left.set()
                waiting.cancel()

            tasks.start_soon(watch)
            set_cancellation(cancellation)
            await self._admit(scope, receive_disconnect, send, waiting)
            tasks.cancel_scope.cancel()

    async def _admit(self, scope: Scope, receive: Receive, send: Send, waiting: anyio.CancelScope) -> None:
        limit = self._find_limit(scope["path"])
        is_admitted = False
        with waiting:
            is_admitted = await limit.acquire()
        if is_admitted:
            try:
                await self._app(scope, receive, send)
            finally:
                limit.release()
        elif not waiting.cancel_called:
            await self._refuse(scope, receive, send)

    def _find_limit(self, path: str) -> RequestLimit:
        if not self._limits:
            # Created lazily, since it needs the running event loop. Each response uses one thread at a time.
            self._limits = {True: RequestLimit(self._slots), False: RequestLimit(self._slots)}
            to_thread.current_default_thread_limiter().total_tokens = 2 * self._slots + _SPARE_THREADS
        return self._limits["." in path and path not in PAGES]

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"The server is already making {self._slots} responses, its limit (ANSWERS_AT_ONCE); please try again."
        fields = {"status": HTTPStatus.SERVICE_UNAVAILABLE.value, "path": scope["path"][:200], "reason": detail}
        self._logger.info("request_rejected", extra=fields)
        problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_SECONDS)})
        await make_problem_response(problem)(scope, receive, send)

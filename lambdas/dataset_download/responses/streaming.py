"""Streamed responses: the body is made while it is sent."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Literal

import anyio
from anyio import CancelScope, to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dataset_download.runtime.cancellation import ClientDisconnectedError

type End = Literal["complete", "abandoned", "failed"]
type OnEnd = Callable[[End, int, BaseException | None], None]

_SLICE = 1 << 20
"""Bytes passed to the server at once; a client that does not accept them within the time limit counts as stalled."""


class StreamedResponse(Response):
    """Sends chunks as they are made, each in a thread; an error in the middle of the body breaks the connection.

    ``on_end`` is called exactly once, in a thread, whatever the outcome, and releases the source of the chunks.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        headers: Mapping[str, str],
        on_end: OnEnd,
        stall_seconds: float,
        status: int = 200,
    ) -> None:
        self.status_code = status
        self.background = None
        self.init_headers(headers)
        self._chunks = iter(chunks)
        self._on_end = on_end
        self._stall_seconds = stall_seconds
        self._sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send all chunks, unless the client disconnects or stalls."""
        end: End = "abandoned"
        failure: BaseException | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, receive, tasks.cancel_scope)
                end, failure = await self._send_all(send)
                tasks.cancel_scope.cancel()
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._on_end, end, self._sent, failure)
        if failure is not None:
            # The server closes the connection without the end of the body, so the client sees the truncation.
            raise ResponseTruncatedError("the response body is truncated") from failure

    async def _send_all(self, send: Send) -> tuple[End, BaseException | None]:
        """Send the head and all chunks; return the outcome and the error of the source, if any."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        take = partial(next, self._chunks, None)
        while True:
            try:
                chunk = await to_thread.run_sync(take)
            except ClientDisconnectedError:
                return "abandoned", None
            except Exception as error:  # noqa: BLE001  # it is logged, and the response must not look complete
                return "failed", error
            if chunk is None:
                break
            try:
                await self._send_chunk(send, chunk)
            except (TimeoutError, OSError):
                return "abandoned", None
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return "complete", None

    async def _send_chunk(self, send: Send, chunk: bytes) -> None:
        view = memoryview(chunk)
        for start in range(0, len(chunk), _SLICE):
            part = bytes(view[start : start + _SLICE]) if len(chunk) > _SLICE else chunk
            with anyio.fail_after(self._stall_seconds):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            self._sent += len(part)

    @staticmethod
    async def _watch(receive: Receive, scope: CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()


class ResponseTruncatedError(Exception):
    """The response body is truncated."""


def read_up_to(chunks: Iterator[bytes], limit: int) -> tuple[list[bytes], bool]:
    """Read chunks until they exceed ``limit`` bytes; return them, and whether they are all."""
    chunks_read: list[bytes] = []
    size = 0
    for chunk in chunks:
        chunks_read.append(chunk)
        size += len(chunk)
        if size > limit:
            return chunks_read, False
    return chunks_read, True


def drain(chunks: list[bytes]) -> Iterator[bytes]:
    """Yield the chunks and drop the reference to each, since they may be large."""
    while chunks:
        yield chunks.pop(0)


def enforce_limit(chunks: Iterable[bytes], limit: int | None) -> Iterator[bytes]:
    """Yield the chunks as long as they do not exceed ``limit`` bytes; None: unlimited.

    Raises:
        ResponseTruncatedError: the result is larger; the response must not look complete.
    """
    left = limit
    for chunk in chunks:
        if left is not None:
            left -= len(chunk)
            if left < 0:
                raise ResponseTruncatedError(f"the result is larger than {limit} bytes (STREAM_LIMIT_MB)")
        yield chunk

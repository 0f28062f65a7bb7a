"""An in-process ASGI client that calls the application as a server does."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message


@dataclass
class Answer:
    """What the application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    is_whole: bool = False
    error: BaseException | None = None

    @property
    def body(self) -> bytes:
        raw = b"".join(self.chunks)
        return gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    app: ASGIApp,
    target: str,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    leave_after: int | None = None,
    scope: Mapping[str, Any] | None = None,
) -> Answer:
    """Return the answer to a request; the client goes away after so many chunks, if it does."""
    path, _, query = target.removeprefix(".").partition("?")
    full_scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        **(scope or {}),
    }
    answer = Answer()
    anyio.run(_run, app, full_scope, answer, leave_after)
    return answer


async def _run(app: ASGIApp, scope: dict[str, Any], answer: Answer, leave_after: int | None) -> None:
    gone = anyio.Event()
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            return
        if message.get("body"):
            answer.chunks.append(message["body"])
        answer.is_whole = not message.get("more_body", False)
        if leave_after is not None and len(answer.chunks) >= leave_after:
            gone.set()
        await anyio.lowlevel.checkpoint()

    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001  # a server would break the connection
        answer.error = error

"""Admission: the number of responses that are made at the same time."""

from collections.abc import Callable

import anyio
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dataset_download.http.admission import Admission
from dataset_download.logs import make_logger


class Slow:
    """An application whose answers end when they are told to."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.go_on = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        if scope["path"] != "/healthz":
            await self.go_on.wait()
        self.running -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def run_requests(
    paths: list[str], check: Callable[[Slow, list[int]], None], monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Send requests at the same time to two places; return the statuses in the order in which they came."""
    monkeypatch.setattr("dataset_download.http.admission.WAIT_SECONDS", 0.2)
    statuses: list[int] = []

    async def run() -> None:
        slow = Slow()
        app: ASGIApp = Admission(slow, 2, make_logger("dataset_download"))

        async def ask(path: str) -> None:
            async def receive() -> Message:
                await anyio.sleep_forever()
                raise AssertionError

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                    if message["status"] == 503:
                        assert (b"retry-after", b"5") in message["headers"]

            await app({"type": "http", "path": path, "method": "GET"}, receive, send)

        async with anyio.create_task_group() as tasks:
            for path in paths:
                tasks.start_soon(ask, path)
            await anyio.sleep(0.5)
            check(slow, statuses)
            slow.go_on.set()

    anyio.run(run)
    return statuses


def test_so_many_answers_are_made_at_once_and_the_rest_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(slow: Slow, statuses: list[int]) -> None:
        assert slow.running == 4  # two downloads, two pages
        assert sorted(statuses) == [200, *[503] * 34]

    paths = ["/a.csv"] * 20 + ["/a", "/", "/datasets.json"] * 6 + ["/healthz"]
    statuses = run_requests(paths, check, monkeypatch)
    assert sorted(statuses) == [200] * 5 + [503] * 34


def test_who_leaves_while_waiting_gives_its_place_away() -> None:
    async def run() -> None:
        slow = Slow()
        app = Admission(slow, 1, make_logger("dataset_download"))
        left = anyio.Event()

        async def receive() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            assert message.get("status", 200) == 200

        scope = {"type": "http", "path": "/a.csv", "method": "GET"}
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(app, scope, receive, send)
            await anyio.sleep(0.1)
            assert slow.running == 1
            left.set()
            await anyio.sleep(0.1)
            slow.go_on.set()
        assert slow.most == 1

    anyio.run(run)

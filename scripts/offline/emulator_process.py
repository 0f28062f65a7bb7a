"""Runs MiniStack in its own environment, with answers to Terraform that do not come too early for it.

The AWS provider's HTTP client (smithy-go before its safeWriteToReadCloser ended quietly) closes a request's body as
soon as the answer's headers are there. If its writer has not yet looked whether the body is at its end, which it does
after the last byte is sent, it takes that for a failed write, cuts the connection and asks again: what was asked is
done twice, so that functions "already exist" and event source mappings are left that nothing knows of. From AWS no
answer is that quick; from an emulator on a busy machine one in five hundred is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app as emulator  # type: ignore[import-not-found]

PAUSE_SECONDS = 0.02
"""Many times what the client's writer needs; no apply takes noticeably longer for it."""

type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]
type Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


def give_time_to_write(application: Application) -> Application:
    """Wrap an ASGI application: the provider's requests that have a body are answered after a pause."""

    async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        async def send_later(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(PAUSE_SECONDS)
            await send(message)

        await application(scope, receive, send_later if has_body_of_provider(scope) else send)

    return answer


def has_body_of_provider(scope: dict[str, Any]) -> bool:
    """Tell whether a request is one of Terraform's that has a body."""
    headers = dict(scope.get("headers", ()))
    return b"terraform-provider-aws" in headers.get(b"user-agent", b"") and headers.get(b"content-length", b"0") != b"0"


if __name__ == "__main__":
    emulator.app = give_time_to_write(emulator.app)
    emulator.main()

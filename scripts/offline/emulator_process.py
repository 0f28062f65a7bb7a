"""Runs MiniStack in its own environment, with two changes to its behaviour.

Responses to Terraform are delayed: the AWS provider's HTTP client (smithy-go before its
safeWriteToReadCloser ended quietly) closes a request's body as soon as the answer's headers are there. If its writer
has not yet looked whether the body is at its end, which it does after the last byte is sent, it takes that for a failed
write, cuts the connection and asks again: what was asked is done twice, so that functions "already exist" and event
source mappings are left that nothing knows of. From AWS no answer is that quick; from an emulator on a busy machine one
in five hundred is.

Execution environments share what is unpacked: each of MiniStack's has code and layers of its own, up to 180 MB, and all
requests wait while those of a changed function are deleted, ten seconds and more where the disk is busy. As in Lambda,
functions do not write there.

The signal USR1 has it write to its log where each of its threads is.
"""

import asyncio
import faulthandler
import hashlib
import os
import shutil
import signal
import tempfile
import zipfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

from ministack import app as emulator  # type: ignore[import-not-found]
from ministack.core import lambda_runtime  # type: ignore[import-not-found]

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
    """Return whether a request is one of Terraform's that has a body."""
    headers = dict(scope.get("headers", ()))
    return b"terraform-provider-aws" in headers.get(b"user-agent", b"") and headers.get(b"content-length", b"0") != b"0"


class SharedZip(zipfile.ZipFile):
    """A ZIP file that is unpacked once: a folder it is unpacked to becomes a link to what is there already."""

    _unpacking = Lock()

    def extractall(
        self,
        path: str | os.PathLike[str] | None = None,
        members: Iterable[str | zipfile.ZipInfo] | None = None,
        pwd: bytes | None = None,
    ) -> None:
        """Unpack all to ``path``, an empty folder. Those that come at the same time wait for the first."""
        shared = Path(tempfile.gettempdir(), f"unpacked-{self._identify()}")
        with self._unpacking:
            if not shared.exists():
                unfinished = shared.with_suffix(".part")
                shutil.rmtree(unfinished, ignore_errors=True)
                super().extractall(unfinished, members, pwd)
                unfinished.rename(shared)
        link = Path(path or ".")
        link.rmdir()
        link.symlink_to(shared)

    def _identify(self) -> str:
        contents = [(entry.filename, entry.file_size, entry.CRC) for entry in self.infolist()]
        return hashlib.sha256(repr(contents).encode()).hexdigest()[:16]


if __name__ == "__main__":
    emulator.app = give_time_to_write(emulator.app)
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZip})
    faulthandler.register(signal.SIGUSR1)
    emulator.main()

"""Detection of responses that violate HTTP/1.1, as opposed to truncated ones; they fail instead of hanging."""

import asyncio
from functools import partial

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

_STATUS_LINE = b"HTTP/"
_NOT_HTTP = ("bad status line", "invalid http version", "invalid status code")


class MisframedError(aiohttp.ClientPayloadError):
    """A server's response is not valid HTTP; the message has the parser's reason."""


class NotHttpError(aiohttp.ClientPayloadError):
    """The bytes are not an HTTP response at all, which an overloaded server may send."""


class CheckedResponseHandler(ResponseHandler):
    """aiohttp's protocol of one connection, with two additions.

    aiohttp reports "bad status line" both for a body that is longer than its ``Content-Length`` and for bytes that are
    not HTTP; this class tells them apart. If a body turns out to be invalid after its beginning was read, aiohttp 3.14
    closes the connection without notifying the body's reader, which then waits forever.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._beginning = b""

    def set_response_params(self, **options: object) -> None:
        """Prepare for the next response."""
        self._beginning = b""
        super().set_response_params(**options)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Record how the response begins."""
        if len(self._beginning) < len(_STATUS_LINE):
            self._beginning += data[: len(_STATUS_LINE)]
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Pass the error to the reader of the response or of its body."""
        if isinstance(exc, HttpProcessingError):
            exc = self._explain(exc)
        body = self._payload
        super().set_exception(exc, *cause)
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(exc)

    def _explain(self, error: HttpProcessingError) -> Exception:
        reason = error.message.partition("\n")[0].rstrip(": ")  # what follows quotes the response
        if not reason.lower().startswith(_NOT_HTTP):
            return MisframedError(reason)
        if self._beginning.startswith(_STATUS_LINE) and "expected http/" in error.message.lower():
            return MisframedError("the body is longer than its Content-Length, or its last chunk, says")
        return NotHttpError(reason)


def check_framing(connector: aiohttp.TCPConnector) -> aiohttp.TCPConnector:
    """Let a connector's connections be :class:`CheckedResponseHandler`; aiohttp has no public way to say so."""
    connector._factory = partial(CheckedResponseHandler, loop=asyncio.get_running_loop())  # type: ignore[assignment]  # noqa: SLF001
    return connector

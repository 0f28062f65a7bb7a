"""One file on an HTTP server: asking for it, for parts of it, and telling failures that pass from those that stay."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from yarl import URL

from .addresses import make_public_socket
from .exceptions import FileError, SourceBrokeError, SourceChangedError
from .schemas import Head, Validators
from .settings import Settings

_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_PASSING = {408, 425, 429}
_UNUSABLE = "the URL's host, port or credentials cannot be used (or it has credentials beside an Authorization header)"
_STRONG_AFTER_SECONDS = 60
"""A file that was changed this long before it was sent has a Last-Modified to rely on (RFC 9110, 8.8.2.2)."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


@asynccontextmanager
async def open_session(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the HTTP session of a run: bodies as they are, no cookies, no proxies, public addresses only."""
    connector = aiohttp.TCPConnector(
        limit=0,  # the run's own settings are the limit
        happy_eyeballs_delay=None,  # one address after another, so that a refusal is not lost among failures
        socket_factory=None if settings.allow_private_hosts else make_public_socket,
    )
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=min(30, settings.stall_seconds), sock_read=settings.stall_seconds
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=settings.chunk_size,
        headers={"Accept-Encoding": "identity", "User-Agent": "sluice-csv-streamer"},
    ) as session:
        yield session


class Source:
    """A URL and the headers that go with it."""

    def __init__(self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        self._session = session
        self._url = _parse_url(url)
        self._headers = headers
        self._resolved: tuple[URL, bool] | None = None

    @asynccontextmanager
    async def get(self, conditions: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the answer to a GET with further headers: 200, 206 or 304; its connection is closed if unread.

        Raises:
            FileError: the server says no, or leads to where nothing may be fetched from.
            SourceBrokeError: it may say yes later.
            SourceChangedError: 416, the range that is asked for does not exist.
        """
        try:
            response = await self._follow(conditions)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _describe(error) from error
        except ValueError as error:  # what the library only finds when it makes the request; its text may quote any
            raise FileError(_UNUSABLE) from error
        try:
            _check_status(response, conditions)
            yield response
        finally:
            response.close()

    async def _follow(self, conditions: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Ask, and follow redirects; headers of the entry's own do not travel to another origin."""
        remembered = self._resolved
        url, ours = remembered or (self._url, True)
        for _ in range(_MAX_REDIRECTS + 1):
            headers = {**(self._headers if ours else {}), **conditions}
            response = await self._session.get(url, headers=headers, allow_redirects=False)
            if response.status not in _REDIRECTS or "Location" not in response.headers:
                # The next range goes there at once; after a failure the way is asked for anew.
                was_led = url is not self._url and response.status < HTTPStatus.BAD_REQUEST
                self._resolved = (url, ours) if was_led else None
                if remembered is None or not _is_refusal(response.status):
                    return response
                response.close()
                return await self._follow(conditions)  # what a redirect leads to is often signed for minutes only
            response.close()
            target = url.join(_parse_url(response.headers["Location"]))
            if target.scheme not in {"http", "https"} or not target.host:
                raise FileError(f"redirected to a {target.scheme or 'nameless'}: URL, which is not fetched")
            ours = ours and (target.origin() == url.origin() or _is_upgrade(url, target))
            url = target
        raise FileError(f"more than {_MAX_REDIRECTS} redirects")

    def forget_redirect(self) -> None:
        """Ask the first URL again: where it led to may no longer hold."""
        self._resolved = None


def _is_refusal(status: int) -> bool:
    """Tell whether a status says that the request itself is wrong."""
    lasting = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING
    return lasting and status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def _is_upgrade(url: URL, target: URL) -> bool:
    both_default = url.is_default_port() and target.is_default_port()
    return both_default and url.host == target.host and (url.scheme, target.scheme) == ("http", "https")


def _parse_url(text: str) -> URL:
    try:
        return URL(text, encoded=text.isascii())  # what is signed must arrive as it was signed
    except (ValueError, UnicodeError) as error:
        raise FileError("not a URL that can be fetched") from error  # the error's text may quote a password


def _check_status(response: aiohttp.ClientResponse, conditions: Mapping[str, str]) -> None:
    status = response.status
    accepted = {HTTPStatus.OK}
    if "Range" in conditions:
        accepted.add(HTTPStatus.PARTIAL_CONTENT)
    if "If-None-Match" in conditions or "If-Modified-Since" in conditions:
        accepted.add(HTTPStatus.NOT_MODIFIED)
    if status in accepted:
        return
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise SourceChangedError("the file is shorter than it was said to be (HTTP 416)")
    phrase = f"HTTP {status} {HTTPStatus(status).phrase}" if status in HTTPStatus else f"HTTP {status}"
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceBrokeError(phrase, _parse_retry_after(response.headers.get("Retry-After")))
    raise FileError(phrase)


def _parse_retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    moment = _parse_date(value)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else None


def _parse_date(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _describe(error: Exception) -> SourceBrokeError | FileError:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return FileError(f"the server's certificate is not valid: {error.certificate_error}")
        case aiohttp.InvalidURL():
            return FileError("not a URL that can be fetched")
        case TimeoutError():
            return SourceBrokeError("the connection stalled")
        case aiohttp.ClientConnectorError():
            return SourceBrokeError(f"no connection: {error.os_error.strerror or error.os_error}")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientOSError():
            return SourceBrokeError("the connection was dropped")
        case _:
            return SourceBrokeError(f"not HTTP as it should be ({type(error).__name__})")


async def read_body(response: aiohttp.ClientResponse, chunk_size: int) -> AsyncGenerator[bytes]:
    """Yield an answer's body as it comes, at most ``chunk_size`` bytes at a time.

    Raises:
        SourceBrokeError: the connection broke or stalled before the body's end.
    """
    try:
        async for chunk in response.content.iter_chunked(chunk_size):
            yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        # aiohttp tells of the break at once; what arrived before it is there all the same. Without it a server that
        # drops every megabyte, and a reader that is a megabyte behind, would not get ahead at all.
        response.content.set_exception(None)  # type: ignore[arg-type]  # nothing else lets the rest be read
        if rest := response.content.read_nowait():
            yield rest
        raise _describe(error) from error


def read_head(response: aiohttp.ClientResponse) -> Head:
    """Return what a first answer says of the file."""
    headers = response.headers
    length = headers.get("Content-Length", "")
    modified, sent = _parse_date(headers.get("Last-Modified")), _parse_date(headers.get("Date"))
    age = (sent - modified).total_seconds() if sent and modified else 0
    return Head(
        url=str(response.url),
        length=int(length) if length.isdecimal() and "Transfer-Encoding" not in headers else None,
        validators=Validators(
            etag=_take_plain(headers.get("ETag")),
            last_modified=_take_plain(headers.get("Last-Modified")),
            last_modified_is_strong=age >= _STRONG_AFTER_SECONDS,
        ),
        accepts_ranges="bytes" in headers.get("Accept-Ranges", "").lower(),
        content_type=headers.get("Content-Type"),
        content_encoding=_take_plain(headers.get("Content-Encoding")),
        disposition=headers.get("Content-Disposition"),
    )


def _take_plain(value: str | None) -> str | None:
    """Return a header that another request can carry, None for one with bytes that it could not."""
    return value if value and value.isascii() and value.isprintable() else None


def check_range(response: aiohttp.ClientResponse, head: Head, start: int) -> int:
    """Return the file's length after checking that a partial answer gives it and that it continues the same version.

    Raises:
        SourceChangedError: it does not.
    """
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        raise SourceChangedError("the file changed, or the server does not send parts of it")
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != start:
        raise SourceChangedError("the server sent another range than was asked for")
    length = head.length if found[3] == "*" else int(found[3])
    if length is None:  # the answer may end before the file does
        raise SourceChangedError("the server does not say where the file ends")
    if head.length not in {None, length} or not _is_same_version(response, head.validators):
        raise SourceChangedError("the file changed while it was fetched")
    return length


def _is_same_version(response: aiohttp.ClientResponse, known: Validators) -> bool:
    """Tell whether an answer to ``If-Range`` is of the version that was asked for, as far as it says."""
    headers = response.headers
    if headers.get("ETag", known.etag) != known.etag:
        return False
    relied_on_date = known.strong == known.last_modified
    return not relied_on_date or headers.get("Last-Modified", known.last_modified) == known.last_modified

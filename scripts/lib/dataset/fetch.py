"""GET requests with manual redirects: a signature goes only to the host that it was made for.

S3 refuses a presigned query with signing headers, and a session token must not reach other hosts. A 202 response is
followed, too: it names where the export's status is, which redirects to the export once that is ready.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}
_MAX_REDIRECTS = 10
_EXPORT_SECONDS = 960
"""An export may take as long as a function may run."""
_TIMEOUT_SECONDS = 120
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class FetchError(RuntimeError):
    """No final response: too many redirects, a forbidden redirect, or an export that takes too long."""


class Signer:
    """Signs requests to one origin, as the caller's AWS identity.

    Args:
        url: its scheme, host and port are the origin.
        service: the name that is signed for, such as ``lambda``.
        region: the region that is signed for.
        credentials: whose signature it is; ``None`` for the default chain's.
    """

    def __init__(self, url: str, service: str, region: str, credentials: Credentials | None = None) -> None:
        self._origin = _find_origin(url)
        self._service, self._region = service, region
        self._credentials = credentials or boto3.Session().get_credentials()
        if self._credentials is None:
            raise FetchError("no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID")

    def sign(self, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers to send to a URL: signed for the origin, unchanged for any other host."""
        if _find_origin(url) != self._origin:
            return dict(headers)
        request = AWSRequest("GET", url, headers=dict(headers))
        SigV4Auth(self._credentials.get_frozen_credentials(), self._service, self._region).add_auth(request)  # type: ignore[union-attr]
        return dict(request.headers.items())


def make_signer(base: str) -> Signer | None:
    """Return a signer for a dataset's URL; ``None`` if it is not a Lambda function URL."""
    host = urlsplit(base).hostname or ""
    is_lambda = urlsplit(base).scheme == "https" and ".lambda-url." in host
    return Signer(base, "lambda", os.environ["AWS_REGION"]) if is_lambda else None


def fetch(url: str, headers: Mapping[str, str], signer: Signer | None) -> requests.Response:
    """Return the response after all redirects and 202s; its body is not read yet.

    Raises:
        FetchError: the redirects or 202s do not end.
        requests.RequestException: the server does not respond.
    """
    deadline = time.monotonic() + _EXPORT_SECONDS
    redirects = 0
    while True:
        try:
            answer = _get(url, headers, signer)
        except ValueError as error:  # requests looks at where a redirect leads, too
            raise FetchError(
                f"the address, or the one that it redirects to, is not valid ({type(error).__name__})"
            ) from error
        location = answer.headers.get("Location")
        if answer.status_code == HTTPStatus.ACCEPTED and location:
            pause = _read_pause(answer)
            answer.close()
            if time.monotonic() + pause > deadline:
                raise FetchError(f"the export is still not ready after {_EXPORT_SECONDS} s")
            time.sleep(pause)
        elif answer.status_code in _REDIRECTS and location:
            answer.close()
            redirects += 1
            if redirects > _MAX_REDIRECTS:
                raise FetchError(f"more than {_MAX_REDIRECTS} redirects")
        else:
            return answer
        url = _resolve(url, location)


def _get(url: str, headers: Mapping[str, str], signer: Signer | None) -> requests.Response:
    sent = signer.sign(url, headers) if signer else dict(headers)
    return requests.get(
        url,
        headers=sent,
        # Otherwise requests would send the host's credentials from ~/.netrc.
        auth=_send_as_it_is,
        allow_redirects=False,
        stream=True,
        timeout=_TIMEOUT_SECONDS,
    )


def _send_as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _resolve(url: str, location: str) -> str:
    """Return the absolute URL of a Location header, which may be relative."""
    try:
        following = urljoin(url, location)
        scheme, _, _ = _find_origin(following)
    except ValueError as error:
        raise FetchError(f"a redirect names no address: {error}") from error
    if scheme != "https" and scheme != urlsplit(url).scheme:
        raise FetchError(f"a redirect from {urlsplit(url).scheme} to {scheme or 'no scheme'} is not followed")
    if not urlsplit(following).hostname:
        raise FetchError("a redirect names no host")
    return following


def _read_pause(answer: requests.Response) -> float:
    pause = _SHORTEST_PAUSE
    with suppress(ValueError):
        pause = float(answer.headers.get("Retry-After", _SHORTEST_PAUSE))
    return min(max(pause, _SHORTEST_PAUSE), _LONGEST_PAUSE)


def _find_origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port

"""Plain HTTP with nothing done behind one's back: no redirects, no decoding, no retries."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes
    complete: bool
    """False if the connection ended before the body did."""


def fetch(url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", headers=dict(headers or {}))
        answer = connection.getresponse()
        body, complete = b"", True
        try:
            while block := answer.read1(65_536):
                body += block
            # read1() of a body with a length does not complain about a short one.
            complete = not answer.length
        except (http.client.IncompleteRead, ConnectionResetError, ValueError):
            complete = False
        return Answer(answer.status, answer.headers, body, complete)
    finally:
        connection.close()

"""Request bodies: length, chunks and compression."""

import io
from email.message import Message

import pytest

from clickhouse.bodies import find_compression, read_blocks
from clickhouse.errors import ClickHouseError


def make_headers(**fields: str) -> Message:
    headers = Message()
    for name, value in fields.items():
        headers[name.replace("_", "-")] = value
    return headers


def test_body_is_read_to_its_length_and_not_beyond() -> None:
    source = io.BytesIO(b"x" * 600_000 + b"GET /")
    assert b"".join(read_blocks(source, make_headers(Content_Length="600000"))) == b"x" * 600_000
    assert source.read() == b"GET /"


def test_chunked_body_is_joined() -> None:
    source = io.BytesIO(b"3\r\nabc\r\n4;note=1\r\n\r\nde\r\n0\r\nTrailer: 1\r\n\r\nGET /")
    assert b"".join(read_blocks(source, make_headers(Transfer_Encoding="chunked"))) == b"abc\r\nde"
    assert source.read() == b"GET /"


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"abc", {"Content_Length": "4"}),
        (b"3\r\nabc\r\n", {"Transfer_Encoding": "chunked"}),
        (b"5\r\nabc", {"Transfer_Encoding": "chunked"}),
        (b"zz\r\nabc", {"Transfer_Encoding": "chunked"}),
    ],
)
def test_body_that_ends_early_is_an_error(content: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(ConnectionError):
        list(read_blocks(io.BytesIO(content), make_headers(**headers)))


def test_unknown_compression_is_refused() -> None:
    assert find_compression(make_headers(Content_Encoding="GZIP")) == "gzip"
    with pytest.raises(ClickHouseError, match="Unknown compression method compress"):
        find_compression(make_headers(Content_Encoding="compress"))

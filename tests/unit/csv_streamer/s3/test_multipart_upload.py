"""How bodies leave: over HTTPS, as in AWS, where botocore goes other ways than over HTTP."""

import asyncio
import base64
import logging
import zlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aws_lambda_powertools import Logger
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from csv_streamer import clients
from csv_streamer.clients import S3
from csv_streamer.s3.multipart_upload import Destination, Upload
from csv_streamer.s3.part_sizes import MIB, Span
from tests.unit.csv_streamer.conftest import SESSION

SIZE = MIB
TO = Destination("bucket", "raw/a.csv", ".csv-streamer/uploads/a.csv", "text/csv", None, {"ingestion_time": "now"})


class Wire:
    """S3 as far as what is sent to it."""

    def __init__(self) -> None:
        self.headers: dict[str, Any] = {}
        self.body: Any = None

    def answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.body = request.body
        headers = HTTPHeaders()
        headers["ETag"] = '"e"'
        return AWSResponse(request.url, 200, headers, SimpleNamespace(stream=lambda **_: [b""]))


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setattr(clients, "get_session", lambda: SESSION)
    clients.s3_client.cache_clear()
    wire = Wire()
    send: Any = wire.answer
    clients.s3_client(1).meta.events.register_first("before-send.s3", send)
    yield wire
    clients.s3_client.cache_clear()


@pytest.mark.parametrize("whole", [False, True], ids=["part", "whole file"])
def test_body_is_not_copied_on_its_way_and_carries_its_checksum(wire: Wire, *, whole: bool) -> None:
    body = bytearray(b"\x5a") * SIZE

    async def play() -> None:
        s3 = S3(clients.s3_client(1), 1)
        upload = Upload(s3, TO, cast("Logger", logging.getLogger("upload")), "upload-1")
        await (upload.put_whole(body, "0" * 64) if whole else upload.put_part(Span(1, 0, SIZE), body))
        s3.close()

    asyncio.run(play())
    assert wire.body is body
    assert wire.headers["x-amz-checksum-crc32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))
    assert wire.headers["x-amz-content-sha256"] == b"UNSIGNED-PAYLOAD", "its SHA-256 would take a second pass"

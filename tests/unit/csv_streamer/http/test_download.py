import asyncio
from collections.abc import AsyncGenerator

import pytest

from csv_streamer.exceptions import SourceBrokeError, SourceChangedError
from csv_streamer.http.download import Download
from csv_streamer.http.session import open_http_session
from csv_streamer.http.source import Source, read_body, read_head
from csv_streamer.settings import Settings
from sample_files import expected_body
from tests.support.tiers import few_quick
from tests.unit.csv_streamer.http.raw_requests import answering

SETTINGS = Settings.from_environment({"BUCKET_NAME": "b", "ALLOW_PRIVATE_HOSTS": "true"})


async def collect(chunks: AsyncGenerator[bytes], pause: float = 0) -> bytes:
    body = b""
    async for chunk in chunks:
        body += chunk
        await asyncio.sleep(pause)
    return body


def test_what_came_before_a_break_is_kept_by_a_reader_that_is_behind(sample_server: str) -> None:
    path = "/hostile/drop/units.csv?bytes=300000&every=70000"

    async def read() -> bytes:
        body = b""
        async with open_http_session(SETTINGS) as web, Source(web, sample_server + path, {}).get({}) as response:
            await asyncio.sleep(0.2)  # all of it and the break are here by now
            try:
                async for chunk in read_body(response, 1024):
                    body += chunk
            except SourceBrokeError:
                return body
        pytest.fail("the break went by unnoticed")

    assert asyncio.run(read()) == expected_body(path)[:70_000]


@pytest.mark.parametrize(
    ("start", "end"), few_quick([(70_000, 140_001), (299_999, 300_000), (0, 300_000), (1, 300_000)], quick=2)
)
def test_a_range_is_read_over_any_number_of_breaks(sample_server: str, start: int, end: int) -> None:
    path = f"/hostile/drop/units.csv?bytes=300000&every=33333&token=range-{start}-{end}"
    retries = []

    async def read() -> bytes:
        async with open_http_session(SETTINGS) as web:
            source = Source(web, sample_server + path, {})
            async with source.get({}) as response:
                head = read_head(response)
            download = Download(source, head, SETTINGS, lambda *retry: retries.append(retry), float("inf"))
            return await collect(download.read(start, end))

    assert asyncio.run(read()) == expected_body(path)[start:end]
    assert len(retries) == (end - start - 1) // 33333
    assert {attempt for attempt, *_ in retries} <= {1}, "each began with the first attempt again"


@pytest.mark.parametrize("length", [3, 9])
def test_answer_of_another_length_is_another_version_even_without_validators(length: int) -> None:
    """The connection broke before the first byte; then the file was longer, and its end would be cut off."""

    async def read() -> bytes:
        cut_off = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
        other = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length
        async with answering(cut_off, other) as (url, _), open_http_session(SETTINGS) as web:
            source = Source(web, f"{url}/a.csv", {})
            async with source.get({}) as first:
                download = Download(source, read_head(first), SETTINGS, lambda *_: None, float("inf"))
                return await collect(download.read(0, 6, first))

    with pytest.raises(SourceChangedError, match="changed"):
        asyncio.run(read())

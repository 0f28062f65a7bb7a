from collections.abc import Callable, Iterator

import anyio
import pytest
from starlette.types import Message

from dataset_download.exceptions import ObjectChangedError
from dataset_download.http.application import create_app
from dataset_download.reading.result_stream import Download, start_download
from dataset_download.responses import respond
from dataset_download.responses.streaming import ResponseTruncatedError, StreamedResponse, read_up_to
from tests.unit.dataset_download.asgi import call
from tests.unit.dataset_download.conftest import MakeService, read_events, read_metrics

type Ends = list[tuple[str, int, BaseException | None]]


def make_response(pieces: Iterator[bytes], ends: Ends, stall_seconds: float = 60) -> StreamedResponse:
    return StreamedResponse(pieces, {"X-Test": "1"}, lambda *end: ends.append(end), stall_seconds)


def test_all_pieces_are_sent_in_order() -> None:
    ends: Ends = []
    answer = call(make_response(iter([b"a", b"b" * 3_000_000, b"c"]), ends), "/")
    assert answer.body == b"a" + b"b" * 3_000_000 + b"c"
    assert max(len(chunk) for chunk in answer.chunks) <= 1 << 20
    assert answer.is_whole
    assert answer.headers == {"x-test": "1"}
    assert ends == [("complete", 3_000_002, None)]


def test_an_error_in_the_middle_leaves_the_answer_unfinished() -> None:
    def make_pieces() -> Iterator[bytes]:
        yield b"a"
        raise ObjectChangedError("changed")

    ends: Ends = []
    answer = call(make_response(make_pieces(), ends), "/")
    assert answer.chunks == [b"a"]
    assert not answer.is_whole
    assert isinstance(answer.error, ResponseTruncatedError)
    ((end, size, error),) = ends
    assert (end, size) == ("failed", 1)
    assert isinstance(error, ObjectChangedError)


def test_a_client_that_goes_away_ends_the_reading() -> None:
    made = 0

    def make_pieces() -> Iterator[bytes]:
        nonlocal made
        for _ in range(100_000):
            made += 1
            yield b"x" * 100

    ends: Ends = []
    answer = call(make_response(make_pieces(), ends), "/", leave_after=3)
    assert not answer.is_whole
    assert made < 100
    assert [end for end, _, _ in ends] == ["abandoned"]
    assert answer.error is None


def test_a_client_that_takes_nothing_is_given_up() -> None:
    ends: Ends = []
    sent: list[Message] = []

    async def run() -> None:
        async def send(message: Message) -> None:
            sent.append(message)
            if message.get("body"):
                await anyio.sleep_forever()

        async def receive() -> Message:
            await anyio.sleep_forever()
            raise AssertionError

        await make_response(iter([b"a", b"b"]), ends, 0.05)({"type": "http"}, receive, send)

    anyio.run(run)
    assert ends == [("abandoned", 0, None)]
    assert all(message.get("more_body", True) for message in sent)


def test_pulling_stops_where_it_is_too_much() -> None:
    source = iter([b"aa", b"bb", b"cc"])
    assert read_up_to(source, 3) == ([b"aa", b"bb"], False)
    assert list(source) == [b"cc"]
    assert read_up_to(iter([b"aa", b"bb"]), 4) == ([b"aa", b"bb"], True)
    assert read_up_to(iter([]), 0) == ([], True)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Download]:
    """Give the downloads that are begun, with a count of how often each is closed."""
    made: list[Download] = []

    def start(*arguments: object, **named: object) -> Download:
        download = start_download(*arguments, **named)  # type: ignore[arg-type]
        made.append(download)
        return download

    monkeypatch.setattr(respond, "start_download", start)
    return made


def test_a_download_that_is_left_is_closed_and_reported(
    make: MakeService, opened: list[Download], printed: Callable[[], str]
) -> None:
    app = create_app(make(small_answer=1, batch_rows=10))
    answer = call(app, "/customers.csv", leave_after=1)
    assert not answer.is_whole
    (download,) = opened
    with pytest.raises(StopIteration):
        next(download)
    output = printed()
    assert [event["outcome"] for event in read_events(output, "download")] == ["abandoned"]
    assert read_metrics(output)["Downloads"] == 0


def test_a_failure_in_the_middle_is_reported_as_one(make: MakeService, printed: Callable[[], str]) -> None:
    service = make(small_answer=1, batch_rows=10)
    original = service.store.client.get_object
    calls = 0

    def replace_meanwhile(**arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            service.store.client.put_object(Bucket="data", Key="customers.parquet", Body=b"other")
        return original(**arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service.store.client, "get_object", replace_meanwhile)
        answer = call(create_app(service), "/customers.csv")
    assert not (answer.status == 200 and answer.is_whole)
    (event,) = read_events(printed(), "download")
    assert event["outcome"] == "failed"
    assert event["exception_name"] == "ObjectChangedError"

"""The last seconds of an invocation: whatever hangs then, what is left is handed over or reported before the end."""

import re
import threading
from collections.abc import Callable, Iterator

import pytest
from botocore.awsrequest import AWSPreparedRequest

from csv_streamer import clients
from csv_streamer.transfer import context as run
from csv_streamer.transfer.context import Speeds
from sample_files import expected_sha256
from tests.support.tiers import few_quick
from tests.unit.csv_streamer.conftest import BUCKET, EMITTER, PART, Context, Streamer
from tests.unit.csv_streamer.run.test_continuation import LARGE, Deadline, Invoker, deadline, invoke_first, invoker

__all__ = ["deadline", "invoker"]  # fixtures of that module, for this one
FEW = f"/files/transactions.csv?bytes={6 * PART}"


class HangingS3:
    """Lets requests of one operation hang after the first ``after``: parts by their numbers, others by their order."""

    def __init__(self, operation: str, after: int) -> None:
        self.after: float = after
        self._event = f"before-send.s3.{operation}"
        self._calls = 0
        self._is_over = threading.Event()
        EMITTER.register_first(self._event, self._hang)
        clients.s3_client.cache_clear()

    def _hang(self, request: AWSPreparedRequest, **_: object) -> None:
        self._calls += 1
        # The threads of parts overtake each other, and only parts in order can be kept.
        part = re.search(r"partNumber=(\d+)", request.url)
        if (int(part[1]) if part else self._calls) > self.after:
            self._is_over.wait(30)
            raise RuntimeError("no answer came")

    def end(self) -> None:
        self._is_over.set()
        EMITTER.unregister(self._event, self._hang)
        clients.s3_client.cache_clear()


type Hang = Callable[[str, int], HangingS3]


@pytest.fixture
def hang(streamer: Streamer) -> Iterator[Hang]:
    hanging: list[HangingS3] = []

    def begin(operation: str, after: int) -> HangingS3:
        hanging.append(HangingS3(operation, after))
        return hanging[-1]

    yield begin
    for one in hanging:
        one.end()


@pytest.fixture
def short(streamer: Streamer, invoker: Invoker, deadline: Deadline) -> Context:
    """An invocation of nine seconds that stops fetching after six, and waits for S3 until the eighth."""
    deadline.after = 10**12
    streamer.set("STOP_BEFORE_SECONDS", "3")
    streamer.set("CONCURRENCY", "1")
    return Context("first", remaining_ms=9000)


@pytest.mark.parametrize(
    ("path", "connections", "reason"),
    few_quick(
        [
            (LARGE, "4", "the invocation's end came first"),
            (FEW, "4", "S3 did not take it before the invocation's end"),
            (
                f"/hostile/chunked/a.csv?bytes={6 * PART}&ranges=yes",
                "1",
                "S3 did not take it before the invocation's end",
            ),
        ]
    ),
)
def test_uploads_that_hang_keep_no_file_from_being_handed_over(
    streamer: Streamer, invoker: Invoker, short: Context, hang: Hang, path: str, connections: str, reason: str
) -> None:
    """They take all of the threads that uploads have."""
    streamer.set("RANGE_CONNECTIONS", connections)
    streamer.put_parameters(path)
    hanging = hang("UploadPart", 2)
    _, body = streamer.invoke({}, short)
    (result,) = body["results"]
    assert (result["status"], result.get("error")) == ("deferred", reason)
    hanging.after = float("inf")
    _, body = streamer.invoke(invoker.events.pop(), Context("second"))
    assert body["results"][0]["status"] == "success", body
    assert streamer.sha256(body["results"][0]["s3_key"]) == expected_sha256(path)
    assert body["s3_request_counts"]["create_multipart"] == 0


@pytest.mark.parametrize("connections", few_quick(["1", "4"]))
def test_completion_that_hangs_is_done_by_the_next_invocation_without_fetching_anything(
    streamer: Streamer, invoker: Invoker, short: Context, hang: Hang, connections: str
) -> None:
    streamer.set("RANGE_CONNECTIONS", connections)
    path = f"{FEW}&token=completion-{connections}"
    streamer.put_parameters(path)
    hanging = hang("CompleteMultipartUpload", 0)
    _, body = streamer.invoke({}, short)
    assert (body["results"][0]["status"], body["results"][0]["bytes"]) == ("deferred", 6 * PART)
    asked = len(streamer.requests(f"completion-{connections}"))
    hanging.after = float("inf")
    _, body = streamer.invoke(invoker.events.pop(), Context("second"))
    assert (body["results"][0]["status"], body["results"][0]["bytes"]) == ("success", 6 * PART)
    assert streamer.sha256(body["results"][0]["s3_key"]) == expected_sha256(path)
    assert len(streamer.requests(f"completion-{connections}")) == asked


def test_abort_that_hangs_keeps_nothing_from_being_reported(
    streamer: Streamer, invoker: Invoker, short: Context, hang: Hang
) -> None:
    streamer.deny("UploadPart", after=2)
    hang("AbortMultipartUpload", 0)
    streamer.put_parameters(LARGE)
    (result,) = streamer.invoke({}, short)[1]["results"]
    assert (result["status"], result["error"]) == ("failed", "UploadPart failed: AccessDenied")
    (line,) = streamer.named("multipart_abort_failed")
    assert line["error"] == "no response in time"
    (upload,) = streamer.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]  # left to the lifecycle rule
    streamer.s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])


def test_state_that_cannot_be_deleted_does_not_make_the_work_undone(
    streamer: Streamer, invoker: Invoker, deadline: Deadline
) -> None:
    """An exception here would have Lambda repeat all of the invocation."""
    streamer.put_parameters(LARGE)
    invoke_first(streamer, deadline)
    streamer.deny("DeleteObject")
    status, body = streamer.invoke(invoker.events.pop(), Context("second"))
    assert (status, body["results"][0]["status"]) == (200, "success")
    (line,) = streamer.named("continuation_delete_failed")
    assert (line["run"], line["hop"]) == ("first", 2)
    assert "AccessDenied" in line["error"]
    assert streamer.named("lambda_complete")


def test_file_that_would_take_longer_than_there_is_time_is_left(
    streamer: Streamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_MIN_SAMPLE_BYTES", 1000)
    streamer.set("CONCURRENCY", "1")
    streamer.put_parameters("/files/a.csv?bytes=100000&kbps=200", "/files/b.csv?bytes=1000000000&validator=none")
    _, body = streamer.invoke(None, Context(remaining_ms=60_000))
    first, second = body["results"]
    assert (first["status"], second["status"]) == ("success", "deferred")
    assert "more than are left" in second["error"]


def test_small_file_and_other_servers_tell_nothing_of_a_servers_speed() -> None:
    speeds = Speeds()
    speeds.note("https://a.example/small.csv", 1000, 10.0)
    assert speeds.best("https://a.example/large.csv") is None
    for bytes_per_second in (5e6, 9e6, 7e6):
        speeds.note("https://u:p@a.example/large.csv?x=1", 10**9, bytes_per_second)
    assert speeds.best("https://a.example/other.csv") == 9e6
    assert speeds.best("https://b.example/other.csv") is None

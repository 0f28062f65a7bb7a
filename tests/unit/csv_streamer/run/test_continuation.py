"""Files that take longer than an invocation: carried over, begun anew, or refused, but never lost and never broken."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from csv_streamer.run import handover
from csv_streamer.s3.multipart_upload import Upload
from csv_streamer.transfer import file_transfer as transfer
from csv_streamer.transfer.context import Clock
from csv_streamer.transfer.progress import ProgressMeter
from sample_files import expected_sha256
from tests.unit.csv_streamer.conftest import BUCKET, PART, SESSION, Context, Streamer

SIZE = 40 * PART
LARGE = f"/files/transactions.csv?bytes={SIZE}"


class Invoker:
    """Stands in for Lambda: keeps what the function sends itself."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.error: Exception | None = None

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        if self.error:
            raise self.error
        assert FunctionName == Context().invoked_function_arn
        assert InvocationType == "Event"
        self.events.append(json.loads(Payload))


class Deadline:
    """Ends an invocation's time when so many bytes have come, and not when the machine happens to be slow."""

    def __init__(self) -> None:
        self.after = 10**12
        self._seen = 0
        self._scope: asyncio.Timeout | None = None

    @property
    def is_over(self) -> bool:
        return self._seen >= self.after

    def begin(self) -> None:
        """Begin another invocation."""
        self._seen = 0

    def tell(self, clock: Clock) -> float:
        """Return the present, which is the clock's end once the bytes have come."""
        return clock.stop_at if self.is_over else asyncio.get_running_loop().time()

    def timeout_at(self, when: float) -> asyncio.Timeout:
        self._scope = asyncio.timeout_at(when)
        return self._scope

    def count(self, size: int) -> None:
        was_over = self.is_over
        self._seen += size
        if self.is_over and not was_over and self._scope:
            self._scope.reschedule(asyncio.get_running_loop().time())


@pytest.fixture
def deadline(monkeypatch: pytest.MonkeyPatch) -> Deadline:
    deadline = Deadline()
    count = ProgressMeter.count

    def count_both(meter: ProgressMeter, size: int) -> None:
        count(meter, size)
        deadline.count(size)

    monkeypatch.setattr(transfer, "timeout_at", deadline.timeout_at)
    monkeypatch.setattr(ProgressMeter, "count", count_both)
    monkeypatch.setattr(Clock, "now", property(deadline.tell))
    return deadline


@pytest.fixture
def invoker(streamer: Streamer, deadline: Deadline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Invoker]:
    streamer.set("CONTINUE_ASYNC", "true")
    deadline.after = 12 * PART
    invoker = Invoker()
    monkeypatch.setattr(handover, "lambda_client", lambda: invoker)
    yield invoker
    assert streamer.unfinished_uploads() == 0


def invoke_first(streamer: Streamer, deadline: Deadline) -> Any:
    """Return the answer of an invocation whose time ends; the ones after it have all they need."""
    _, body = streamer.invoke({}, Context("first"))
    deadline.after = 10**12
    return body


def finish(streamer: Streamer, invoker: Invoker, deadline: Deadline, most: int = 20) -> list[dict[str, Any]]:
    """Invoke until nothing is left; return the body of each answer."""
    bodies = []
    event: Any = {}
    for number in range(most):
        deadline.begin()
        status, body = streamer.invoke(event, Context(f"request-{number}"))
        assert status in {200, 502}, body
        bodies.append(body)
        if not invoker.events:
            return bodies
        event = invoker.events.pop(0)
    pytest.fail(f"not done after {most} invocations")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(LARGE, id="ranges"),
        pytest.param(f"/hostile/chunked/units.csv?bytes={SIZE}&ranges=yes", id="unknown length"),
        pytest.param(f"/hostile/drop/units.csv?bytes={SIZE}&every=10000", id="dropped all the time"),
    ],
)
def test_a_file_is_carried_over_until_it_is_done(
    streamer: Streamer, invoker: Invoker, deadline: Deadline, path: str
) -> None:
    streamer.put_parameters(path)
    bodies = finish(streamer, invoker, deadline)
    statuses = [body["results"][0]["status"] for body in bodies]
    assert statuses == ["deferred"] * (len(bodies) - 1) + ["success"], bodies
    assert len(bodies) >= 3
    result = bodies[-1]["results"][0]
    assert streamer.sha256(result["s3_key"]) == expected_sha256(path)
    assert result["bytes"] == SIZE
    assert sum(body["s3_request_counts"]["create_multipart"] for body in bodies) == 1


def test_the_one_connection_way_is_carried_over_too(streamer: Streamer, invoker: Invoker, deadline: Deadline) -> None:
    streamer.set("RANGE_CONNECTIONS", "1")
    streamer.put_parameters(path := f"/files/transactions.csv?bytes={SIZE}")
    bodies = finish(streamer, invoker, deadline)
    assert len(bodies) >= 3
    assert streamer.sha256(bodies[-1]["results"][0]["s3_key"]) == expected_sha256(path)


def test_what_was_not_begun_is_done_by_the_next_invocation_under_the_first_ones_key(
    streamer: Streamer, invoker: Invoker, deadline: Deadline
) -> None:
    streamer.set("CONCURRENCY", "1")
    quick = "/files/units.csv?bytes=1000"
    streamer.put_parameters(LARGE, quick, {"url": "/files/units.csv?bytes=2000"})
    bodies = finish(streamer, invoker, deadline)
    results = bodies[-1]["results"]
    assert [result["status"] for result in bodies[0]["results"]] == ["deferred"] * 3
    assert [result["status"] for result in results] == ["success"] * 3
    assert results[2]["s3_key"].endswith("/units-2.csv")
    assert streamer.sha256(results[1]["s3_key"]) == expected_sha256(quick)


def test_a_file_that_changes_between_invocations_is_begun_anew(
    streamer: Streamer, invoker: Invoker, deadline: Deadline
) -> None:
    path = f"/hostile/drop/units.csv?bytes={SIZE}&every=9000&changes=2"
    streamer.put_parameters(path)
    bodies = finish(streamer, invoker, deadline)
    assert streamer.sha256(bodies[-1]["results"][0]["s3_key"]) == expected_sha256(path)


def test_an_upload_that_is_gone_is_begun_anew(streamer: Streamer, invoker: Invoker, deadline: Deadline) -> None:
    streamer.put_parameters(LARGE)
    invoke_first(streamer, deadline)
    (upload,) = streamer.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    streamer.s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    _, body = streamer.invoke(invoker.events.pop(), Context("second"))
    assert streamer.sha256(body["results"][0]["s3_key"]) == expected_sha256(LARGE)


def test_an_event_that_comes_twice_is_worked_on_once(streamer: Streamer, invoker: Invoker, deadline: Deadline) -> None:
    streamer.put_parameters(LARGE)
    invoke_first(streamer, deadline)
    event = invoker.events.pop()
    streamer.invoke(event, Context("second"))
    written = streamer.s3.list_object_versions(Bucket=BUCKET, Prefix="raw/")["Versions"]
    status, body = streamer.invoke(event, Context("third"))
    assert status == 200
    assert body["message"] == "Another invocation has this part of the run"
    assert streamer.named("continuation_skipped")
    assert streamer.s3.list_object_versions(Bucket=BUCKET, Prefix="raw/")["Versions"] == written


@pytest.mark.parametrize("completed", [False, True], ids=["before the end", "just after the end"])
def test_lambdas_repetition_of_a_killed_invocation_goes_on(
    streamer: Streamer, invoker: Invoker, deadline: Deadline, *, completed: bool
) -> None:
    """Lambda repeats an asynchronous event under the same request id."""
    complete = Upload.publish

    async def die(upload: Upload, sha256: str) -> None:
        if completed:
            await complete(upload, sha256)
        raise KeyboardInterrupt

    async def do_nothing(upload: Upload, until: float) -> None:
        """Killed processes clean nothing up."""

    streamer.put_parameters(LARGE)
    invoke_first(streamer, deadline)
    event = invoker.events.pop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Upload, "publish", die)
        patch.setattr(Upload, "abort", do_nothing)
        with pytest.raises(KeyboardInterrupt):
            streamer.invoke(event, Context("second"))
    _, body = streamer.invoke(event, Context("second"))
    (result,) = body["results"]
    assert (result["status"], result["bytes"]) == ("success", SIZE)
    assert streamer.sha256(result["s3_key"]) == expected_sha256(LARGE)
    assert len(streamer.s3.list_object_versions(Bucket=BUCKET, Prefix="raw/")["Versions"]) == 1


def test_without_continuation_a_file_is_reported_as_deferred_and_nothing_stays(
    streamer: Streamer, invoker: Invoker, deadline: Deadline
) -> None:
    streamer.set("CONTINUE_ASYNC", "false")
    streamer.put_parameters(LARGE)
    body = invoke_first(streamer, deadline)
    assert (body["results"][0]["status"], body["summary"]["deferred"]) == ("deferred", 1)
    assert not invoker.events
    assert streamer.keys() == set()
    assert streamer.metrics["FilesDeferred"] == 1


def test_a_source_that_cannot_be_resumed_and_needs_longer_fails(
    streamer: Streamer, invoker: Invoker, deadline: Deadline
) -> None:
    streamer.put_parameters(f"/files/units.csv?bytes={SIZE}&validator=none")
    bodies = finish(streamer, invoker, deadline)
    assert bodies[-1]["results"][0]["status"] == "failed"
    assert "its server cannot continue a download" in bodies[-1]["results"][0]["error"]


def test_a_source_too_slow_for_one_part_fails_and_says_what_to_do(
    streamer: Streamer, invoker: Invoker, deadline: Deadline
) -> None:
    deadline.after = 1000
    streamer.put_parameters(LARGE)
    bodies = finish(streamer, invoker, deadline)
    assert "lower S3_PART_MB" in bodies[-1]["results"][0]["error"]


def test_the_hops_end(streamer: Streamer, invoker: Invoker, deadline: Deadline) -> None:
    streamer.set("MAX_HOPS", "2")
    streamer.put_parameters(LARGE)
    bodies = finish(streamer, invoker, deadline)
    assert len(bodies) == 2
    assert "MAX_HOPS" in bodies[-1]["results"][0]["error"]


def test_an_invocation_that_cannot_be_asked_for_fails_the_file(
    streamer: Streamer, invoker: Invoker, deadline: Deadline
) -> None:
    streamer.put_parameters(LARGE)
    invoker.error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Invoke")
    body = invoke_first(streamer, deadline)
    assert body["results"][0]["status"] == "failed"
    assert "could not be continued" in body["results"][0]["error"]


@pytest.mark.parametrize("asked", [{"run": "../x", "hop": 2}, {"run": "a", "hop": 1}, {"run": "a"}, 7, {"hop": "2"}])
def test_a_wrong_event_is_400(streamer: Streamer, invoker: Invoker, deadline: Deadline, asked: object) -> None:
    assert streamer.invoke({"continue": asked})[0] == 400


def test_a_run_that_has_ended_is_400(streamer: Streamer, invoker: Invoker, deadline: Deadline) -> None:
    status, body = streamer.invoke({"continue": {"run": "a", "hop": 2}})
    assert status == 400
    assert "the run has ended" in body["message"]


def test_states_hold_no_secrets(streamer: Streamer, invoker: Invoker, deadline: Deadline) -> None:
    SESSION.client("secretsmanager").create_secret(Name="portal", SecretString='{"X-Api-Key": "t0p-s3cret"}')
    streamer.put_parameters({"url": LARGE, "secret": "portal"})
    invoke_first(streamer, deadline)
    states = streamer.s3.list_objects_v2(Bucket=BUCKET, Prefix=".csv-streamer/")["Contents"]
    for state in states:
        assert b"t0p-s3cret" not in streamer.s3.get_object(Bucket=BUCKET, Key=state["Key"])["Body"].read()
    _, body = streamer.invoke(invoker.events.pop(), Context("second"))
    assert body["results"][0]["status"] == "success"
    assert "t0p-s3cret" not in json.dumps(streamer.events)


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("name", ["sha256", "md5"])
def test_declared_checksum_is_that_of_all_invocations(
    streamer: Streamer, invoker: Invoker, deadline: Deadline, name: str, *, wrong: bool
) -> None:
    body = requests.get(streamer.server + LARGE, timeout=20).content
    digest = hashlib.new(name, body).hexdigest()
    streamer.put_parameters({"url": LARGE, name: digest[::-1] if wrong else digest})
    invoke_first(streamer, deadline)
    _, answer = streamer.invoke(invoker.events.pop(), Context("second"))
    (result,) = answer["results"]
    if wrong:
        assert (result["status"], result["code"]) == ("failed", f"{name}_mismatch")
        assert all(key.endswith(".claim") for key in streamer.keys())  # noqa: SIM118  # no dictionary
    else:
        assert (result["status"], result["sha256"]) == ("success", hashlib.sha256(body).hexdigest())
        assert answer["s3_request_counts"]["create_multipart"] == 0
    assert streamer.unfinished_uploads() == 0

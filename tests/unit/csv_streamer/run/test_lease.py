"""Two runs of the same entries find each other; a run that has died is in nobody's way for long."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from csv_streamer.clients import S3
from csv_streamer.exceptions import LeaseHeldError
from csv_streamer.run import lease as lease_module
from csv_streamer.run.lease import Lease, name_lease
from tests.unit.csv_streamer.conftest import BUCKET, Context, Streamer
from tests.unit.csv_streamer.ranged_server import ranged_server

KEY = ".csv-streamer/leases/a.json"
ENTRY = "/files/units.csv?bytes=1000"


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def warning(self, event: str, **_: object) -> None:
        self.events.append(event)


def make(s3: S3, run_id: str, log: Log | None = None) -> Lease:
    return Lease(s3, "bucket", KEY, run_id, cast("Logger", log or Log()))


def read(s3: S3) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(s3.client.get_object(Bucket="bucket", Key=KEY)["Body"].read())
    except ClientError:
        return None
    return found


def write(s3: S3, run_id: str, seconds: float) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    body = json.dumps({"run": run_id, "expires": expires.isoformat()})
    s3.client.put_object(Bucket="bucket", Key=KEY, Body=body)


def test_lease_is_held_inside_the_block_and_gone_after_it(s3: S3) -> None:
    async def play() -> None:
        async with make(s3, "one").hold(first=True):
            found = read(s3)
            assert found is not None
            assert found["run"] == "one"
            with pytest.raises(LeaseHeldError, match="run one of the same parameters is under way"):
                async with make(s3, "two").hold(first=True):
                    pass
        assert read(s3) is None
        async with make(s3, "two").hold(first=True):
            pass

    asyncio.run(play())


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"run": 1}', b'{"run": "x", "expires": "never"}'])
def test_lease_that_nobody_wrote_is_nobodys(s3: S3, body: bytes) -> None:
    s3.client.put_object(Bucket="bucket", Key=KEY, Body=body)

    async def play() -> None:
        async with make(s3, "two").hold(first=True):
            assert (read(s3) or {})["run"] == "two"

    asyncio.run(play())


def test_lease_of_a_run_that_died_ends_by_itself(s3: S3) -> None:
    write(s3, "dead", -0.001)

    async def play() -> None:
        async with make(s3, "two").hold(first=True):
            assert (read(s3) or {})["run"] == "two"

    asyncio.run(play())


def test_repetition_of_an_event_whose_invocation_died_gets_its_lease(s3: S3) -> None:
    """Lambda repeats it under the same request id."""
    write(s3, "same", 10)

    async def play() -> None:
        async with make(s3, "same").hold(first=True):
            assert (read(s3) or {})["run"] == "same"

    asyncio.run(play())
    assert read(s3) is None


def test_lease_is_renewed(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "RENEWAL_SECONDS", 0.01)

    async def play() -> None:
        async with make(s3, "one").hold(first=True):
            before = (read(s3) or {})["expires"]
            while (read(s3) or {})["expires"] == before:  # noqa: ASYNC110  # S3 tells nobody
                await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(play(), 20))
    assert read(s3) is None


def test_renewal_whose_answer_was_lost_is_one(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "RENEWAL_SECONDS", 0.01)
    log = Log()

    async def play() -> None:
        async with make(s3, "one", log).hold(first=True):
            write(s3, "one", 5)  # with another ETag than is known
            await asyncio.sleep(0.3)

    asyncio.run(play())
    assert read(s3) is None
    assert log.events == []


def test_lease_that_another_took_is_left_to_it(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "RENEWAL_SECONDS", 0.01)
    log = Log()

    async def play() -> None:
        async with make(s3, "one", log).hold(first=True):
            write(s3, "two", 100)
            await asyncio.sleep(0.3)

    asyncio.run(play())
    assert (read(s3) or {})["run"] == "two"
    assert log.events == ["lease_lost"]


def test_lease_is_handed_over_to_the_next_invocation(s3: S3) -> None:
    async def play() -> None:
        first = make(s3, "one")
        async with first.hold(first=True):
            first.is_handed_over = True
        with pytest.raises(LeaseHeldError):
            async with make(s3, "two").hold(first=True):
                pass
        async with make(s3, "one").hold(first=False):
            assert (read(s3) or {})["run"] == "one"
        assert read(s3) is None

    asyncio.run(play())


def test_run_under_way_goes_on_without_a_lease_that_another_has(s3: S3) -> None:
    write(s3, "two", 100)
    log = Log()

    async def play() -> None:
        async with make(s3, "one", log).hold(first=False):
            pass

    asyncio.run(play())
    assert log.events == ["lease_lost"]
    assert (read(s3) or {})["run"] == "two", "another's lease is not deleted"


def test_only_one_of_many_begins(s3: S3) -> None:
    async def begin(number: int) -> bool:
        try:
            async with make(s3, str(number)).hold(first=True):
                await asyncio.sleep(0.2)
        except LeaseHeldError:
            return False
        return True

    async def play() -> list[bool]:
        return list(await asyncio.gather(*(begin(number) for number in range(8))))

    assert sum(asyncio.run(play())) == 1


def test_name_is_that_of_the_entries_however_they_are_written() -> None:
    one = [{"url": "http://h/a", "name": "b"}]
    assert name_lease(one) == name_lease([{"name": "b", "url": "http://h/a"}])
    assert name_lease(one) != name_lease([{"url": "http://h/a", "name": "c"}])
    assert name_lease(["a", "b"]) != name_lease(["b", "a"])


def test_run_is_refused_while_another_of_the_same_entries_is_under_way(streamer: Streamer) -> None:
    entries = [streamer.server + ENTRY]
    expires = (datetime.now(UTC) + timedelta(seconds=15)).isoformat()
    held = name_lease(entries)
    streamer.s3.put_object(Bucket=BUCKET, Key=held, Body=json.dumps({"run": "other", "expires": expires}))
    status, body = streamer.invoke({"file_urls": entries})
    assert (status, body["code"]) == (409, "run_in_progress")
    assert streamer.named("run_refused")
    assert streamer.named("lambda_complete")[0]["status"] == 409
    assert streamer.keys() == {held}
    streamer.put_parameters(ENTRY)
    assert streamer.invoke({}, Context("second"))[0] == 409, "the parameters object names the same"
    status, body = streamer.invoke({"file_urls": [*entries, *entries]}, Context("third"))
    assert status == 200, "other entries"


def test_run_that_is_over_leaves_no_lease(streamer: Streamer) -> None:
    (result,) = streamer.run(ENTRY)
    assert streamer.keys() == {result["s3_key"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("csv_streamer.run.invocation.open_http_session", None)
        with pytest.raises(TypeError):
            streamer.invoke()
    assert streamer.keys() == {result["s3_key"]}


def test_run_goes_on_where_s3_takes_no_lease(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    monkeypatch.setattr(Lease, "_put", deny)
    with ranged_server(1000) as server:
        (result,) = streamer.run({"url": server.url, "name": "a.csv"})
    assert result["status"] == "success"
    assert streamer.named("lease_unavailable")

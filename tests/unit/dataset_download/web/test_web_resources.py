"""What many requests, many datasets and wide or large ones take."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import anyio
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dataset_download.http.admission import Admission
from dataset_download.http.application import create_app
from dataset_download.logs import make_logger
from dataset_download.pages import catalogue
from dataset_download.pages.cells import MOST_CHARACTERS, show_cells
from dataset_download.runtime.cancellation import ClientLeftError, check_departure, expect_departure, finish_regardless
from dataset_download.runtime.single_flight import Shared
from dataset_download.runtime.thread_pools import Pool, get_pool
from tests.unit.dataset_download.web.asgi import call
from tests.unit.dataset_download.web.conftest import Aws, MakeService, make_customers

PAGE = 100


def count_gets(service: object, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the keys that are read from now on."""
    read: list[str] = []
    client = service.store.client  # type: ignore[attr-defined]
    original = client.get_object

    def get(**named: object) -> object:
        read.append(str(named["Key"]))
        return original(**named)

    monkeypatch.setattr(client, "get_object", get)
    return read


def test_of_datasets_that_have_not_changed_nothing_is_read(
    make: MakeService, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        aws.put(f"{name}.parquet", make_customers(5))
    aws.put("folder/x.parquet", make_customers(3))
    service = make()
    app = create_app(service)
    first = call(app, "/datasets.json").json
    read = count_gets(service, monkeypatch)
    assert call(app, "/datasets.json").json == first
    assert call(app, "/").status == 200
    assert read == []
    aws.put("b.parquet", make_customers(7))
    aws.put("folder/y.parquet", make_customers(4))
    again = {entry["name"]: entry for entry in call(app, "/datasets.json").json["datasets"]}
    assert (again["b"]["rows"], again["folder"]["rows"], again["folder"]["files"]) == (7, 7, 2)
    assert set(read) == {"b.parquet", "folder/y.parquet"}


def test_a_page_lists_no_more_than_it_needs(make: MakeService, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2 * PAGE + 50):
        aws.s3.put_object(Bucket="data", Key=f"d{number:03}.parquet", Body=b"none")
    app = create_app(make())
    seen: list[str] = []
    target = "/datasets.json"
    while target:
        document = call(app, target).json
        seen += [entry["name"] for entry in document["datasets"]]
        target = document.get("next", "").removeprefix("https://data.example.org")
    assert seen == ["customers", *(f"d{number:03}" for number in range(2 * PAGE + 50))]
    monkeypatch.setattr(catalogue, "PAGE_ENTRIES", 3)
    assert [entry["name"] for entry in call(app, "/datasets.json?after=d100").json["datasets"]] == [
        "d101",
        "d102",
        "d103",
    ]


def test_work_that_several_ask_for_is_done_once() -> None:
    shared: Shared[int] = Shared()
    begun, may_end = threading.Event(), threading.Event()
    done = []

    def work() -> int:
        begun.set()
        may_end.wait(10)
        done.append(1)
        return len(done)

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(shared.do, "key", work)
        begun.wait(10)
        others = [threads.submit(shared.do, "key", work) for _ in range(3)]
        time.sleep(0.05)
        may_end.set()
        assert [each.result(10) for each in (first, *others)] == [1, 1, 1, 1]
    assert shared.do("key", work) == 2

    def fail() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            shared.do("other", fail)


def test_facts_are_forgotten_in_turn() -> None:
    cache = catalogue.FactsCache(most_columns=1000)
    for number in range(10):
        cache.put(number, catalogue.Facts("t", 1, 300, "[]"))
    assert cache.get(0) is None
    assert cache.get(9) is not None


def test_the_page_of_a_wide_table_shows_its_first_columns(make: MakeService, aws: Aws) -> None:
    column = pa.array(["text"] * 30)
    aws.put("wide.parquet", pa.table({f"column_{number}": column for number in range(1500)}))
    answer = call(create_app(make()), "/wide")
    assert answer.status == 200
    assert "in 100 of 1,500 columns" in answer.text
    assert "column_1499" in answer.text
    filters = "&".join(f"column_{number}__ne=x" for number in range(100))
    filtered = call(create_app(make()), f"/wide?{filters}")
    assert filtered.status == 200
    assert len(filtered.body) < 3_000_000


@pytest.mark.parametrize(
    "value", ["x" * 3_000_000, b"x" * 3_000_000, ["x" * 1000] * 3000, {"a": "x" * 3_000_000}, [("k" * 3_000_000, 1)]]
)
def test_of_a_large_value_its_beginning_is_shown(value: object) -> None:
    type_ = pa.map_(pa.string(), pa.int64()) if isinstance(value, list) and isinstance(value[0], tuple) else None
    column = pa.array([value, None], type_)
    large, nothing = show_cells(column)
    assert nothing is None
    assert large is not None
    assert len(large) <= MOST_CHARACTERS + 1
    assert "…" in large


def test_values_of_usual_size_are_shown_whole() -> None:
    assert show_cells(pa.array(["é" * 200, "é" * 201])) == ["é" * 200, "é" * 200 + "…"]
    assert show_cells(pa.array([[1, None]])) == ["[1,null]"]
    assert show_cells(pa.array([b"abc"])) == ["YWJj"]
    assert show_cells(pa.array(["a"]).dictionary_encode()) == ["a"]


def test_a_dataset_whose_rows_do_not_fit_has_a_page(make: MakeService, aws: Aws) -> None:
    aws.put("giant.parquet", pa.table({"id": [1], "s": ["g" * 80_000_000]}), compression="zstd")
    app = create_app(make())
    answer = call(app, "/giant")
    assert answer.status == 200
    assert "Not shown" in answer.text
    refused = call(app, "/giant.csv")
    assert refused.status == 413
    assert "MEMORY_MB" in refused.json["detail"]
    assert call(app, "/giant.csv?select=id").body == b"id\n1\n"


def test_pools_are_the_processs() -> None:
    for pool in Pool:
        assert get_pool(pool) is get_pool(pool)
        assert get_pool(pool)._max_workers == pool.threads
    before = threading.active_count()
    for _ in range(3):
        list(get_pool(Pool.LISTING).map(time.sleep, [0.01] * 40))
    assert threading.active_count() <= before + Pool.LISTING.threads


def test_work_ends_when_its_client_has_left() -> None:
    departure = threading.Event()

    def work() -> str:
        expect_departure(departure)
        check_departure()
        departure.set()
        with finish_regardless():
            check_departure()
        with pytest.raises(ClientLeftError):
            check_departure()
        return "ended"

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(work).result(10) == "ended"


class Slow:
    """An application whose answers end when they are told to."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.go_on = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        if scope["path"] != "/healthz":
            await self.go_on.wait()
        self.running -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def run_requests(
    paths: list[str], check: Callable[[Slow, list[int]], None], monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Send requests at the same time to two places; return the statuses in the order in which they came."""
    monkeypatch.setattr("dataset_download.http.admission.WAIT_SECONDS", 0.2)
    statuses: list[int] = []

    async def run() -> None:
        slow = Slow()
        app: ASGIApp = Admission(slow, 2, make_logger("dataset_download"))

        async def ask(path: str) -> None:
            async def receive() -> Message:
                await anyio.sleep_forever()
                raise AssertionError

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                    if message["status"] == 503:
                        assert (b"retry-after", b"5") in message["headers"]

            await app({"type": "http", "path": path, "method": "GET"}, receive, send)

        async with anyio.create_task_group() as tasks:
            for path in paths:
                tasks.start_soon(ask, path)
            await anyio.sleep(0.5)
            check(slow, statuses)
            slow.go_on.set()

    anyio.run(run)
    return statuses


def test_so_many_answers_are_made_at_once_and_the_rest_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(slow: Slow, statuses: list[int]) -> None:
        assert slow.running == 4  # two downloads, two pages
        assert sorted(statuses) == [200, *[503] * 34]

    paths = ["/a.csv"] * 20 + ["/a", "/", "/datasets.json"] * 6 + ["/healthz"]
    statuses = run_requests(paths, check, monkeypatch)
    assert sorted(statuses) == [200] * 5 + [503] * 34


def test_who_leaves_while_waiting_gives_its_place_away() -> None:
    async def run() -> None:
        slow = Slow()
        app = Admission(slow, 1, make_logger("dataset_download"))
        left = anyio.Event()

        async def receive() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            assert message.get("status", 200) == 200

        scope = {"type": "http", "path": "/a.csv", "method": "GET"}
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(app, scope, receive, send)
            await anyio.sleep(0.1)
            assert slow.running == 1
            left.set()
            await anyio.sleep(0.1)
            slow.go_on.set()
        assert slow.most == 1

    anyio.run(run)

"""The catalogue's pages: their reads of S3 and their cache."""

import pytest

from dataset_download.http.application import create_app
from dataset_download.pages import catalogue
from tests.unit.dataset_download.asgi import call
from tests.unit.dataset_download.conftest import Aws, MakeService, make_customers

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


def test_facts_are_forgotten_in_turn() -> None:
    cache = catalogue.FactsCache(most_columns=1000)
    for number in range(10):
        cache.put(number, catalogue.DatasetFacts("t", 1, 300, "[]"))
    assert cache.get(0) is None
    assert cache.get(9) is not None

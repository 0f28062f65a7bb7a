"""The newest stored object of a name is found, whatever else lies in the bucket, at little cost."""

import asyncio

import pytest

from csv_streamer.clients import S3
from csv_streamer.s3 import history as history_module
from csv_streamer.s3.history import History, StoredObject


def put(s3: S3, *keys: str) -> None:
    for key in keys:
        s3.client.put_object(Bucket="bucket", Key=key, Metadata={"key": key})


def find(s3: S3, *names: str, prefix: str = "raw") -> list[str | None]:
    """The keys that are found, one after the other, by one history."""

    async def look() -> list[StoredObject | None]:
        history = History(s3, "bucket")
        return [await history.find(prefix, name) for name in names]

    return [stored.key if stored else None for stored in asyncio.run(look())]


def count(s3: S3, operation: str) -> int:
    return s3.counter.as_dict()[operation]


def test_nothing_is_found_in_an_empty_bucket(s3: S3) -> None:
    assert find(s3, "a.csv") == [None]


def test_newest_day_comes_first_over_months_and_years(s3: S3) -> None:
    days = ["2024/12/31", "2025/01/01", "2025/02/28", "2025/11/02", "2025/11/10", "2026/01/09"]
    put(s3, *(f"raw/{day}/a.csv" for day in days), "raw/2025/11/10/b.csv", "raw/2024/12/31/c.csv")
    assert find(s3, "a.csv", "b.csv", "c.csv", "d.csv", "a.csv") == [
        "raw/2026/01/09/a.csv",
        "raw/2025/11/10/b.csv",
        "raw/2024/12/31/c.csv",
        None,
        "raw/2026/01/09/a.csv",
    ]


def test_folders_that_are_no_dates_are_passed_over(s3: S3) -> None:
    put(
        s3,
        "raw/2025/01/02/a.csv",
        "raw/latest/01/02/a.csv",
        "raw/99999/01/02/a.csv",
        "raw/2026/1/02/a.csv",
        "raw/2026/01/x2/a.csv",
        "raw/2026/a.csv",
        "raw/2026/01/a.csv",
        "raw/a.csv",
        "raw/2026/01/03/deeper/a.csv",
        "raw/2026/01/04/other-a.csv",
        "raw/2026/01/05/a.csv.gz",
        "raw2/2026/01/02/a.csv",
    )
    assert find(s3, "a.csv") == ["raw/2025/01/02/a.csv"]


def test_prefixes_do_not_share_their_days(s3: S3) -> None:
    put(s3, "raw/2026/01/02/a.csv", "x/y/2025/01/02/a.csv")

    async def look() -> list[StoredObject | None]:
        history = History(s3, "bucket")
        return [await history.find(prefix, "a.csv") for prefix in ("x/y", "raw", "x")]

    found = asyncio.run(look())
    assert [stored and stored.metadata for stored in found] == [
        {"key": "x/y/2025/01/02/a.csv"},
        {"key": "raw/2026/01/02/a.csv"},
        None,
    ]


def test_unusual_names_are_found(s3: S3) -> None:
    s3.client.put_object(Bucket="bucket", Key="raw/2026/01/02/données +%20&.csv", Metadata={"key": "it"})
    assert find(s3, "données +%20&.csv") == ["raw/2026/01/02/données +%20&.csv"]


def test_every_folder_is_listed_once(s3: S3) -> None:
    put(s3, *(f"raw/2026/01/{day:02d}/a.csv" for day in range(1, 8)))
    assert find(s3, "a.csv", "a.csv") == ["raw/2026/01/07/a.csv"] * 2
    assert count(s3, "list_objects") == 4  # the years, the months, the days, one day
    assert find(s3, "new.csv", "new too.csv") == [None, None]
    assert count(s3, "list_objects") == 4 + 3 + 7


def test_files_of_one_run_can_look_at_once(s3: S3) -> None:
    put(s3, *(f"raw/2026/01/{day:02d}/{day}.csv" for day in range(1, 8)))

    async def look() -> list[StoredObject | None]:
        history = History(s3, "bucket")
        return list(await asyncio.gather(*(history.find("raw", f"{day}.csv") for day in range(9))))

    found = asyncio.run(look())
    assert [bool(metadata) for metadata in found] == [False, *[True] * 7, False]
    assert count(s3, "list_objects") == 3 + 7


def test_search_ends_after_so_many_days_however_often_it_is_made(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "_MAX_DAYS", 3)
    put(s3, *(f"raw/2026/01/{day:02d}/a.csv" for day in range(5, 9)), "raw/2026/01/01/old.csv")
    assert find(s3, "old.csv", "old.csv", "a.csv", "old.csv") == [None, None, "raw/2026/01/08/a.csv", None]
    assert count(s3, "list_objects") == 3 + 3


def test_more_than_a_page_of_names_is_read_to_its_end(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, *(f"raw/2026/01/02/{number:04d}.csv" for number in range(25)))
    s3.client.meta.events.register(
        "before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=10)
    )
    assert find(s3, "0024.csv") == ["raw/2026/01/02/0024.csv"]

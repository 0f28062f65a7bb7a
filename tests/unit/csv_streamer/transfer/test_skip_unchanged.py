"""SKIP_UNCHANGED: what the newest stored object has already is not fetched again."""

import hashlib

import pytest

from sample_files import expected_sha256
from tests.unit.csv_streamer.conftest import BUCKET, Streamer
from tests.unit.csv_streamer.ranged_server import ranged_server

SIZE = 300_000


@pytest.fixture(autouse=True)
def _skip(streamer: Streamer) -> None:
    streamer.set("SKIP_UNCHANGED", "true")


@pytest.mark.parametrize("validator", ["strong", "weak", "time"])
def test_an_unchanged_file_is_answered_by_304_and_not_written(streamer: Streamer, validator: str) -> None:
    path = f"/files/transactions.csv?bytes={SIZE}&validator={validator}&token=skip-{validator}"
    (first,) = streamer.run(path)
    (second,) = streamer.run(path)
    assert (first["status"], second["status"]) == ("success", "unchanged")
    assert second["s3_key"] == first["s3_key"]
    assert len(streamer.s3.list_object_versions(Bucket=BUCKET, Prefix="raw/")["Versions"]) == 1
    last = streamer.requests(f"skip-{validator}")[-1]["headers"]
    assert "If-Modified-Since" in last or "If-None-Match" in last
    assert streamer.metrics["FilesUnchanged"] == 1


def test_a_changed_file_is_fetched(streamer: Streamer) -> None:
    streamer.run(f"/files/transactions.csv?bytes={SIZE}&version=1")
    (result,) = streamer.run(path := f"/files/transactions.csv?bytes={SIZE}&version=2")
    assert result["status"] == "success"
    assert streamer.sha256(result["s3_key"]) == expected_sha256(path)


def test_a_file_of_another_day_counts(streamer: Streamer) -> None:
    (first,) = streamer.run(path := f"/files/transactions.csv?bytes={SIZE}")
    for day in ("2019/12/31", "2024/01/09", "2023/12/31"):
        copy = f"raw/{day}/transactions.csv"
        streamer.s3.copy_object(Bucket=BUCKET, Key=copy, CopySource=f"{BUCKET}/{first['s3_key']}")
    streamer.s3.delete_object(Bucket=BUCKET, Key=first["s3_key"])
    (second,) = streamer.run(path)
    assert second["status"] == "unchanged"
    assert second["s3_key"] == "raw/2024/01/09/transactions.csv", "where it is, not where it would be"


def test_only_the_newest_counts(streamer: Streamer) -> None:
    """A file that goes back to an earlier version is a changed one."""
    old = f"/files/transactions.csv?bytes={SIZE}&version=1"
    (first,) = streamer.run(old)
    copy = "raw/2020/01/01/transactions.csv"
    streamer.s3.copy_object(Bucket=BUCKET, Key=copy, CopySource=f"{BUCKET}/{first['s3_key']}")
    streamer.run(f"/files/transactions.csv?bytes={SIZE}&version=2")
    assert streamer.run(old)[0]["status"] == "success"


def test_the_same_version_of_another_address_does_not_count(streamer: Streamer) -> None:
    streamer.run({"url": f"/files/transactions.csv?bytes={SIZE}", "name": "x.csv"})
    (result,) = streamer.run({"url": f"/files/units.csv?bytes={SIZE}", "name": "x.csv"})
    assert result["status"] == "success"


@pytest.mark.parametrize("size", [SIZE, 1000], ids=["several parts", "one part"])
def test_a_server_without_validators_is_fetched_each_time_and_compared_by_content(
    streamer: Streamer, size: int
) -> None:
    path = f"/files/transactions.csv?bytes={size}&validator=none"
    first, second = (streamer.run(path)[0] for _ in range(2))
    assert [first["status"], second["status"]] == ["success", "unchanged"]
    assert second["sha256"] == first["sha256"] == expected_sha256(path)
    assert len(streamer.s3.list_object_versions(Bucket=BUCKET, Prefix="raw/")["Versions"]) == 1
    assert streamer.unfinished_uploads() == 0


def test_a_file_named_by_its_server_is_compared_before_its_body_is_read(streamer: Streamer) -> None:
    path = f"/hostile/name?bytes={SIZE}&style=plain"
    (first,) = streamer.run(path)
    (second,) = streamer.run(path)
    assert first["s3_key"].endswith("/plain_name.csv")
    assert second["status"] == "unchanged"


def test_other_addresses_of_one_name_are_other_files(streamer: Streamer) -> None:
    """Both are units.csv; both have the same validators, since they are of one version and size."""
    first = {"url": f"/files/transactions.csv?bytes={SIZE}&dataset=a", "name": "same.csv"}
    second = {"url": f"/files/transactions.csv?bytes={SIZE}&dataset=b", "name": "same.csv"}
    statuses = [streamer.run(entry)[0]["status"] for entry in (first, second, second, first)]
    assert statuses == ["success", "success", "unchanged", "success"]


def test_names_that_shift_are_other_files(streamer: Streamer) -> None:
    """Without the first entry the second one's name is that of the first."""
    a, b = (f"/files/units.csv?bytes={SIZE}&dataset={name}" for name in "ab")
    results = streamer.run(a, b)
    assert [result["s3_key"].rpartition("/")[2] for result in results] == ["units.csv", "units-2.csv"]
    (result,) = streamer.run(b)
    assert (result["s3_key"].rpartition("/")[2], result["status"]) == ("units.csv", "success")


def test_redirect_that_leads_elsewhere_is_another_file(streamer: Streamer) -> None:
    """A 304 of the other place says nothing of what is stored: servers make the same validators for both."""
    with ranged_server(SIZE) as server:
        entry = {"url": server.url, "name": "a.csv"}
        server.redirect = "/january.csv"
        assert streamer.run(entry)[0]["status"] == "success"
        assert streamer.run(entry)[0]["status"] == "unchanged"
        server.redirect = "/february.csv"
        server.body = bytes(reversed(server.body))
        (result,) = streamer.run(entry)
        assert result["status"] == "success"
        assert result["sha256"] == hashlib.sha256(server.body).hexdigest()


@pytest.mark.parametrize("change", [{"headers": {"X-Dataset": "b"}}, {"expect": {"min_size": 1}}, {"sha256": "0" * 64}])
def test_other_headers_or_expectations_are_looked_at_anew(streamer: Streamer, change: dict[str, object]) -> None:
    entry = {"url": f"/files/transactions.csv?bytes={SIZE}"}
    streamer.run(entry)
    (result,) = streamer.run({**entry, **change})
    assert result["status"] == ("failed" if "sha256" in change else "success")

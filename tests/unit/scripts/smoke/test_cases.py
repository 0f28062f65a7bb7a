"""The smoke test asks before it costs something, and removes what it made and nothing else."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_s3 import S3Client

from lib.smoke import cases, run
from lib.smoke.cases import Case, FailedError, delete_versions, expect
from tests.unit.scripts.conftest import ROOT

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client: S3Client = SESSION.client("s3")
        client.create_bucket(Bucket="bundles")
        client.put_bucket_versioning(Bucket="bundles", VersioningConfiguration={"Status": "Enabled"})
        monkeypatch.setattr(cases, "make_s3_client", lambda: client)
        yield client


def list_versions(s3: S3Client) -> list[str]:
    return sorted(item["Key"] for item in s3.list_object_versions(Bucket="bundles").get("Versions", []))


def test_versions_are_deleted_and_neighbours_stay(s3: S3Client) -> None:
    for key in ("smoke-1/a", "smoke-1/a", "smoke-2/a"):
        s3.put_object(Bucket="bundles", Key=key, Body=b"")
    s3.delete_object(Bucket="bundles", Key="smoke-1/a")
    delete_versions("bundles", "smoke-1/")
    assert list_versions(s3) == ["smoke-2/a"]


@pytest.mark.parametrize("prefix", ["", "smoke"])
def test_a_whole_bucket_is_never_emptied(s3: S3Client, prefix: str) -> None:
    s3.put_object(Bucket="bundles", Key="smoke-1/a", Body=b"")
    with pytest.raises(FailedError):
        delete_versions("bundles", prefix)
    assert list_versions(s3) == ["smoke-1/a"]


def test_bundles_with_objects_of_others_stay(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTRIBUTION_BUCKET", "bundles")
    contents = {"bundle-ours": ["smoke-1/a"], "bundle-mixed": ["smoke-1/b", "events/c"], "bundle-old": ["smoke-1/d"]}
    for name, keys in contents.items():
        manifest = {"sources": [{"bucket": "source", "key": key} for key in keys]}
        s3.put_object(Bucket="bundles", Key=f"_manifests/{name}.manifest.json", Body=json.dumps(manifest).encode())
        s3.put_object(Bucket="bundles", Key=f"{name}.gz", Body=b"")
    cases._delete_bundles({"bundles"}, "source", "smoke-1/", {"_manifests/bundle-old.manifest.json"})
    names = ("bundle-mixed", "bundle-old")
    left = [f"_manifests/{name}.manifest.json" for name in names] + [f"{name}.gz" for name in names]
    assert list_versions(s3) == left


def test_all_is_undone_even_if_something_cannot_be(tmp_path: Path) -> None:
    undone: list[str] = []
    case = Case("smoke-1", tmp_path)
    case.later("first", lambda: undone.append("first"))
    case.later("second", lambda: expect(False, "no rights"))
    case.later("third", lambda: undone.append("third"))
    assert case.clean_up() == ["second: no rights"]
    assert undone == ["third", "first"]


def test_failed_case_is_cleaned_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    undone: list[str] = []

    def fail(case: Case) -> None:
        case.later("it", lambda: undone.append(case.name))
        raise FailedError("3 rows of 4")

    monkeypatch.setitem(run.CASES, "zip", ("API_BASE", fail))
    monkeypatch.setenv("API_BASE", "http://127.0.0.1:1")
    assert not run.run_case("zip", "now")
    assert undone == ["smoke-now"]
    assert "FAILED: 3 rows of 4" in capsys.readouterr().err


def test_service_that_is_not_deployed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAPI_ETL_FUNCTION", raising=False)
    assert run.run_case("xapi", "now")


def test_nothing_is_run_in_aws_unless_somebody_says_so() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_ENDPOINT_URL": "", "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    command = [ROOT / "scripts/smoke.sh"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 1
    assert "CONFIRM=yes" in done.stderr
    assert done.stdout == ""

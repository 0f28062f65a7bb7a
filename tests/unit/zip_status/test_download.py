import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests
from botocore.credentials import RefreshableCredentials
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zip_status.conftest import JOB_ID, READY, Service
from zip_status import app
from zip_status.archives import name_download
from zip_status.aws_clients import get_session


def read_query(url: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def seconds_until(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()


def test_the_address_downloads_the_archive(service: Service) -> None:
    service.put_job(**READY, archiveName="my files.zip")
    answer = requests.get(service.get().body["downloadUrl"], timeout=5)
    assert (answer.status_code, answer.content) == (200, b"archive")


def test_the_address_is_signed_for_the_jobs_lifetime(service: Service) -> None:
    service.put_job(**READY)
    body = service.get().body
    query = read_query(body["downloadUrl"])
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Expires"] == "600"
    assert re.fullmatch(r"[0-9a-f]{64}", query["X-Amz-Signature"])
    assert "versionId" not in query
    signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert datetime.fromisoformat(body["expiresAt"]) == signed + timedelta(seconds=600)
    assert seconds_until(body["expiresAt"]) == pytest.approx(600, abs=30)


def test_the_very_version_that_was_written_is_signed(service: Service) -> None:
    service.put_job(**READY, versionId="v1")
    assert read_query(service.get().body["downloadUrl"])["versionId"] == "v1"


@pytest.mark.usefixtures("fresh_signer")
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-3"])
def test_in_aws_the_address_is_regional_with_the_bucket_in_the_host(
    service: Service, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    service.put_job(**READY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    url = urlsplit(service.get().body["downloadUrl"])
    assert (url.scheme, url.netloc) == ("https", f"target.s3.{region}.amazonaws.com")


@pytest.mark.usefixtures("fresh_signer")
def test_at_an_emulator_the_bucket_is_in_the_path(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.put_job(**READY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # where nobody answers
    app.load_settings.cache_clear()
    assert service.get().body["downloadUrl"].startswith(f"http://127.0.0.1:1/target/zips/{JOB_ID}.zip?")


@pytest.mark.usefixtures("fresh_signer")
def test_a_session_of_unknown_end_is_taken_to_last_an_hour(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    service.put_job(**READY, presignTtlSeconds=604_800)
    assert seconds_until(service.get().body["expiresAt"]) == pytest.approx(3600, abs=30)
    service.put_job(**READY, presignTtlSeconds=60)
    assert seconds_until(service.get().body["expiresAt"]) == pytest.approx(60, abs=30)


@pytest.mark.usefixtures("fresh_signer")
def test_a_session_of_known_end_limits_the_signature(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    end = datetime.now(UTC) + timedelta(seconds=2000)
    credentials = RefreshableCredentials("access", "secret", "token", end, dict, "test", lambda: datetime.now(UTC))
    monkeypatch.setattr(get_session(), "get_credentials", lambda: credentials)
    service.put_job(**READY, presignTtlSeconds=604_800)
    body = service.get().body
    assert seconds_until(body["expiresAt"]) == pytest.approx(2000, abs=30)
    assert int(read_query(body["downloadUrl"])["X-Amz-Expires"]) <= 2000


def test_credentials_that_never_end_do_not_limit_the_signature(service: Service) -> None:
    service.put_job(**READY, presignTtlSeconds=604_800)
    assert seconds_until(service.get().body["expiresAt"]) == pytest.approx(604_800, abs=30)


def test_a_signed_address_is_never_logged(service: Service, log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    service.put_job(**READY)
    service.get()
    assert [line["event"] for line in log_lines()] == ["job_read"]
    assert "X-Amz" not in str(log_lines())


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.zip", 'attachment; filename="a b.zip"'),
        ("année.zip", "attachment; filename=\"ann_e.zip\"; filename*=UTF-8''ann%C3%A9e.zip"),
        ('a"b.zip', "attachment; filename=\"a_b.zip\"; filename*=UTF-8''a%22b.zip"),
        ("100%25.zip", "attachment; filename=\"100_25.zip\"; filename*=UTF-8''100%2525.zip"),
        ("a;b='c.zip", 'attachment; filename="a;b=\'c.zip"'),
        ("a\r\nX: y.zip", "attachment; filename=\"a__X: y.zip\"; filename*=UTF-8''a%0D%0AX%3A%20y.zip"),
    ],
)
def test_the_download_is_called_as_the_archive(service: Service, name: str, header: str) -> None:
    service.put_job(**READY, archiveName=name)
    assert read_query(service.get().body["downloadUrl"])["response-content-disposition"] == header


def test_without_a_name_the_keys_last_segment_is_used() -> None:
    assert name_download({"targetKey": "zips/a.zip"}) == 'attachment; filename="a.zip"'


@given(name=st.text(min_size=1, max_size=50))
def test_no_name_breaks_out_of_the_header(name: str) -> None:
    header = name_download({"archiveName": name})
    assert re.fullmatch(r"[ -~]+", header)
    message = Message()
    message["Content-Disposition"] = header
    parameters = dict(message.get_params(header="Content-Disposition") or [])
    assert set(parameters) <= {"attachment", "filename", "filename*"}
    match = re.fullmatch(r"attachment; filename=\"([^\"\\]+)\"(?:; filename\*=UTF-8''([^;\"' ]+))?", header)
    assert match
    assert (unquote(match[2]) if match[2] else match[1]) == name

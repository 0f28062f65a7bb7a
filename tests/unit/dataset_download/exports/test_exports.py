import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from botocore.exceptions import ClientError

from dataset_download import exporter
from dataset_download.exports.run import make_export
from dataset_download.exports.store import cut_parts
from dataset_download.http.application import create_app
from dataset_download.responses import oversize
from dataset_download.schemas import ExportStatus
from tests.support.lambda_context import Context
from tests.unit.dataset_download.asgi import Answer, call
from tests.unit.dataset_download.conftest import (
    ENVIRONMENT,
    ROWS,
    Aws,
    MakeService,
    make_customers,
    read_events,
    read_metrics,
)

LOW: dict[str, Any] = {"stream_limit": 1000}


def fetch(aws: Aws, answer: Answer) -> bytes:
    """Return what a redirect leads to."""
    assert answer.status == 303
    key = unquote(urlsplit(answer.headers["location"]).path).removeprefix("/exports.s3").lstrip("/")
    key = key.removeprefix("exports/") if key.startswith("exports/exports/") else key
    return aws.s3.get_object(Bucket="exports", Key=key)["Body"].read()


def read_status(aws: Aws) -> ExportStatus:
    (key,) = [key for key in aws.list_exports() if key.endswith(".json") and key.count("/") == 1]
    return ExportStatus.model_validate_json(aws.s3.get_object(Bucket="exports", Key=key)["Body"].read())


def write_status(aws: Aws, status: ExportStatus) -> None:
    aws.s3.put_object(Bucket="exports", Key=f"exports/{status.export}.json", Body=status.model_dump_json().encode())


def test_a_large_answer_is_written_once_and_redirected_to(
    make: MakeService, aws: Aws, printed: Callable[[], str]
) -> None:
    app = create_app(make(**LOW))
    first, second = call(app, "/customers.csv"), call(app, "/customers.csv")
    assert fetch(aws, first) == fetch(aws, second) == call(create_app(make()), "/customers.csv").body
    assert first.headers["x-row-count"] == str(ROWS)
    assert first.headers["cache-control"] == "no-store"
    output = printed()
    assert len(read_events(output, "export_made")) == 1
    assert [event["outcome"] for event in read_events(output, "download")][:2] == ["exported", "exported"]
    assert read_metrics(output)["ExportsMade"] == 1
    assert aws.list_uploads() == 0


def test_the_exported_object_is_called_and_typed_like_the_download(make: MakeService, aws: Aws) -> None:
    call(create_app(make(**LOW)), "/customers.json?id__gte=100")
    (key,) = [key for key in aws.list_exports() if key.count("/") == 2]
    assert key.endswith("/customers_id-gte-100.json")
    head = aws.s3.head_object(Bucket="exports", Key=key)
    assert head["ContentType"] == "application/json"
    assert "customers_id-gte-100.json" in head["ContentDisposition"]


def test_another_question_or_another_version_is_another_export(make: MakeService, aws: Aws) -> None:
    app = create_app(make(**LOW))
    answers = [call(app, target) for target in ("/customers.csv", "/customers.json", "/customers.csv?id__gte=1")]
    aws.put("customers.parquet", make_customers(2000))
    answers.append(call(app, "/customers.csv"))
    assert len({fetch(aws, answer) for answer in answers}) == 4


def test_exports_that_are_off_are_413_naming_the_limit(make: MakeService) -> None:
    answer = call(create_app(make(stream_limit=20_000, exports=False)), "/customers.csv")
    assert answer.status == 413
    assert "STREAM_LIMIT_MB" in answer.json["detail"]
    assert "0.0 MB" in answer.json["detail"]
    assert call(create_app(make(stream_limit=20_000, exports=False)), "/customers.csv?limit=3").status == 200


def test_a_head_begins_no_export(make: MakeService, aws: Aws) -> None:
    app = create_app(make(**LOW))
    answer = call(app, "/customers.csv", method="HEAD")
    assert answer.status == 200
    assert aws.list_exports() == []
    call(app, "/customers.csv")
    assert call(app, "/customers.csv", method="HEAD").status == 303


@pytest.fixture
def invoked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Give the events that the export function is invoked with; it does not run."""
    events: list[dict[str, Any]] = []

    def invoke(*, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        assert (FunctionName, InvocationType) == ("exporter", "Event")
        events.append(json.loads(Payload))

    monkeypatch.setattr(oversize, "get_lambda", lambda: SimpleNamespace(invoke=invoke))
    return events


SLOW: dict[str, Any] = {**LOW, "export_function": "exporter", "export_inline": 0}


class ResponsesLost:
    """An S3 client that gets no answer to what it puts, and puts it again, as botocore does."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, **options: Any) -> Any:
        self._client.put_object(**options)
        return self._client.put_object(**options)


def test_a_claim_whose_answer_was_lost_is_still_this_requests(make: MakeService, invoked: list[dict[str, Any]]) -> None:
    # Else the caller would be told for 16 minutes that somebody works on it.
    service = make(**SLOW)
    assert service.exports
    client: Any = ResponsesLost(service.exports.client)
    exports = dataclasses.replace(service.exports, client=client)
    answer = call(create_app(dataclasses.replace(service, exports=exports)), "/customers.csv")
    assert answer.status == 202
    assert [event["export"] for event in invoked] == [answer.json["export"]]


@pytest.fixture
def run_exporter(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Give the export function."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return lambda event, seconds=900.0: exporter.lambda_handler(event, Context("exporter", int(seconds * 1000)))


def test_a_long_export_is_left_to_the_function(
    make: MakeService, aws: Aws, invoked: list[dict[str, Any]], run_exporter: Callable[..., dict[str, Any]]
) -> None:
    app = create_app(make(**SLOW))
    first = call(app, "/customers.csv?id__gte=10")
    assert first.status == 202
    assert int(first.headers["retry-after"]) > 0
    status_url = first.headers["location"]
    assert call(app, "/customers.csv?id__gte=10").headers["location"] == status_url
    running = call(app, status_url)
    assert running.status == 202
    assert running.headers["location"] == running.json["statusUrl"] == status_url.replace("exports/", "")
    assert len(invoked) == 1
    assert run_exporter(invoked[0])["state"] == "ready"
    expected = call(create_app(make()), "/customers.csv?id__gte=10").body
    assert fetch(aws, call(app, status_url)) == fetch(aws, call(app, "/customers.csv?id__gte=10")) == expected
    assert call(app, status_url, method="HEAD").status == 303


def test_a_second_delivery_of_an_event_does_nothing(
    make: MakeService, aws: Aws, invoked: list[dict[str, Any]], run_exporter: Callable[..., dict[str, Any]]
) -> None:
    call(create_app(make(**SLOW)), "/customers.csv")
    run_exporter(invoked[0])
    before = read_status(aws)
    assert run_exporter(invoked[0])["state"] == "skipped"
    assert run_exporter({**invoked[0], "owner": "somebody else"})["state"] == "skipped"
    assert read_status(aws) == before


def test_a_dataset_replaced_before_its_export_fails_the_export(
    make: MakeService, aws: Aws, invoked: list[dict[str, Any]], run_exporter: Callable[..., dict[str, Any]]
) -> None:
    app = create_app(make(**SLOW))
    status_url = call(app, "/customers.csv").headers["location"]
    aws.put("customers.parquet", make_customers(10))
    assert run_exporter(invoked[0])["state"] == "failed"
    answer = call(app, status_url)
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "replaced" in answer.json["detail"]


def test_an_export_without_time_is_taken_back_and_says_so(
    make: MakeService, aws: Aws, invoked: list[dict[str, Any]], run_exporter: Callable[..., dict[str, Any]]
) -> None:
    app = create_app(make(**SLOW))
    status_url = call(app, "/customers.csv").headers["location"]
    assert run_exporter(invoked[0], 5.0)["state"] == "failed"
    assert "exceeded the time limit" in call(app, status_url).json["detail"]
    assert aws.list_uploads() == 0
    assert len(aws.list_exports()) == 1


def test_a_failed_export_is_begun_anew(
    make: MakeService, aws: Aws, invoked: list[dict[str, Any]], run_exporter: Callable[..., dict[str, Any]]
) -> None:
    app = create_app(make(**SLOW))
    call(app, "/customers.csv")
    run_exporter(invoked[0], 5.0)
    assert call(app, "/customers.csv").status == 202
    assert run_exporter(invoked[1])["state"] == "ready"
    assert len(fetch(aws, call(app, "/customers.csv"))) > 1000


def test_a_dead_export_is_begun_anew(make: MakeService, aws: Aws, invoked: list[dict[str, Any]]) -> None:
    app = create_app(make(**SLOW))
    status_url = call(app, "/customers.csv").headers["location"]
    status = read_status(aws)
    write_status(aws, status.model_copy(update={"expires": status.started}))
    assert call(app, status_url).status == 503
    assert call(app, "/customers.csv").status == 202
    assert len(invoked) == 2
    assert read_status(aws).owner != status.owner


def test_an_export_that_is_gone_is_made_again(make: MakeService, aws: Aws) -> None:
    app = create_app(make(**LOW))
    expected = fetch(aws, call(app, "/customers.csv"))
    status = read_status(aws)
    aws.s3.delete_object(Bucket="exports", Key=status.key)
    assert call(app, f"/exports/{status.export}").status == 404
    assert fetch(aws, call(app, "/customers.csv")) == expected


def test_of_two_at_once_one_exports(make: MakeService, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    service = make(**LOW)
    app = create_app(service)
    seen: list[Answer] = []

    def ask_meanwhile(*arguments: Any) -> ExportStatus:
        seen.append(call_in_thread(app))
        return make_export(*arguments)

    monkeypatch.setattr(oversize, "make_export", ask_meanwhile)
    assert call(app, "/customers.csv").status == 303
    assert [answer.status for answer in seen] == [202]


def call_in_thread(app: Any) -> Answer:
    """Ask from another thread: this one runs an event loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, app, "/customers.csv").result()


def test_a_race_that_is_lost_is_202(make: MakeService, aws: Aws, invoked: list[dict[str, Any]]) -> None:
    service = make(**SLOW)
    assert call(create_app(service), "/customers.csv").status == 202
    exports = service.exports
    assert exports
    found = exports.find(invoked[0]["export"])
    assert found
    stale = dataclasses.replace(found, version='"0"')
    other = found.status.model_copy(update={"owner": "somebody else"})
    assert exports.replace(other, None) is None
    assert exports.replace(other, stale) is None
    assert exports.replace(found.status, found) is not None


def test_a_failing_upload_leaves_nothing(make: MakeService, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    service = make(**LOW)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "UploadPart")

    monkeypatch.setattr(service.store.client, "upload_part", refuse)
    answer = call(create_app(service), "/customers.csv")
    assert answer.status == 503
    assert aws.list_uploads() == 0
    assert [key for key in aws.list_exports() if key.count("/") == 2] == []
    monkeypatch.undo()
    status = read_status(aws)
    assert status.state == "failed"
    assert call(create_app(make(**LOW)), "/customers.csv").status == 303


def test_a_dataset_that_is_damaged_in_the_middle_fails_its_export(make: MakeService, aws: Aws) -> None:
    body = bytearray(aws.s3.get_object(Bucket="data", Key="customers.parquet")["Body"].read())
    middle = len(body) // 2
    body[middle : middle + 2000] = bytes(2000)
    aws.s3.put_object(Bucket="data", Key="customers.parquet", Body=bytes(body))
    assert call(create_app(make(**LOW)), "/customers.csv").status == 502
    assert aws.list_uploads() == 0
    assert read_status(aws).state == "failed"


@pytest.mark.parametrize("export", ["0" * 32, "x", "0" * 31, "%2e%2e", "0" * 33, "a%00"])
def test_an_unknown_export_is_404(make: MakeService, export: str) -> None:
    assert call(create_app(make()), f"/exports/{export}").status == 404


def test_a_status_that_cannot_be_read_does_not_stand_in_the_way(make: MakeService, aws: Aws) -> None:
    app = create_app(make(**LOW))
    call(app, "/customers.csv")
    status = read_status(aws)
    aws.s3.put_object(Bucket="exports", Key=f"exports/{status.export}.json", Body=b"{")
    assert call(app, f"/exports/{status.export}").status == 500
    assert call(app, "/customers.csv").status == 303


def test_parts_are_as_large_as_s3_wants_them() -> None:
    pieces = [bytes([number]) * 7 for number in range(50)]
    parts = list(cut_parts(pieces, 20))
    assert b"".join(parts) == b"".join(pieces)
    assert {len(part) for part in parts[:-1]} == {21}
    assert list(cut_parts([], 20)) == [b""]
    sizes = [len(part) for part in cut_parts((b"x" * 5 for _ in range(4000)), 5)]
    assert (sizes[999], sizes[1000]) == (5, 10)

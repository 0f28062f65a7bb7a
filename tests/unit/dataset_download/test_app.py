import asyncio
import gzip
import io
import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from dataset_download import app as lambda_app
from dataset_download.app import fit
from dataset_download.http.application import create_app
from dataset_download.service import make_service
from tests.support.lambda_context import Context
from tests.unit.dataset_download.asgi import call
from tests.unit.dataset_download.conftest import ENVIRONMENT, ROWS, Aws


@pytest.fixture
def environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Give the function's environment, as it may be changed before the first request."""
    for name, value in {**ENVIRONMENT, "STREAM_LIMIT_MB": "20"}.items():
        monkeypatch.setenv(name, value)
    lambda_app._load.cache_clear()
    asyncio.set_event_loop(None)  # so that Mangum makes a loop, whichever test ran first in this process
    yield monkeypatch
    lambda_app._load.cache_clear()
    with suppress(RuntimeError):  # Mangum's event loop lives as long as the function
        asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)


def request(path: str, query: str = "", method: str = "GET", **headers: str) -> dict[str, Any]:
    """Return the function's answer to a Function URL's event."""
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "abc.lambda-url.us-east-1.on.aws", **headers},
        "requestContext": {
            "domainName": "abc.lambda-url.us-east-1.on.aws",
            "http": {"method": method, "path": path, "sourceIp": "127.0.0.1"},
        },
        "isBase64Encoded": False,
    }
    answer = lambda_app.lambda_handler(event, Context("dataset_download", 60_000))
    assert len(json.dumps(answer)) <= 6 * 1024 * 1024
    return answer


def read_body(answer: dict[str, Any]) -> bytes:
    return b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()


def test_text_is_answered_as_text(environment: pytest.MonkeyPatch) -> None:
    answer = request("/customers.csv", "organisation-entity=org-1")
    assert answer["statusCode"] == 200
    assert not answer["isBase64Encoded"]
    assert answer["body"].count("Customer 1") == 100
    assert answer["headers"]["x-row-count"] == "100"


def test_binary_answers_are_base64(environment: pytest.MonkeyPatch) -> None:
    parquet = request("/customers.parquet", "organisation-entity=org-1")
    assert parquet["isBase64Encoded"]
    assert pq.read_table(io.BytesIO(read_body(parquet))).num_rows == 100
    packed = request("/customers.csv", "", **{"accept-encoding": "gzip"})
    assert packed["isBase64Encoded"]
    assert gzip.decompress(read_body(packed)).count(b"Customer") == ROWS


def test_parquet_is_a_redirect_here_too(environment: pytest.MonkeyPatch) -> None:
    assert request("/customers.parquet")["statusCode"] == 307


def make_large(rows: int = 120_000) -> pa.Table:
    return pa.table({"id": range(rows), "text": [f'"{number:050d}"' for number in range(rows)]})


def test_what_does_not_fit_is_exported(environment: pytest.MonkeyPatch, aws: Aws) -> None:
    aws.put("large.parquet", make_large())
    answer = request("/large.csv")
    assert answer["statusCode"] == 303
    assert len(aws.list_exports()) == 2


def test_what_does_not_fit_is_413_where_exports_are_off(environment: pytest.MonkeyPatch, aws: Aws) -> None:
    environment.setenv("EXPORTS", "false")
    aws.put("large.parquet", make_large())
    answer = request("/large.csv")
    assert answer["statusCode"] == 413
    assert "BUFFER_LIMIT_MB" in answer["body"]
    assert "4.5 MB" in answer["body"]


def test_what_turns_out_larger_than_estimated_is_413_too(environment: pytest.MonkeyPatch, aws: Aws) -> None:
    environment.setenv("EXPORTS", "false")
    environment.setattr("dataset_download.request.resolve.ResolvedRequest.estimate", 1)
    aws.put("large.parquet", make_large())
    assert request("/large.csv")["statusCode"] == 413
    assert request("/large.csv", "limit=1000")["statusCode"] == 200


def test_text_whose_escapes_do_not_fit_is_base64() -> None:
    body = '"' * 4_000_000
    answer = fit({"statusCode": 200, "headers": {}, "body": body, "isBase64Encoded": False}, 6 * 1024 * 1024)
    assert answer["isBase64Encoded"]
    assert read_body(answer) == body.encode()
    assert len(json.dumps(answer)) < 6 * 1024 * 1024


def test_the_functions_own_address_is_known_without_a_setting(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PUBLIC_BASE_URL", "")
    page = request("/customers", **{"host": "evil.example", "x-amzn-request-context": '{"domainName": "evil.example"}'})
    assert "https://abc.lambda-url.us-east-1.on.aws/customers.csv" in page["body"]
    assert "evil" not in page["body"]


def test_the_adapters_headers_are_believed_behind_the_adapter_only(environment: pytest.MonkeyPatch, aws: Aws) -> None:
    variables = {**ENVIRONMENT, "PUBLIC_BASE_URL": ""}
    headers = {"x-amzn-request-context": '{"domainName": "abc.example"}', "x-amzn-lambda-context": '{"deadline": 1}'}
    outside = call(create_app(make_service(variables)), "/customers", headers)
    assert "abc.example" not in outside.text
    behind = create_app(make_service({**variables, "AWS_LAMBDA_FUNCTION_NAME": "dataset-download"}))
    assert "https://abc.example/customers.csv" in call(behind, "/customers", headers).text
    assert call(behind, "/customers", {"x-amzn-request-context": "[", "x-amzn-lambda-context": "["}).status == 200


def test_wrong_settings_are_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("BATCH_ROWS", "many")
    with pytest.raises(ValueError, match="BATCH_ROWS"):
        request("/healthz")


def test_errors_are_problems(environment: pytest.MonkeyPatch) -> None:
    for path, status in (("/nothing.csv", 404), ("/a%2fb.csv", 400), ("/customers.xlsx", 404)):
        answer = request(path)
        assert answer["statusCode"] == status
        assert json.loads(answer["body"])["status"] == status
    assert request("/customers.csv", method="POST")["statusCode"] == 405

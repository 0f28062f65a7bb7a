"""Headers of a secret are read once, win over the entry's, and never show in an error."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws
from mypy_boto3_secretsmanager import SecretsManagerClient

from csv_streamer.exceptions import FileError
from csv_streamer.inputs.secret_headers import SecretHeaders
from csv_streamer.schemas import Entry

HIDDEN = "hidden-value"


@pytest.fixture
def client() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield boto3.client("secretsmanager", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def merge(client: SecretsManagerClient, *entries: Entry) -> list[dict[str, str]]:
    async def together() -> list[dict[str, str]]:
        secrets = SecretHeaders(lambda: client)
        return [dict(headers) for headers in await asyncio.gather(*map(secrets.merge, entries))]

    return asyncio.run(together())


def entry(headers: dict[str, str] | None = None, secret: str | None = "s") -> Entry:
    return Entry("https://host/a.csv", headers=headers or {}, secret=secret)


def test_entry_without_a_secret_has_its_own_headers() -> None:
    def refuse() -> SecretsManagerClient:
        raise AssertionError("no client is needed")

    assert asyncio.run(SecretHeaders(refuse).merge(entry({"A": "1"}, secret=None))) == {"A": "1"}


def test_headers_of_the_secret_win_however_they_are_written(client: SecretsManagerClient) -> None:
    client.create_secret(Name="s", SecretString='{"authorization": "theirs", "X-Other": "2"}')
    [headers] = merge(client, entry({"Authorization": "mine", "X-Mine": "1"}))
    assert headers == {"authorization": "theirs", "X-Other": "2", "X-Mine": "1"}


def test_secret_can_be_named_by_its_arn(client: SecretsManagerClient) -> None:
    arn = client.create_secret(Name="s", SecretString='{"X": "1"}')["ARN"]
    assert merge(client, entry(secret=arn)) == [{"X": "1"}]


@dataclass
class Counting:
    """A Secrets Manager that counts."""

    calls: list[str] = field(default_factory=list)

    def get_secret_value(self, **asked: str) -> dict[str, Any]:
        self.calls.append(asked["SecretId"])
        return {"SecretString": '{"X": "1"}'}


def test_secret_is_read_once_even_by_files_that_begin_together() -> None:
    counting: Any = Counting()
    assert merge(counting, *[entry()] * 5, entry(secret="t")) == [{"X": "1"}] * 6
    assert sorted(counting.calls) == ["s", "t"]


def test_secret_that_is_not_there_is_told(client: SecretsManagerClient) -> None:
    with pytest.raises(FileError, match="the secret s cannot be read: ResourceNotFoundException"):
        merge(client, entry())


def test_service_that_does_not_answer_is_told() -> None:
    class Silent:
        def get_secret_value(self, **_: str) -> None:
            raise EndpointConnectionError(endpoint_url="https://secretsmanager")

    silent: Any = Silent()
    with pytest.raises(FileError, match="the secret s cannot be read: EndpointConnectionError"):
        merge(silent, entry())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (HIDDEN, "not a JSON object of headers"),
        (f'"{HIDDEN}"', "is not an object of strings"),
        (f'["{HIDDEN}"]', "is not an object of strings"),
        (f'{{"X": ["{HIDDEN}"]}}', "the value of 'X' is not a printable string"),
        (f'{{"X": "{HIDDEN}\\r\\nY: 1"}}', "the value of 'X' is not a printable string"),
        (f'{{"Host": "{HIDDEN}"}}', "'Host' is not a header that can be set here"),
        ("[" * 200_000 + HIDDEN, "not a JSON object of headers"),
    ],
)
def test_secret_that_holds_no_headers_is_refused_without_telling_it(text: str, problem: str) -> None:
    class Holder:
        def get_secret_value(self, **_: str) -> dict[str, str]:
            return {"SecretString": text}

    holder: Any = Holder()
    with pytest.raises(FileError, match=problem) as refusal:
        merge(holder, entry())
    assert "the secret s" in str(refusal.value)
    assert HIDDEN not in str(refusal.value)
    assert refusal.value.__suppress_context__  # a traceback would quote it


def test_binary_secret_holds_no_headers(client: SecretsManagerClient) -> None:
    client.create_secret(Name="s", SecretBinary=b'{"X": "1"}')
    with pytest.raises(FileError, match="not a JSON object of headers"):
        merge(client, entry())

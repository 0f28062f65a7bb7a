"""The xAPI ETL as deployed: objects land in the bucket, statements become rows in ClickHouse."""

import gzip
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
import pytest
import zstandard

from lib.xapi.statements import draw_object
from tests.e2e.stack import Stack, wait_until
from tests.support.clickhouse_server import query

SECONDS = 120

type Row = tuple[str, int, str]
"""Object's name, line and the statement as it was."""


@dataclass(frozen=True)
class Etl:
    """The ETL's bucket, queues and table, seen from one test's prefix."""

    stack: Stack
    prefix: str

    def __getattr__(self, name: str) -> str:
        return self.stack.outputs[name]

    def put(self, name: str, body: bytes) -> str:
        """Put an object under the prefix; return its version."""
        answer = self.stack.s3.put_object(Bucket=self.xapi_bucket, Key=self.prefix + name, Body=body)
        return answer.get("VersionId", "")

    def ask(self, columns: str, more: str = "") -> list[list[Any]]:
        """Return columns of the rows that come from under the prefix; ``inserted_at`` is the only one of no object."""
        source = f"s3://{self.xapi_bucket}/{self.prefix}"
        table = f"{self.clickhouse_database}.{self.clickhouse_table}"
        text = (
            f"SELECT {columns} FROM {table} WHERE startsWith(source_file, '{source}') {more} FORMAT JSONCompactEachRow"
        )
        return [json.loads(line) for line in query(self.clickhouse_url, text).splitlines()]

    def count(self) -> int:
        ((rows,),) = self.ask("toUInt32(count())")
        return int(rows)

    def read_rows(self) -> set[Row]:
        rows = self.ask("source_file, toUInt32(source_line), statement")
        start = len(f"s3://{self.xapi_bucket}/{self.prefix}")
        return {(file[start:], line, statement) for file, line, statement in rows}

    def wait_for(self, rows: int) -> None:
        def look() -> bool:
            return self.count() >= rows

        wait_until(look, f"{rows} rows", SECONDS)
        assert self.count() == rows

    def send(self, name: str, version: str = "") -> str:
        """Announce an object once more; return the message's id."""
        body = {"bucket": self.xapi_bucket, "key": self.prefix + name, "version_id": version or None}
        answer = self.stack.sqs.send_message(QueueUrl=self.xapi_queue_url, MessageBody=json.dumps(body))
        return answer["MessageId"]

    def take_reasons(self, wanted: int) -> dict[str, str]:
        """Return why messages of this test failed for good, by the object's name, once there are so many."""
        found: dict[str, str] = {}

        def look() -> bool:
            answer = self.stack.sqs.receive_message(
                QueueUrl=self.xapi_dlq_url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=5,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
            )
            for message in answer.get("Messages", []):
                name = self._find_name(message["Body"])
                attributes = message.get("MessageAttributes", {})
                if name and attributes:
                    assert name not in found, "more than one copy"
                    assert attributes["OriginalMessageId"]["StringValue"]
                    found[name] = attributes["FailureReason"]["StringValue"]
                if name:
                    receipt = message["ReceiptHandle"]
                    self.stack.sqs.delete_message(QueueUrl=self.xapi_dlq_url, ReceiptHandle=receipt)
            return len(found) >= wanted

        wait_until(look, f"{wanted} dead letters", SECONDS)
        return found

    def _find_name(self, body: str) -> str | None:
        """Return what comes after this test's prefix in the first key that a message names."""
        _, is_ours, rest = body.partition(self.prefix)
        return rest.partition('"')[0] if is_ours else None

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        answer = self.stack.functions.invoke(FunctionName=self.xapi_etl_function, Payload=json.dumps(event).encode())
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        assert answer.get("FunctionError") is None, payload
        return payload


@dataclass(frozen=True)
class Policies:
    """The inline policy of the function's role."""

    iam: Any
    role: str

    def read(self) -> list[dict[str, Any]]:
        policy = self.iam.get_role_policy(RoleName=self.role, PolicyName="function")["PolicyDocument"]
        statements: list[dict[str, Any]] = policy["Statement"]
        return statements

    def write(self, statements: list[dict[str, Any]]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.iam.put_role_policy(RoleName=self.role, PolicyName="function", PolicyDocument=document)


@pytest.fixture
def etl(stack: Stack, prefix: str) -> Iterator[Etl]:
    if not stack.outputs["xapi_bucket"]:
        pytest.skip("the xAPI ETL is not deployed: it knows no ClickHouse")
    made = Etl(stack, f"{stack.outputs['xapi_prefix']}{prefix}")
    yield made
    stack.delete_versions(made.xapi_bucket, made.prefix)
    stack.delete_versions(made.xapi_bucket, f"quarantine/{made.prefix}")


def draw(count: int) -> bytes:
    return draw_object(uuid.uuid4().hex, 0, count)


def rows_of(name: str, body: bytes) -> set[Row]:
    return {(name, number, line) for number, line in enumerate(body.decode().splitlines(), 1)}


def test_plain_and_compressed_objects_land_exactly(etl: Etl) -> None:
    bodies = {
        "a.jsonl": draw(500),
        "b.jsonl.gz": draw(400),
        "c.jsonl.zst": draw(300),
        "no suffix": b"\xef\xbb\xbf" + draw(3),
    }
    packed: dict[str, Callable[[bytes], bytes]] = {"b.jsonl.gz": gzip.compress, "c.jsonl.zst": zstandard.compress}
    for name, body in bodies.items():
        etl.put(name, packed.get(name, bytes)(body))
    etl.wait_for(1203)
    expected = set.union(*(rows_of(name, body.removeprefix(b"\xef\xbb\xbf")) for name, body in bodies.items()))
    assert etl.read_rows() == expected


def test_columns_say_what_the_statement_says(etl: Etl) -> None:
    body = draw(200)
    etl.put("a.jsonl", body)
    etl.wait_for(200)
    columns = ("actor_id", "verb_id", "object_id", "score_raw", "success", "event_hash")
    moment = "toFloat64(toUnixTimestamp64Milli(timestamp))"
    found = etl.ask(", ".join(("statement_id", moment, *columns)), "ORDER BY source_line")
    for line, row in zip(body.decode().splitlines(), found, strict=True):
        told = json.loads(line)
        score = told["result"].get("score", {}).get("raw")
        milliseconds = round(datetime.fromisoformat(told["timestamp"]).timestamp() * 1000)
        assert row == [
            told["id"],
            milliseconds,
            told["actor"]["account"]["name"],
            told["verb"]["id"],
            told["object"]["id"],
            score,
            told["result"].get("success"),
            hashlib.sha256(line.encode()).hexdigest(),
        ]


def test_events_that_come_again_add_nothing(etl: Etl) -> None:
    version = etl.put("a.jsonl", draw(700))
    etl.wait_for(700)
    for _ in range(3):
        etl.send("a.jsonl", version)
        etl.send("a.jsonl")
    etl.put("b.jsonl", draw(10))  # comes later than the duplicates
    etl.wait_for(710)
    time.sleep(3)  # a row too many would be there by now
    assert etl.count() == 710


def test_overwrite_is_loaded_beside_what_it_replaces(etl: Etl) -> None:
    first, second = draw(20), draw(30)
    etl.put("a.jsonl", first)
    etl.wait_for(20)
    etl.put("a.jsonl", second)
    etl.wait_for(50)
    assert etl.read_rows() == rows_of("a.jsonl", first) | rows_of("a.jsonl", second)


def test_bad_objects_harm_no_neighbour_and_end_as_dead_letters_with_their_reason(etl: Etl) -> None:
    good = {f"good-{number}.jsonl": draw(40) for number in range(5)}
    bad = {
        "line.jsonl": draw(5) + b'{"id": "cut off\n' + draw(5),
        "cut.jsonl.gz": gzip.compress(draw(200))[:-50],
        "large.jsonl": draw(100),
        "binary.jsonl": b"\x00\x01\xff",
    }
    limit = {"MAX_S3_OBJECT_BYTES": "100000", "BAD_LINES": "fail"}
    with etl.stack.changed_environment(etl.xapi_etl_function, **limit):
        with etl.stack.paused_queue("xapi_queue_url"):
            version = etl.put("gone.jsonl", draw(5))
            etl.stack.s3.delete_object(Bucket=etl.xapi_bucket, Key=f"{etl.prefix}gone.jsonl", VersionId=version)
            for name, body in (good | bad).items():
                etl.put(name, body)
        etl.wait_for(200)
        reasons = etl.take_reasons(5)
    assert etl.read_rows() == set.union(*(rows_of(name, body) for name, body in good.items()))
    assert reasons.keys() == {*bad, "gone.jsonl"}
    assert reasons["line.jsonl"].startswith("line 6 rejected:")
    assert "gzip" in reasons["cut.jsonl.gz"]
    assert "MAX_S3_OBJECT_BYTES" in reasons["large.jsonl"]
    assert reasons["binary.jsonl"].startswith("line 1 rejected:")
    assert "does not exist" in reasons["gone.jsonl"]


def test_poison_message_ends_as_dead_letter_while_objects_are_loaded(etl: Etl) -> None:
    etl.stack.sqs.send_message(QueueUrl=etl.xapi_queue_url, MessageBody=f'poison {etl.prefix}poison"')
    etl.put("a.jsonl", draw(10))
    etl.wait_for(10)
    assert "not JSON" in etl.take_reasons(1)["poison"]


@pytest.fixture
def policies(etl: Etl) -> Iterator[Policies]:
    if not etl.stack.is_local:
        pytest.skip("changes the function's role")
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    iam = boto3.client("iam", endpoint_url=etl.aws_endpoint_url, region_name=etl.aws_region, **credentials)  # type: ignore[call-overload]
    function = etl.stack.functions.get_function_configuration(FunctionName=etl.xapi_etl_function)
    made = Policies(iam, function["Role"].rpartition("/")[2])
    before = made.read()
    yield made
    made.write(before)


def test_bad_lines_are_put_aside_when_asked(etl: Etl, policies: Policies) -> None:
    # What Terraform gives it with bad_lines = "quarantine", which is the default.
    resource = f"arn:aws:s3:::{etl.xapi_bucket}/quarantine/*"
    allowed = {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": resource}
    policies.write([*policies.read(), allowed])
    good = draw(6)
    lines = good.splitlines(keepends=True)
    with etl.stack.changed_environment(etl.xapi_etl_function, BAD_LINES="quarantine"):
        etl.put("a.jsonl", b"".join([*lines[:3], b"not json\n", *lines[3:], b"[1, 2]\n"]))
        etl.wait_for(6)
    answer = etl.stack.s3.get_object(Bucket=etl.xapi_bucket, Key=f"quarantine/{etl.prefix}a.jsonl.jsonl")
    aside = [json.loads(line) for line in answer["Body"].read().splitlines()]
    assert [(one["source_line"], one["line"]) for one in aside] == [(4, "not json"), (8, "[1, 2]")]
    assert all(one["reason"] and one["source_file"].endswith(f"{etl.prefix}a.jsonl") for one in aside)


def test_dry_run_inserts_nothing(etl: Etl) -> None:
    # The queue is resumed last: what it holds is not for a function that inserts nothing, or is being changed.
    with (
        etl.stack.paused_queue("xapi_queue_url"),
        etl.stack.changed_environment(etl.xapi_etl_function, DRY_RUN="true"),
    ):
        etl.put("a.jsonl", draw(10))
        body = json.dumps({"bucket": etl.xapi_bucket, "key": f"{etl.prefix}a.jsonl"})
        record = {"messageId": "one", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
        assert etl.invoke({"Records": [record]}) == {"batchItemFailures": []}
        assert etl.count() == 0
    etl.wait_for(10)


def test_diagnostics_find_bucket_and_table(etl: Etl) -> None:
    etl.put("a.jsonl", draw(1))
    payload = etl.invoke(
        {
            "diagnostics": True,
            "s3_check": {"bucket": etl.xapi_bucket, "prefix": etl.prefix},
            "clickhouse_check": True,
        }
    )
    report = json.loads(payload["body"])
    assert payload["statusCode"] == 200
    assert report["settings"]["ok"]
    assert report["s3_check"] | {"ok": True, "objects_seen": 1} == report["s3_check"]
    assert report["clickhouse_check"]["ok"]
    assert report["clickhouse_check"]["table_exists"]
    assert report["clickhouse_check"]["columns_not_inserted"] == ["inserted_at"]
    assert report["runtime"]["dependencies"]["pyarrow"]


def test_objects_beside_the_prefix_are_left_alone(etl: Etl) -> None:
    beside = f"elsewhere/{uuid.uuid4().hex}.jsonl"
    etl.stack.s3.put_object(Bucket=etl.xapi_bucket, Key=beside, Body=draw(5))
    etl.put("a.jsonl", draw(5))
    etl.wait_for(5)
    etl.stack.delete_versions(etl.xapi_bucket, beside)
    table = f"{etl.clickhouse_database}.{etl.clickhouse_table}"
    assert query(etl.clickhouse_url, f"SELECT count() FROM {table} WHERE endsWith(source_file, '{beside}')") == "0"

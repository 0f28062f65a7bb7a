"""Second tier: the handler's idempotency: initial, duplicate and concurrent deliveries, and deaths at every step."""

import time

import pytest
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import STATUS_CONSTANTS
from botocore.exceptions import ConnectTimeoutError
from botocore.parsers import ResponseParserError

from data_aggregator.claims.table import Change, Claim, ClaimTable
from data_aggregator.intake.messages import parse_body
from data_aggregator.schemas import Source
from tests.support.tiers import few_quick
from tests.unit.data_aggregator.conftest import SESSION, TABLE, Aws, Context, Hook, Register, events, fail

CONTENTS = [("a", b"alpha"), ("b", b"beta"), ("c", b"gamma")]
SHORT = 60
"""An invocation that its claims outlive by nothing, milliseconds."""


class Killed(BaseException):
    """The process is gone: nothing of the package's own clean-up runs."""


def kill(**_: object) -> None:
    raise Killed


def on_call(number: int, do: Hook) -> Hook:
    """Return a hook that acts on the n-th call only."""
    calls = [0]

    def count(**given: object) -> None:
        calls[0] += 1
        if calls[0] == number:
            do(**given)

    return count


@pytest.fixture
def bodies(aws: Aws) -> list[str]:
    return [aws.put(key, body) for key, body in CONTENTS]


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> Context:
    """An invocation whose claims expire at once, without waiting for its deadline."""
    monkeypatch.setenv("STOP_BEFORE_SECONDS", "0")
    monkeypatch.setenv("CLAIM_GRACE_SECONDS", "0")
    return Context(remaining_ms=SHORT)


def wait_for_expiry() -> None:
    time.sleep(SHORT / 1000 + 0.01)


# Initial and duplicate


def test_record_is_one_that_powertools_reads(aws: Aws, bodies: list[str]) -> None:
    aws.deliver(*bodies)
    (source,) = parse_body(bodies[0]).objects
    assert isinstance(source, Source)
    layer = DynamoDBPersistenceLayer(TABLE, boto3_session=SESSION)
    record = layer._get_record(source.id)
    assert record.status == STATUS_CONSTANTS["COMPLETED"]
    assert aws.bundle_keys()[0] in record.response_data
    days = int(record.expiry_timestamp or 0) - time.time()
    assert 20.9 * 86400 < days < 21.1 * 86400
    assert record.in_progress_expiry_timestamp


def test_duplicate_of_a_bundled_source_is_acknowledged_and_in_no_second_bundle(
    aws: Aws, bodies: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    aws.deliver(*bodies)
    before = aws.distributed_keys()
    assert aws.deliver(*reversed(bodies)) == []
    assert aws.distributed_keys() == before
    assert events(caplog).count("source_duplicate") == 3
    assert aws.uploads_in_progress() == 0


def test_duplicates_within_one_batch_are_one_source(aws: Aws, bodies: list[str]) -> None:
    assert aws.deliver(*bodies, *bodies, bodies[0]) == []
    assert aws.bundled() == CONTENTS


def test_duplicate_among_new_ones_does_not_keep_them(aws: Aws, bodies: list[str]) -> None:
    aws.deliver(bodies[1])
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS


# Concurrent


def test_source_in_progress_elsewhere_comes_back(aws: Aws, bodies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    claim = aws.claim_elsewhere(bodies[0], seconds=60)
    assert aws.deliver(*bodies) == [bodies[0]]
    assert aws.bundled() == CONTENTS[1:]
    assert claim in aws.records(), "untouched"


def test_returned_message_is_hidden_until_the_other_claim_has_ended(
    aws: Aws, bodies: list[str], hook: Register
) -> None:
    hidden: list[int] = []

    def note(params: dict[str, int], **_: object) -> None:
        hidden.append(params["VisibilityTimeout"])

    hook("before-parameter-build.sqs.ChangeMessageVisibility", note)
    aws.claim_elsewhere(bodies[0], seconds=60)
    aws.deliver(bodies[0])
    assert hidden in ([60], [61], [62])


def test_message_comes_back_all_the_same_where_the_queue_cannot_be_told(
    aws: Aws, bodies: list[str], hook: Register, caplog: pytest.LogCaptureFixture
) -> None:
    hook("before-parameter-build.sqs.ChangeMessageVisibility", fail("AccessDenied", 403))
    aws.claim_elsewhere(bodies[0])
    assert aws.deliver(bodies[0]) == [bodies[0]]
    assert "messages_not_hidden" in events(caplog)


def test_queue_out_of_reach_is_not_waited_for_with_each_message(aws: Aws, hook: Register) -> None:
    tries = []

    def time_out(**_: object) -> None:
        tries.append(1)
        raise ConnectTimeoutError(endpoint_url="queue")

    hook("before-parameter-build.sqs.ChangeMessageVisibility", time_out)
    bodies = [f"poison {number}" for number in range(200)]
    assert aws.deliver(aws.put("a"), *bodies) == bodies
    assert len(tries) < 50


def test_worker_that_claims_in_the_same_moment_wins_once(aws: Aws, bodies: list[str], hook: Register) -> None:
    """Another invocation gets in between the look at an expired claim and its takeover."""
    aws.claim_elsewhere(bodies[0], seconds=-1, bundle="2026/01/01/00/bundle-dead-0.gz", upload_id="u")

    def be_faster(**_: object) -> None:
        aws.claim_elsewhere(bodies[0], seconds=60)

    hook("before-parameter-build.s3.HeadObject", on_call(1, be_faster))
    assert aws.deliver(bodies[0]) == [bodies[0]]
    assert aws.distributed_keys() == []


# Expired claims


def test_expired_claim_of_an_unpublished_bundle_is_taken_over_and_its_upload_aborted(
    aws: Aws, bodies: list[str]
) -> None:
    bundle = "2026/01/01/00/bundle-dead-0.gz"
    for body in bodies:
        aws.claim_elsewhere(body, bundle=bundle, upload_id=aws.begin_upload(bundle), seconds=-1)
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS
    assert aws.uploads_in_progress() == 0


def test_manifest_alone_is_no_bundle(aws: Aws, bodies: list[str], short_lived: Context, hook: Register) -> None:
    hook("before-parameter-build.s3.CompleteMultipartUpload", on_call(1, kill))
    with pytest.raises(Killed):
        aws.deliver(*bodies, context=short_lived)
    (abandoned,) = aws.distributed_keys()
    assert abandoned.endswith(".manifest.json")
    wait_for_expiry()
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS
    assert aws.uploads_in_progress() == 0


@pytest.mark.parametrize("cleared", [False, True])
def test_published_bundle_is_noted_for_its_dead_owner_even_if_its_consumer_has_cleared_up(
    aws: Aws, bodies: list[str], short_lived: Context, hook: Register, cleared: bool, caplog: pytest.LogCaptureFixture
) -> None:
    hook("after-call.s3.CompleteMultipartUpload", on_call(1, kill))
    with pytest.raises(Killed):
        aws.deliver(*bodies, context=short_lived)
    assert aws.bundled() == CONTENTS
    assert aws.statuses() == ["INPROGRESS"] * 3
    if cleared:
        for key in aws.distributed_keys():
            aws.s3.delete_object(Bucket="distribution", Key=key)
    wait_for_expiry()
    assert aws.deliver(*bodies) == []
    assert aws.statuses() == ["COMPLETED"] * 3
    assert aws.bundled() == ([] if cleared else CONTENTS), "in no second bundle"
    assert events(caplog).count("claim_recovered") == 3


STEPS = [
    ("before-parameter-build.s3.CreateMultipartUpload", 1),
    ("after-call.s3.CreateMultipartUpload", 1),
    ("before-parameter-build.dynamodb.TransactWriteItems", 1),
    ("after-call.dynamodb.TransactWriteItems", 1),
    ("before-parameter-build.s3.GetObject", 1),
    ("after-call.s3.GetObject", 3),
    ("before-parameter-build.s3.UploadPart", 1),
    ("after-call.s3.UploadPart", 1),
    ("before-parameter-build.s3.PutObject", 1),
    ("after-call.s3.PutObject", 1),
    ("before-parameter-build.s3.CompleteMultipartUpload", 1),
    ("after-call.s3.CompleteMultipartUpload", 1),
    ("before-parameter-build.dynamodb.TransactWriteItems", 2),
    ("after-call.dynamodb.TransactWriteItems", 2),
]


@pytest.mark.parametrize(("event", "number"), few_quick(STEPS[::-1], quick=6))
def test_death_at_any_step_leaves_each_source_in_exactly_one_bundle(
    aws: Aws, bodies: list[str], short_lived: Context, hook: Register, event: str, number: int
) -> None:
    hook(event, on_call(number, kill))
    with pytest.raises(Killed):
        aws.deliver(*bodies, context=short_lived)
    wait_for_expiry()
    assert aws.deliver(*bodies[1:], bodies[0]) == []
    assert aws.bundled() == CONTENTS
    assert aws.statuses() == ["COMPLETED"] * 3


@pytest.mark.parametrize(("event", "number"), few_quick(STEPS[::-1], quick=6))
def test_failure_at_any_step_leaves_each_source_in_exactly_one_bundle(
    aws: Aws, bodies: list[str], short_lived: Context, hook: Register, event: str, number: int
) -> None:
    """An answer that is an error, or that is lost, after a call that failed or succeeded."""
    hook(event, on_call(number, fail("InternalError")))
    first = aws.deliver(*bodies, context=short_lived)
    wait_for_expiry()
    assert aws.deliver(*bodies, receives=2) == []
    assert aws.bundled() == CONTENTS
    assert aws.statuses() == ["COMPLETED"] * 3
    assert set(first) <= set(bodies)


def test_failed_upload_gives_the_claims_back_at_once(aws: Aws, bodies: list[str], hook: Register) -> None:
    hook("before-parameter-build.s3.UploadPart", on_call(1, fail("InternalError")))
    assert aws.deliver(*bodies) == bodies
    assert aws.records() == []
    assert aws.uploads_in_progress() == 0
    assert aws.deliver(*bodies, receives=2) == []


def test_lost_answer_of_the_last_step_is_found_out(aws: Aws, bodies: list[str], hook: Register) -> None:
    hook("after-call.s3.CompleteMultipartUpload", on_call(1, fail("PreconditionFailed", 412)))
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS


def test_answer_of_the_last_step_that_cannot_be_parsed_is_found_out(
    aws: Aws, bodies: list[str], hook: Register
) -> None:
    def garble(**_: object) -> None:
        raise ResponseParserError

    hook("after-call.s3.CompleteMultipartUpload", on_call(1, garble))
    assert aws.deliver(*bodies) == []
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS


def test_claims_stay_where_the_manifest_of_a_visible_bundle_cannot_be_read(
    aws: Aws, bodies: list[str], hook: Register
) -> None:
    def lose_answer(**_: object) -> None:
        (key,) = [key for key in aws.distributed_keys() if key.endswith(".json")]
        aws.s3.put_object(Bucket="distribution", Key=key, Body=b"?")
        fail("InternalError")()

    hook("after-call.s3.CompleteMultipartUpload", on_call(1, lose_answer))
    assert aws.deliver(*bodies) == bodies
    assert aws.statuses() == ["INPROGRESS"] * 3


def test_lost_answer_of_the_manifest_is_found_out(aws: Aws, bodies: list[str], hook: Register) -> None:
    hook("after-call.s3.PutObject", on_call(1, fail("PreconditionFailed", 412)))
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS


@pytest.mark.parametrize("operation", ["PutObject", "CompleteMultipartUpload"])
def test_conflict_sends_again_in_the_same_invocation(
    aws: Aws, bodies: list[str], hook: Register, operation: str
) -> None:
    hook(f"before-parameter-build.s3.{operation}", on_call(1, fail("ConditionalRequestConflict", 409)))
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS
    assert aws.statuses() == ["COMPLETED"] * 3
    assert aws.uploads_in_progress() == 0


def test_conflict_that_stays_returns_the_messages(aws: Aws, bodies: list[str], hook: Register) -> None:
    hook("before-parameter-build.s3.CompleteMultipartUpload", fail("ConditionalRequestConflict", 409))
    assert aws.deliver(*bodies) == bodies
    assert aws.bundle_keys() == []
    assert aws.records() == []
    assert aws.uploads_in_progress() == 0


def test_claims_stay_while_nobody_knows_whether_the_bundle_is_visible(
    aws: Aws, bodies: list[str], short_lived: Context, hook: Register, caplog: pytest.LogCaptureFixture
) -> None:
    hook("after-call.s3.CompleteMultipartUpload", on_call(1, fail("InternalError")))
    hook("before-parameter-build.s3.HeadObject", on_call(1, fail("InternalError")))
    assert aws.deliver(*bodies, context=short_lived) == bodies
    assert aws.statuses() == ["INPROGRESS"] * 3
    wait_for_expiry()
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS


def test_slow_owner_cannot_publish_what_another_has_taken_over(
    aws: Aws, bodies: list[str], short_lived: Context, hook: Register
) -> None:
    """Its claims expire while it uploads; the other aborts its upload."""
    second: list[list[str]] = []

    def take_over(**_: object) -> None:
        wait_for_expiry()
        second.append(aws.deliver(*bodies))

    hook("before-parameter-build.s3.CompleteMultipartUpload", on_call(1, take_over))
    assert aws.deliver(*bodies, context=short_lived) == bodies
    assert second == [[]]
    assert aws.bundled() == CONTENTS
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS


def test_slow_owner_that_has_published_is_not_bundled_again(
    aws: Aws, bodies: list[str], short_lived: Context, hook: Register, caplog: pytest.LogCaptureFixture
) -> None:
    """Its claims expire between upload and commit; the other one notes what it finds."""
    second: list[list[str]] = []

    def look(**_: object) -> None:
        wait_for_expiry()
        second.append(aws.deliver(*bodies))

    hook("before-parameter-build.dynamodb.TransactWriteItems", on_call(2, look))
    assert aws.deliver(*bodies, context=short_lived) == []
    assert second == [[]]
    assert aws.bundled() == CONTENTS
    assert "claims_lost" not in events(caplog)


def test_claim_that_vanished_before_the_commit_is_an_error_in_the_log(
    aws: Aws, bodies: list[str], hook: Register, caplog: pytest.LogCaptureFixture
) -> None:
    def forget(**_: object) -> None:
        for item in aws.dynamodb.scan(TableName=TABLE)["Items"]:
            aws.dynamodb.delete_item(TableName=TABLE, Key={"id": item["id"]})

    hook("before-parameter-build.s3.CompleteMultipartUpload", on_call(1, forget))
    assert aws.deliver(*bodies) == []
    assert "claims_lost" in events(caplog)


def conflict(aws: Aws) -> Hook:
    """Return a hook that raises what DynamoDB answers while another transaction touches the same records."""

    def raise_error(**_: object) -> None:
        raise aws.dynamodb.exceptions.TransactionCanceledException(
            {
                "Error": {"Code": "TransactionCanceledException", "Message": "injected"},
                "CancellationReasons": [{"Code": "TransactionConflict"}] * 3,
            },
            "TransactWriteItems",
        )

    return raise_error


def test_busy_table_is_asked_again(
    aws: Aws, bodies: list[str], hook: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_aggregator.claims.table._PAUSE_SECONDS", 0.001)
    hook("before-parameter-build.dynamodb.TransactWriteItems", on_call(1, conflict(aws)))
    assert aws.deliver(*bodies) == []
    assert aws.bundled() == CONTENTS


def test_table_that_stays_busy_returns_the_messages(
    aws: Aws, bodies: list[str], hook: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_aggregator.claims.table._PAUSE_SECONDS", 0.0001)
    hook("before-parameter-build.dynamodb.TransactWriteItems", conflict(aws))
    assert aws.deliver(*bodies) == bodies
    assert aws.distributed_keys() == []


def test_last_try_that_finds_nothing_left_to_write_is_no_failure(
    aws: Aws, bodies: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_aggregator.claims.table._MAX_ATTEMPTS", 1)
    for body in bodies:
        aws.claim_elsewhere(body)
    table = ClaimTable(aws.dynamodb, TABLE)
    sources = [source for body in bodies for source in parse_body(body).objects if isinstance(source, Source)]
    claim = Claim("INPROGRESS", 1, 1, "distribution", "b", "u")
    assert set(table.swap([Change(source.id, None, claim) for source in sources])) == {source.id for source in sources}


def test_record_of_another_shape_is_read_without_falling_over() -> None:
    claim = Claim.from_item({"id": {"S": "x"}, "status": {"S": "COMPLETED"}, "expiration": {"N": "1"}})
    assert (claim.status, claim.bundle) == ("COMPLETED", "")

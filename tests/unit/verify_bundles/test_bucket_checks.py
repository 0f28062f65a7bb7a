"""Second tier: what the command finds in whole buckets, while consumers, producers and replication work."""

import json
from typing import Any

import boto3
import pytest

from data_aggregator.bundle.manifest import name_manifest
from data_aggregator.intake.reasons import record_reasons
from tests.support.aws_events import s3_event
from tests.unit.data_aggregator.conftest import SESSION, TABLE, Aws, Register, use_old_layout
from verify_bundles import cli as verify

CONTENTS = {"a": b"alpha", "b": b"", "c": b"gamma\n" * 1000}


@pytest.fixture
def bundled(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(boto3, "client", SESSION.client)
    aws.deliver(*[aws.put(key, body) for key, body in CONTENTS.items()])
    return aws


def run(*arguments: str, capsys: pytest.CaptureFixture[str], grace: str = "0") -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = verify.main(["bucket", "distribution", "--grace-minutes", grace, *arguments])
    return status, json.loads(capsys.readouterr().out)


def mirror(aws: Aws) -> None:
    for key in aws.distributed_keys():
        aws.s3.copy_object(Bucket="plain", Key=key, CopySource={"Bucket": "distribution", "Key": key})


def test_right_bucket_passes(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    mirror(bundled)
    status, found = run("--sources", "source", "--archive", "plain", "--contents", capsys=capsys)
    assert (status, found["problems"], found["bundles"], found["sources"]) == (0, [], 1, 3)
    prefix = bundled.bundle_keys()[0][:11]
    assert run("--prefix", prefix, "--archive", "plain", "--contents", capsys=capsys)[1]["sources"] == 3
    assert run("--prefix", "2001/", "--archive", "plain", capsys=capsys)[1]["sources"] == 0


def test_both_layouts_side_by_side_pass(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    use_old_layout(bundled, bundled.bundle_keys()[0])
    bundled.deliver(bundled.put("new"))
    status, found = run("--sources", "source", "--contents", capsys=capsys)
    assert (status, found["problems"], found["bundles"], found["sources"]) == (0, [], 2, 4)
    assert found["abandoned_manifests"] == []


def test_source_in_no_bundle_is_a_problem_once_it_is_old(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    bundled.put("late")
    status, found = run("--sources", "source", capsys=capsys)
    assert status == 1
    assert found["problems"][0].startswith("source in no bundle: ('source', 'late'")
    status, found = run("--sources", "source", capsys=capsys, grace="15")
    assert (status, found["problems"], len(found["pending"])) == (0, [], 1)


def test_source_in_two_bundles_is_named_with_both(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle,) = bundled.bundle_keys()
    for key, copy in ((bundle, f"copy/{bundle}"), (name_manifest(bundle), name_manifest(f"copy/{bundle}"))):
        bundled.s3.copy_object(Bucket="distribution", Key=copy, CopySource={"Bucket": "distribution", "Key": key})
    status, found = run(capsys=capsys)
    assert status == 1
    assert len(found["problems"]) == 3
    assert all(f"{bundle}, copy/{bundle}" in problem for problem in found["problems"])


def test_equal_bytes_put_twice_without_versions_are_two_sources(
    bundled: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        bundled.deliver(bundled.put("same", b"bytes", bucket="plain"))
    status, found = run("--sources", "plain", "--source-prefix", "same", capsys=capsys)
    assert (status, found["problems"], found["bundles"]) == (0, [], 3)


def test_every_problem_is_listed(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    s3 = bundled.s3
    s3.put_object(Bucket="distribution", Key="x.gz", Body=b"")
    s3.put_object(Bucket="distribution", Key="_manifests/y.manifest.json", Body=b"")
    for name in ("p", "q"):
        bundled.deliver(bundled.put(name))
    bundles = bundled.bundle_keys()
    s3.put_object(Bucket="distribution", Key=name_manifest(bundles[0]), Body=b"[]")
    s3.put_object(Bucket="distribution", Key=bundles[1], Body=b"no gzip")
    for number in range(30):
        bundled.put(f"late-{number}")
    status, found = run("--sources", "source", "--archive", "plain", "--contents", capsys=capsys)
    assert status == 1
    problems = "\n".join(found["problems"])
    assert "x.gz: bundle without manifest" in problems
    assert f"{bundles[0]}: not a manifest" in problems
    assert f"{bundles[1]}: not valid gzip" in problems
    assert "not in the archive: x.gz" in problems
    assert sum("late-" in problem for problem in found["problems"]) == 30
    assert found["abandoned_manifests"] == ["_manifests/y.manifest.json"]


def test_young_bundle_may_lack_its_copy(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = run("--archive", "plain", capsys=capsys, grace="15")
    assert (status, len(found["pending"])) == (0, 2)
    status, found = run("--archive", "plain", capsys=capsys)
    assert (status, len(found["problems"])) == (1, 2)


def test_copy_of_another_size_is_a_problem_at_any_age(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    mirror(bundled)
    (bundle,) = bundled.bundle_keys()
    bundled.s3.put_object(Bucket="plain", Key=bundle, Body=b"other")
    status, found = run("--archive", "plain", capsys=capsys, grace="15")
    assert (status, found["problems"]) == (1, [f"another size in the archive: {bundle}"])


def test_bundle_that_is_cleared_away_while_it_is_read_is_no_problem(
    bundled: Aws, capsys: pytest.CaptureFixture[str], hook: Register
) -> None:
    (bundle,) = bundled.bundle_keys()
    bundled.deliver(bundled.put("other"))

    def clear(**_: Any) -> None:
        for key in (bundle, name_manifest(bundle)):
            bundled.s3.delete_object(Bucket="distribution", Key=key)

    hook("after-call.s3.ListObjectsV2", clear)
    status, found = run("--contents", capsys=capsys)
    assert (status, found["problems"], found["bundles"], found["cleared"]) == (0, [], 1, 1)


def test_source_whose_bundle_was_cleared_away_is_known_by_the_table(
    bundled: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in bundled.distributed_keys():
        bundled.s3.delete_object(Bucket="distribution", Key=key)
    assert run("--sources", "source", capsys=capsys)[0] == 1
    status, found = run("--sources", "source", "--table", TABLE, capsys=capsys)
    assert (status, found["problems"], found["cleared"]) == (0, [], 3)


def test_record_that_names_a_bundle_without_the_source_is_a_problem(
    bundled: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle,) = bundled.bundle_keys()
    body = bundled.put("lost")
    bundled.deliver(body)
    (other,) = set(bundled.bundle_keys()) - {bundle}
    manifest = bundled.manifest(other) | {"sources": []}
    bundled.s3.put_object(Bucket="distribution", Key=name_manifest(other), Body=json.dumps(manifest).encode())
    status, found = run("--sources", "source", "--table", TABLE, capsys=capsys, grace="15")
    assert status == 1
    assert found["problems"][0].startswith(f"not in {other}, although the table says so: ('source', 'lost'")


@pytest.mark.parametrize(("seconds", "status"), [(60, 0), (-60, 1)])
def test_claimed_source_is_pending_until_the_claim_is_over(
    bundled: Aws, capsys: pytest.CaptureFixture[str], seconds: int, status: int
) -> None:
    bundled.claim_elsewhere(bundled.put("busy"), seconds=seconds)
    found_status, found = run("--sources", "source", "--table", TABLE, capsys=capsys)
    assert (found_status, len(found["pending"]), len(found["problems"])) == (status, 1 - status, status)


def test_dead_letter_accounts_for_its_sources_and_stays_in_the_queue(
    bundled: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    body = bundled.put("bad.gz", b"no gzip")
    bundled.put("plain-named")
    url = bundled.sqs.create_queue(QueueName="dlq")["QueueUrl"]
    bundled.deliver(body)
    for text in (body, json.dumps({"bucket": "source", "key": "plain-named"}), "no JSON", s3_event("x", "y", 1, "e")):
        bundled.sqs.send_message(QueueUrl=url, MessageBody=text)
    for _ in range(2):
        arguments = ("--sources", "source", "--table", TABLE, "--dlq", url)
        status, found = run(*arguments, capsys=capsys)
        assert (status, found["problems"]) == (0, [])
        assert len(found["dead_letters"]) == 2
        assert "bad.gz" in found["dead_letters"][0]


def test_reason_of_a_dead_letter_is_shown(bundled: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    body = bundled.put("bad.gz", b"no gzip")
    url = bundled.sqs.create_queue(QueueName="dlq")["QueueUrl"]
    message = bundled.sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"]
    record_reasons(bundled.dynamodb, TABLE, {message: "refused: not gzip data"}, 2_000_000_000)
    _, found = run("--sources", "source", "--table", TABLE, "--dlq", url, capsys=capsys)
    assert found["dead_letters"][0].endswith(": refused: not gzip data")

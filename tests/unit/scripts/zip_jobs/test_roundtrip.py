import io
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.tiers import few_quick
from tests.unit.scripts.conftest import JOB_ID, FakeApi, Request, RunScript

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PENDING = {"jobId": JOB_ID, "status": "PENDING", "phase": "queued", "filesDone": 0, "filesTotal": None}


@pytest.fixture
def keys(s3: "S3Client") -> list[str]:
    keys = [f"uploads/{number}.pdf" for number in range(3)]
    for key in keys:
        s3.put_object(Bucket="source", Key=key, Body=key.encode())
    return keys


def make_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.pdf", b"a" * 1000)
        archive.writestr("b.pdf", b"b")
    return buffer.getvalue()


def posted(api: FakeApi) -> dict[str, object]:
    bodies = [request.body for request in api.requests if request.method == "POST"]
    assert len(bodies) == 1
    found: dict[str, object] = json.loads(bodies[0])
    return found


@pytest.mark.usefixtures("keys")
def test_job_is_created_polled_downloaded_and_verified(
    run_script: RunScript, fake_api: FakeApi, tmp_path: Path
) -> None:
    archive = make_archive()
    processing = {**PENDING, "phase": "processing", "filesDone": 1, "filesTotal": 2, "percent": 50}
    fake_api.polls = [(200, PENDING), (200, processing), fake_api.make_ready(archive)]

    done = run_script("test_flow.sh")

    assert done.returncode == 0, done.stderr
    assert posted(fake_api) == {
        "sourceBucket": "source",
        "targetBucket": "target",
        "targetPrefix": "zips/",
        "prefix": "uploads/",
    }
    assert (tmp_path / "downloads" / f"{JOB_ID}.zip").read_bytes() == archive
    assert "unzip -t" in done.stdout
    assert "2.0 s" in done.stdout
    assert f"{fake_api.url}/zip-jobs/{JOB_ID}" in done.stdout
    assert "X-Amz-Signature" not in done.stdout + done.stderr


@pytest.mark.usefixtures("keys")
def test_jobs_without_progress_fields_are_polled_too(run_script: RunScript, fake_api: FakeApi) -> None:
    fake_api.polls = [(200, {"jobId": JOB_ID, "status": "PENDING"}), fake_api.make_ready(make_archive())]

    assert run_script("test_flow.sh").returncode == 0


@pytest.mark.parametrize("limit", ["1000000", "10"])
def test_empty_prefix_means_the_whole_bucket(
    run_script: RunScript, fake_api: FakeApi, keys: list[str], s3: "S3Client", limit: str
) -> None:
    fake_api.polls = [fake_api.make_ready(make_archive())]
    manifests: list[bytes] = []
    answer = fake_api.answer

    def read_manifest_first(request: Request) -> tuple[int, bytes]:
        if request.method == "POST" and "manifestKey" in json.loads(request.body):
            key = json.loads(request.body)["manifestKey"]
            manifests.append(s3.get_object(Bucket="source", Key=key)["Body"].read())
        return answer(request)

    fake_api.answer = read_manifest_first  # type: ignore[method-assign]

    done = run_script("test_flow.sh", "", ZIP_BODY_LIMIT_BYTES=limit)

    assert done.returncode == 0, done.stderr
    if limit == "10":
        assert manifests[0].decode().split("\n") == keys
        left = [entry["Key"] for entry in s3.list_objects_v2(Bucket="source")["Contents"]]
        assert left == keys, "the manifest is removed once the job has ended"
    else:
        assert posted(fake_api)["keys"] == keys


@pytest.mark.usefixtures("s3")
def test_prefix_without_objects_creates_no_job(run_script: RunScript, fake_api: FakeApi) -> None:
    done = run_script("test_flow.sh", "nothing/")

    assert done.returncode == 1
    assert "no objects under s3://source/nothing/" in done.stderr
    assert fake_api.requests == []


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": "FAILED", "error": "2 of the objects do not exist"}, "2 of the objects do not exist"),
        ({"status": "CANCELLED"}, "cancelled"),
    ],
)
def test_job_that_ends_badly_fails_the_script(
    run_script: RunScript, fake_api: FakeApi, answer: dict[str, str], said: str
) -> None:
    fake_api.polls = [(200, {"jobId": JOB_ID, **answer})]

    done = run_script("test_flow.sh")

    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.usefixtures("keys")
def test_job_that_takes_too_long_fails_the_script(run_script: RunScript, fake_api: FakeApi) -> None:
    fake_api.polls = [(200, PENDING)]

    done = run_script("test_flow.sh", "--timeout", "1")

    assert done.returncode == 1
    assert "still PENDING after 1 s" in done.stderr


@pytest.mark.usefixtures("keys")
def test_refused_request_shows_the_problem(run_script: RunScript, fake_api: FakeApi) -> None:
    problem = {"title": "Forbidden", "detail": "not a bucket of ours", "errors": [{"field": "x", "detail": "bad"}]}
    fake_api.created = (403, problem)

    done = run_script("test_flow.sh")

    assert done.returncode == 1
    assert "answered 403: not a bucket of ours; x: bad" in done.stderr


@pytest.mark.usefixtures("keys")
def test_passing_server_errors_while_polling_are_survived(run_script: RunScript, fake_api: FakeApi) -> None:
    fake_api.polls = [(503, {}), (500, {}), fake_api.make_ready(make_archive())]

    assert run_script("test_flow.sh").returncode == 0


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("status", [500, 404])
def test_lasting_errors_while_polling_fail_the_script(run_script: RunScript, fake_api: FakeApi, status: int) -> None:
    fake_api.polls = [(status, {"detail": "gone"})]

    done = run_script("test_flow.sh")

    assert done.returncode == 1
    assert f"answered {status}: gone" in done.stderr


@pytest.mark.usefixtures("keys")
def test_unreachable_api_fails_the_script(run_script: RunScript) -> None:
    done = run_script("test_flow.sh", API_BASE="http://127.0.0.1:9")

    assert done.returncode == 1
    assert "got no answer; is the stack running" in done.stderr
    assert "no body" not in done.stderr


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("damage", ["truncated", "flipped byte", "lost file"])
def test_archive_that_is_not_the_jobs_fails_the_script(run_script: RunScript, fake_api: FakeApi, damage: str) -> None:
    archive = make_archive()
    status, ready = fake_api.make_ready(archive)
    if damage == "truncated":
        fake_api.archive = archive[:-30]
    elif damage == "flipped byte":
        fake_api.archive = archive[:100] + bytes([archive[100] ^ 1]) + archive[101:]
    else:
        ready["files"] = 3
    fake_api.polls = [(status, ready)]

    assert run_script("test_flow.sh").returncode == 1


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("damaged", few_quick([True, False]))
def test_python_tests_the_archive_where_there_is_no_unzip(
    run_script: RunScript, fake_api: FakeApi, tmp_path: Path, damaged: bool
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in reversed(os.environ["PATH"].split(os.pathsep)):
        for tool in Path(folder).glob("*"):
            if tool.name != "unzip":
                (tools / tool.name).unlink(missing_ok=True)
                (tools / tool.name).symlink_to(tool)
    archive = make_archive()
    if damaged:  # and the job vouches for the damage, so that only reading the members can find it
        archive = archive[:100] + bytes([archive[100] ^ 1]) + archive[101:]
    fake_api.polls = [fake_api.make_ready(archive)]

    done = run_script("test_flow.sh", PATH=str(tools))

    assert "unzip is not installed" in done.stderr
    assert done.returncode == (1 if damaged else 0), done.stderr
    if not damaged:
        assert "Python's zipfile" in done.stdout


@pytest.mark.usefixtures("keys")
def test_bearer_token_is_sent_and_not_shown(run_script: RunScript, fake_api: FakeApi) -> None:
    fake_api.polls = [fake_api.make_ready(make_archive())]

    done = run_script("test_flow.sh", API_AUTH="JWT", API_TOKEN="token-of-mine")

    assert done.returncode == 0, done.stderr
    api_calls = [request for request in fake_api.requests if request.path.startswith("/zip-jobs")]
    assert {request.headers.get("Authorization") for request in api_calls} == {"Bearer token-of-mine"}
    downloads = [request for request in fake_api.requests if request.path.startswith("/archive")]
    assert "Authorization" not in downloads[0].headers, "a signed URL with a second proof is refused by S3"
    assert "token-of-mine" not in done.stdout + done.stderr
    assert '"Authorization: Bearer $API_TOKEN"' in done.stdout


@pytest.mark.usefixtures("keys")
def test_requests_are_signed_for_iam(run_script: RunScript, fake_api: FakeApi) -> None:
    fake_api.polls = [fake_api.make_ready(make_archive())]

    done = run_script(
        "test_flow.sh",
        API_AUTH="AWS_IAM",
        AWS_REGION="eu-west-1",
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY="secret/with+signs=",
        AWS_SESSION_TOKEN="session-token",
    )

    assert done.returncode == 0, done.stderr
    signed = [request.headers for request in fake_api.requests if request.path.startswith("/zip-jobs")]
    for headers in signed:
        lower = {name.lower(): value for name, value in headers.items()}
        assert lower["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert "/eu-west-1/execute-api/aws4_request" in lower["authorization"]
        assert lower["x-amz-security-token"] == "session-token"
    shown = done.stdout + done.stderr
    assert not [secret for secret in ("secret/with+signs=", "session-token", "AKIDEXAMPLE") if secret in shown]


@pytest.mark.usefixtures("keys")
def test_missing_bearer_token_is_named(run_script: RunScript) -> None:
    done = run_script("test_flow.sh", API_AUTH="JWT")

    assert done.returncode == 1
    assert "API_TOKEN" in done.stderr


@pytest.mark.parametrize("arguments", [("--timeout", "soon"), ("--timeout",), ("--what",), ("a", "b")])
def test_wrong_arguments_are_refused(run_script: RunScript, arguments: tuple[str, ...]) -> None:
    assert run_script("test_flow.sh", *arguments).returncode == 2

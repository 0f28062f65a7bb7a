"""The offline stack, started and stopped as `make up` and `make down` do, with its own data."""

import io
import json
import os
import signal
import socket
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

import stack
from offline import clickhouse_front, ministack, samples
from offline.paths import Paths, StackError
from offline.processes import identify
from offline.records import Running
from offline.servers import START_SECONDS
from offline.virtualenv import ensure_venv
from sample_files import expected_body
from tests.support.clickhouse_server import query

ROOT = Path(__file__).parents[3]
HANDLER = "import os\ndef handler(event, context):\n    return {'pid': os.getpid(), 'seen': dict(os.environ)}\n"
WHERE = (
    "import in_layer, os\n"
    "def handler(event, context):\n"
    "    return [os.path.realpath(module) for module in (__file__, in_layer.__file__)]\n"
)
# The emulator is meant to outlive the object that started it.
pytestmark = pytest.mark.filterwarnings("ignore:.*Popen.__del__:pytest.PytestUnraisableExceptionWarning")
ROLE = "arn:aws:iam::000000000000:role/any"


def find_free_ports() -> int:
    """Return a port that is free with the two after it."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 2))
                return port
    pytest.fail("no three neighbouring ports are free")


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    requirements = ROOT / "requirements-ministack.txt"
    made = Paths(tmp_path / ".local", ROOT / ".local/ministack-venv", requirements, find_free_ports())
    yield made
    ministack.stop(made)
    samples.stop(made)
    clickhouse_front.stop(made)


def start(paths: Paths) -> Running:
    environment = {"PATH": os.environ["PATH"], "AWS_PROFILE": "mine", "AWS_SECRET_ACCESS_KEY": "mine"}
    return ministack.start(paths, ensure_venv(paths), environment)


def make_client(service: Any, paths: Paths) -> Any:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    return session.client(service, endpoint_url=paths.address)


def call(paths: Paths) -> Any:
    answer = make_client("lambda", paths).invoke(FunctionName="kept")
    return json.load(answer["Payload"])


def wait_until_gone(pid: int) -> None:
    # A kill is sent at once, but the end of a process takes its time.
    for _ in range(100):
        if identify(pid) is None:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


def pack(source: str, name: str = "app.py") -> bytes:
    """Return a ZIP file of one module."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, source)
    return packed.getvalue()


def fill(paths: Paths) -> None:
    """Make one of each thing that has to survive a stop."""
    s3 = make_client("s3", paths)
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="a/b", Body=b"x" * 100_000)
    make_client("sqs", paths).create_queue(QueueName="kept")
    table = {"AttributeName": "id", "AttributeType": "S"}
    dynamodb = make_client("dynamodb", paths)
    dynamodb.create_table(
        TableName="kept",
        AttributeDefinitions=[table],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="kept", Item={"id": {"S": "one"}})
    make_client("lambda", paths).create_function(
        FunctionName="kept", Runtime="python3.13", Role=ROLE, Handler="app.handler", Code={"ZipFile": pack(HANDLER)}
    )


def test_stop_keeps_everything_and_ends_all_processes(paths: Paths) -> None:
    first = start(paths)
    fill(paths)
    worker = call(paths)["pid"]
    assert identify(worker) is not None
    assert ministack.stop(paths)
    assert identify(first.pid) is None
    wait_until_gone(worker)
    assert not paths.temporary.exists()

    start(paths)
    body = make_client("s3", paths).get_object(Bucket="kept", Key="a/b")["Body"].read()
    assert body == b"x" * 100_000
    assert make_client("sqs", paths).get_queue_url(QueueName="kept")["QueueUrl"].endswith("/kept")
    assert make_client("dynamodb", paths).get_item(TableName="kept", Key={"id": {"S": "one"}})["Item"]
    assert call(paths)["pid"] != worker


def test_functions_see_no_credentials_of_the_user_and_live_in_the_checkout(paths: Paths) -> None:
    start(paths)
    fill(paths)
    seen = call(paths)["seen"]
    assert "AWS_PROFILE" not in seen
    assert seen["AWS_SECRET_ACCESS_KEY"] == "test"
    assert seen["AWS_ENDPOINT_URL"] == paths.address
    assert seen["LAMBDA_TASK_ROOT"].startswith(str(paths.temporary))


def test_execution_environments_share_code_and_layers_until_those_change(paths: Paths) -> None:
    start(paths)
    functions = make_client("lambda", paths)
    arn = functions.publish_layer_version(
        LayerName="any", Content={"ZipFile": pack("VALUE = 1", "python/in_layer.py")}, CompatibleRuntimes=["python3.13"]
    )["LayerVersionArn"]
    functions.create_function(
        FunctionName="kept",
        Runtime="python3.13",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": pack(WHERE)},
        Layers=[arn],
    )
    code, layer = call(paths)
    functions.update_function_configuration(FunctionName="kept", Environment={"Variables": {"any": "thing"}})
    functions.get_waiter("function_updated_v2").wait(FunctionName="kept")
    assert call(paths) == [code, layer]

    functions.update_function_code(FunctionName="kept", ZipFile=pack(WHERE + "\n"))
    functions.get_waiter("function_updated_v2").wait(FunctionName="kept")
    changed_code, same_layer = call(paths)
    assert changed_code != code
    assert same_layer == layer


def test_killed_emulator_is_noticed_and_can_be_started_again(paths: Paths) -> None:
    running = start(paths)
    assert ministack.find_running(paths) == running
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)
    assert ministack.find_running(paths) is None
    assert not ministack.stop(paths)
    start(paths)
    assert ministack.is_healthy(paths)


def test_emulator_that_ends_at_once_shows_the_end_of_its_log(paths: Paths, tmp_path: Path) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho the reason\nexit 7\n")
    failing.chmod(0o755)
    started = time.monotonic()
    with pytest.raises(StackError, match=r"(?s)ended with status 7.*the reason"):
        ministack.start(paths, failing, os.environ)
    assert time.monotonic() - started < START_SECONDS
    assert not paths.run_file.exists()


def fetch(url: str) -> bytes:
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    return answer.content


def test_sample_files_start_and_stop_with_the_stack(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    stack.start(paths)
    assert fetch(paths.samples_address + "/files/units.csv?bytes=5000") == expected_body("/files/units.csv?bytes=5000")
    assert stack.show_status(paths) == 0
    running = samples.find_running(paths), ministack.find_running(paths)
    assert None not in running

    stack.start(paths)
    assert (samples.find_running(paths), ministack.find_running(paths)) == running
    assert "already up" in capsys.readouterr().out

    stack.stop(paths, forget=False)
    assert (samples.find_running(paths), ministack.find_running(paths)) == (None, None)
    assert stack.show_status(paths) == 1
    assert not samples.is_healthy(paths)


def test_killed_sample_file_server_is_started_again_beside_a_running_emulator(paths: Paths) -> None:
    stack.start(paths)
    emulator, server = ministack.find_running(paths), samples.find_running(paths)
    assert server
    os.kill(server.pid, signal.SIGKILL)
    os.waitpid(server.pid, 0)
    assert stack.show_status(paths) == 1
    stack.start(paths)
    assert stack.show_status(paths) == 0
    assert ministack.find_running(paths) == emulator


def test_taken_sample_files_port_keeps_the_stack_from_starting(paths: Paths) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", paths.samples_port))
        listener.listen()
        with pytest.raises(StackError, match=rf"port {paths.samples_port} is taken \(PID {os.getpid()}: "):
            stack.start(paths)
    assert ministack.find_running(paths) is None


def test_sample_file_server_is_not_left_behind_by_an_emulator_that_cannot_start(paths: Paths) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", paths.port))
        listener.listen()
        with pytest.raises(StackError, match=rf"port {paths.port} is taken"):
            stack.start(paths)
    assert samples.find_running(paths) is None
    assert not samples.is_healthy(paths)
    assert clickhouse_front.find_running(paths) is None
    assert not clickhouse_front.is_healthy(paths)


def test_clickhouse_starts_and_stops_with_the_stack_and_keeps_its_tables(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.start(paths)
    assert f"ClickHouse at {paths.clickhouse_address}" in capsys.readouterr().out
    query(paths.clickhouse_address, "CREATE TABLE kept (number UInt8) ENGINE = MergeTree ORDER BY number")
    query(paths.clickhouse_address, "INSERT INTO kept VALUES (7)")
    assert query(paths.clickhouse_address, "SELECT timezone()") == "UTC"
    running = clickhouse_front.find_running(paths)
    assert running is not None

    stack.start(paths)
    assert clickhouse_front.find_running(paths) == running
    stack.stop(paths, forget=False)
    assert clickhouse_front.find_running(paths) is None
    assert identify(running.pid) is None
    assert stack.show_status(paths) == 1

    stack.start(paths)
    assert query(paths.clickhouse_address, "SELECT number FROM kept") == "7"
    assert stack.show_status(paths) == 0
    stack.stop(paths, forget=True)
    assert not paths.clickhouse_data.exists()


def test_killed_clickhouse_is_started_again_beside_a_running_emulator(paths: Paths) -> None:
    stack.start(paths)
    emulator, server = ministack.find_running(paths), clickhouse_front.find_running(paths)
    assert server
    os.kill(server.pid, signal.SIGKILL)
    os.waitpid(server.pid, 0)
    assert stack.show_status(paths) == 1
    stack.start(paths)
    assert stack.show_status(paths) == 0
    assert ministack.find_running(paths) == emulator


def test_stack_starts_without_a_clickhouse_that_cannot_be_installed(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_places: Paths) -> Path:
        raise StackError("no wheel for this platform")

    monkeypatch.setattr(clickhouse_front, "ensure_clickhouse_venv", refuse)
    stack.start(paths)
    assert ministack.is_healthy(paths)
    assert samples.is_healthy(paths)
    assert clickhouse_front.find_running(paths) is None
    assert "no ClickHouse here, going on without it" in capsys.readouterr().out

"""`scripts/invoke.sh` against a Lambda whose answers each test writes itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.unit.scripts.conftest import RunScript


@dataclass
class FakeLambda:
    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"statusCode": 200, "body": "{\\"done\\": true}"}'
    requests: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    """Path, invocation type and event of each request."""


@pytest.fixture
def fake_lambda() -> Iterator[FakeLambda]:
    fake = FakeLambda()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fake.requests.append((self.path, self.headers.get("X-Amz-Invocation-Type"), event))
            self.send_response(fake.status)
            for name, value in {**fake.headers, "Content-Length": str(len(fake.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(fake.body.encode())

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


def test_answer_is_printed_with_its_body_as_json(run_script: RunScript, fake_lambda: FakeLambda) -> None:
    done = run_script("invoke.sh", "some-function", '{"a": 1}', AWS_ENDPOINT_URL=fake_lambda.url)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"statusCode": 200, "body": {"done": True}}
    assert fake_lambda.requests == [("/2015-03-31/functions/some-function/invocations", "RequestResponse", b'{"a": 1}')]


def test_event_may_be_left_out_or_be_a_file(run_script: RunScript, fake_lambda: FakeLambda, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text('{"from": "file"}')

    run_script("invoke.sh", "f", AWS_ENDPOINT_URL=fake_lambda.url)
    run_script("invoke.sh", "f", f"@{tmp_path}/event.json", AWS_ENDPOINT_URL=fake_lambda.url)

    assert [event for _, _, event in fake_lambda.requests] == [b"{}", b'{"from": "file"}']


def test_asynchronous_event_is_left_with_lambda(run_script: RunScript, fake_lambda: FakeLambda) -> None:
    fake_lambda.status, fake_lambda.body = 202, ""

    done = run_script("invoke.sh", "--async", "f", AWS_ENDPOINT_URL=fake_lambda.url)

    assert done.returncode == 0, done.stderr
    assert [kind for _, kind, _ in fake_lambda.requests] == ["Event"]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_refused_invocation_is_not_repeated(run_script: RunScript, fake_lambda: FakeLambda, status: int) -> None:
    fake_lambda.status = status

    done = run_script("invoke.sh", "f", AWS_ENDPOINT_URL=fake_lambda.url)

    assert done.returncode == 1
    assert len(fake_lambda.requests) == 1


def test_error_of_the_function_fails_the_script(run_script: RunScript, fake_lambda: FakeLambda) -> None:
    fake_lambda.headers, fake_lambda.body = {"X-Amz-Function-Error": "Unhandled"}, '{"errorMessage": "no memory"}'

    done = run_script("invoke.sh", "f", AWS_ENDPOINT_URL=fake_lambda.url)

    assert done.returncode == 1
    assert "no memory" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which function"),
        (("",), "the function's name is empty"),
        (("f", "{"), "the event is not JSON"),
        (("f", "@no/such/file"), "cannot read the event"),
        (("f", "{}", "more"), "which function"),
        (("--no-such",), "unknown option"),
    ],
)
def test_wrong_call_invokes_nothing(
    run_script: RunScript, fake_lambda: FakeLambda, arguments: tuple[str, ...], said: str
) -> None:
    done = run_script("invoke.sh", *arguments, AWS_ENDPOINT_URL=fake_lambda.url)

    assert done.returncode == 2
    assert said in done.stderr
    assert fake_lambda.requests == []

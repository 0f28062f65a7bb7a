"""Invokes a function once and prints its response."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

LAMBDA_SECONDS = 910
"""Longer than any function may run. A client that gives up earlier invokes the function again, beside the first run."""


class InvocationError(RuntimeError):
    """The function raised an error or was terminated; the message is Lambda's."""


def read_event(text: str) -> bytes:
    """Return an event, given as JSON or as ``@FILE`` with JSON in it.

    Raises:
        ValueError: it is not JSON, or the file cannot be read.
    """
    try:
        content = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    except OSError as error:
        raise ValueError(f"cannot read the event: {error}") from error
    try:
        json.loads(content)
    except ValueError as error:
        raise ValueError(f"the event is not JSON: {error}") from error
    return content.encode()


def invoke(function: str, event: bytes, *, waits: bool) -> object:
    """Invoke a function exactly once and return its response; None for an asynchronous invocation.

    Raises:
        InvocationError: the function failed.
    """
    config = Config(read_timeout=LAMBDA_SECONDS, retries={"total_max_attempts": 1})
    functions = boto3.client("lambda", region_name=os.environ.get("AWS_REGION"), config=config)
    kind: Any = "RequestResponse" if waits else "Event"
    answer = functions.invoke(FunctionName=function, InvocationType=kind, Payload=event)
    text = answer["Payload"].read().decode()
    if answer.get("FunctionError"):
        raise InvocationError(f"{function} failed: {text}")
    return json.loads(text) if text else None


def open_body(answer: object) -> object:
    """Return a response with its ``body`` string parsed as JSON where possible."""
    if not isinstance(answer, dict) or not isinstance(answer.get("body"), str):
        return answer
    try:
        return answer | {"body": json.loads(answer["body"])}
    except ValueError:
        return answer


def main() -> int:
    """Run from the command line; the exit status is 1 if the function failed."""
    parser = argparse.ArgumentParser(prog="invoke.sh")
    parser.add_argument("function")
    parser.add_argument("event", nargs="?", default="{}")
    parser.add_argument("--async", dest="waits", action="store_false")
    chosen = parser.parse_args()
    try:
        event = read_event(chosen.event)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        answer = invoke(chosen.function, event, waits=chosen.waits)
    except (InvocationError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    if chosen.waits:
        print(json.dumps(open_body(answer), indent=2, ensure_ascii=False))
    else:
        print(f"{chosen.function} is invoked; its log lines say how it ends")
    return 0


if __name__ == "__main__":
    sys.exit(main())

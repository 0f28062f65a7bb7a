import io
import json
import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from zip_enqueue.logs import make_logger


def capture(logger: Logger) -> io.StringIO:
    stream = io.StringIO()
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    return stream


def read_line(stream: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(stream.getvalue())
    return line


def test_a_line_holds_the_event_and_its_fields() -> None:
    logger = make_logger(f"service-{uuid.uuid4()}")
    stream = capture(logger)
    logger.info("job_ready", extra={"job_id": "1", "files": 12})
    line = read_line(stream)
    assert list(line) == ["level", "ts", "service", "event", "job_id", "files"]
    assert (line["level"], line["event"], line["files"]) == ("INFO", "job_ready", 12)
    assert abs(datetime.fromisoformat(line["ts"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert datetime.fromisoformat(line["ts"]).utcoffset() == timedelta(0)


def test_a_renamed_event_keeps_its_former_name_for_a_release() -> None:
    logger = make_logger(f"service-{uuid.uuid4()}")
    stream = capture(logger)
    logger.warning("dedup_lookup_disabled", extra={"reason": "no SELECT"})
    line = read_line(stream)
    assert list(line) == ["level", "ts", "service", "event", "former_event", "reason"]
    assert line["former_event"] == "look_impossible"


def test_an_exception_is_told_once_on_the_same_line() -> None:
    logger = make_logger(f"service-{uuid.uuid4()}")
    stream = capture(logger)
    try:
        int("many")
    except ValueError:
        logger.exception("job_failed")
    line = read_line(stream)
    assert line["exception_name"] == "ValueError"
    assert stream.getvalue().count("invalid literal") == 1


def test_the_level_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "WARNING")
    logger = make_logger(f"service-{uuid.uuid4()}")
    stream = capture(logger)
    logger.info("job_read")
    assert stream.getvalue() == ""

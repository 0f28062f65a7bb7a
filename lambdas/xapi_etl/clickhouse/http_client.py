"""Client of ClickHouse's HTTP interface: requests, classified errors, retries."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from xapi_etl.exceptions import InsertError, OutOfTimeError, RetryableInsertError

if TYPE_CHECKING:
    import requests

_CODE_HEADER = "X-ClickHouse-Exception-Code"
_CODE = re.compile(r"Code: (\d+)")
_RETRYABLE_STATUS = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
# Source: src/Common/ErrorCodes.cpp of ClickHouse: errors that another attempt may resolve.
RETRYABLE_CODES = frozenset(
    {
        3,  # UNEXPECTED_END_OF_FILE: the body was truncated in transit
        32,  # ATTEMPT_TO_READ_AFTER_EOF: the same
        159,  # TIMEOUT_EXCEEDED
        160,  # TOO_SLOW
        164,  # READONLY: while a replica starts or fails over
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        252,  # TOO_MANY_PARTS
        254,  # NO_ACTIVE_REPLICAS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        319,  # UNKNOWN_STATUS_OF_INSERT
        341,  # UNFINISHED
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        473,  # DEADLOCK_AVOIDED
        733,  # TABLE_IS_BEING_RESTARTED
        745,  # SERVER_OVERLOADED
        999,  # KEEPER_EXCEPTION
    }
)
# Source: the same file: errors about a value that its column does not accept.
VALUE_CODES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        376,  # CANNOT_PARSE_UUID
        407,  # DECIMAL_OVERFLOW
        467,  # CANNOT_PARSE_BOOL
        469,  # VIOLATED_CONSTRAINT
        675,  # CANNOT_PARSE_IPV4
        676,  # CANNOT_PARSE_IPV6
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)
OWN_SETTINGS = MappingProxyType(
    {
        "async_insert": "0",  # acknowledged rows are in the table
        "deduplicate_blocks_in_dependent_materialized_views": "1",  # a repeated block completes the views that lack it
        "insert_deduplicate": "1",
        "materialized_views_ignore_errors": "0",  # acknowledged rows are in the views, too
        "max_insert_threads": "1",  # the same rows give the same blocks
        "wait_end_of_query": "1",  # the HTTP status is that of the whole query
    }
)
"""Settings that exactly-once loading needs; they override the user's."""
_DROPPED_SETTINGS = frozenset(
    {"deduplicate_insert", "insert_deduplication_token", "ignore_materialized_views_with_dropped_target_table"}
)
"""Settings that break exactly-once loading. They are dropped rather than overridden: older servers reject some."""
_INITIAL_BACKOFF_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 8.0
_CONNECT_TIMEOUT_SECONDS = 5.0
_MAX_MESSAGE_LENGTH = 200
"""Characters of an error response that are kept in messages; the response may quote rows."""


def find_overridden_settings(settings: Mapping[str, str]) -> list[str]:
    """Return the names of the user's settings that are overridden or dropped."""
    return sorted(
        name for name, value in settings.items() if name in _DROPPED_SETTINGS or OWN_SETTINGS.get(name, value) != value
    )


def merge_settings(settings: Mapping[str, str], token: str) -> dict[str, str]:
    """Return the settings of an INSERT: the user's, overridden by those that exactly-once loading needs."""
    kept = {name: value for name, value in settings.items() if name not in _DROPPED_SETTINGS}
    return {**kept, **OWN_SETTINGS, "insert_deduplication_token": token}


def quote_text(text: str) -> str:
    """Return a text as a ClickHouse literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True, slots=True)
class Deadline:
    """The invocation's remaining time, as a limit for requests."""

    remaining_ms: Callable[[], int]
    start_ms: int
    """With less time left, no request is started."""
    margin_ms: int
    """The time that is left when a request is cancelled."""
    timeout_seconds: float

    def check(self, *, is_urgent: bool = False) -> None:
        """Raise OutOfTimeError if too little time is left; an urgent request may start until the margin is reached."""
        if self.remaining_ms() < max(0 if is_urgent else self.start_ms, self.margin_ms + 1):
            raise OutOfTimeError("the function's time limit is near")

    def timeout(self) -> float:
        """Return the timeout of a request in seconds."""
        return min(self.timeout_seconds, (self.remaining_ms() - self.margin_ms) / 1000)


@dataclass(frozen=True, slots=True)
class ClickHouse:
    """A ClickHouse server, reached by HTTP."""

    session: requests.Session
    url: str
    credentials: tuple[str, str] | None
    deadline: Deadline
    max_attempts: int
    logger: Logger

    def query(self, text: str, settings: Mapping[str, str]) -> str:
        """Return the response to a query; transient errors are retried.

        Raises:
            InsertError: the server rejected it or did not respond.
            OutOfTimeError: too little time is left to start.
        """
        return self._repeat(lambda: self._post(settings, text.encode()))

    def insert(self, statement: str, data: bytes, settings: Mapping[str, str]) -> None:
        """Insert data, with the same settings on each attempt.

        Raises:
            InsertError: the server rejected it, or no response arrived; the data may or may not be in the table.
            OutOfTimeError: too little time is left to start.
        """
        self.send(statement, data, settings)

    def send(self, statement: str, data: bytes, settings: Mapping[str, str], *, is_urgent: bool = False) -> None:
        """Send data as :meth:`insert` does; an urgent request may start until the deadline's margin is reached."""
        self._repeat(lambda: self._post({**settings, "query": statement}, data), is_urgent=is_urgent)

    def _repeat(self, call: Callable[[], str], *, is_urgent: bool = False) -> str:
        for attempt in range(1, self.max_attempts + 1):
            self.deadline.check(is_urgent=is_urgent)
            try:
                return call()
            except RetryableInsertError as error:
                backoff = min(_INITIAL_BACKOFF_SECONDS * 2 ** (attempt - 1), _MAX_BACKOFF_SECONDS)
                pause = random.uniform(0.5, 1) * backoff  # noqa: S311
                is_last = attempt == self.max_attempts
                if is_last or self.deadline.remaining_ms() - pause * 1000 < self.deadline.start_ms:
                    raise
                fields = {"attempt": attempt, "error": str(error), "code": error.code}
                self.logger.warning("clickhouse_retry", extra=fields | {"pause_ms": round(pause * 1000)})
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _post(self, parameters: Mapping[str, str], body: bytes) -> str:
        import requests  # noqa: PLC0415  # diagnostics and dry runs do not need it

        timeout = max(self.deadline.timeout(), 0.1)
        try:
            response = self.session.post(
                self.url,
                params=parameters,
                data=body,
                auth=self.credentials,
                timeout=(min(_CONNECT_TIMEOUT_SECONDS, timeout), timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # The text of the exception contains the URL, which must not be logged.
            raise RetryableInsertError(f"no response: {type(error).__name__}") from error
        return _read_response(response)


def _read_response(response: requests.Response) -> str:
    text = response.content.decode(errors="replace")
    code = _find_code(response.headers.get(_CODE_HEADER), text)
    if response.status_code == HTTPStatus.OK and code is None:
        return text
    first_line = text.strip().partition("\n")[0][:_MAX_MESSAGE_LENGTH]
    message = f"HTTP {response.status_code}" + (f", {first_line}" if first_line else "")
    if code in RETRYABLE_CODES or (response.status_code in _RETRYABLE_STATUS and code is None):
        raise RetryableInsertError(message, code)
    raise InsertError(message, code)


def _find_code(header: str | None, text: str) -> int | None:
    """Return the exception code; a response that started with status 200 has it only in its body."""
    if header and header.isdigit():
        return int(header) or None
    match = _CODE.match(text)
    return int(match[1]) if match else None

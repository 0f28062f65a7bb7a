"""A client for ClickHouse's HTTP interface, configured by the scripts' settings."""

from __future__ import annotations

import json
import os
from typing import Any

import requests

_TIMEOUT_SECONDS = 60


class ClickHouseError(RuntimeError):
    """ClickHouse cannot be reached or returned an error; the message has the details."""


def quote_table() -> str:
    """Return the table that the ETL writes to, quoted."""
    return f"`{os.environ['CLICKHOUSE_DATABASE']}`.`{os.environ['CLICKHOUSE_TABLE']}`"


def ask(sql: str, **parameters: str) -> tuple[list[str], list[list[Any]]]:
    """Run a query and return its columns and rows; the query refers to ``parameters`` as ``{name:String}``.

    Raises:
        ClickHouseError: the server rejects the query or cannot be reached.
    """
    document = json.loads(order(sql, **parameters))
    return [column["name"] for column in document["meta"]], document["data"]


def order(sql: str, **parameters: str) -> str:
    """Run a statement and return the response body, which is empty unless it is a query.

    Raises:
        ClickHouseError: as ``ask`` does.
    """
    user = os.environ.get("CLICKHOUSE_USER")
    try:
        answer = requests.post(
            os.environ["CLICKHOUSE_URL"],
            params={
                "default_format": "JSONCompact",
                "output_format_json_quote_64bit_integers": "0",
                **{f"param_{name}": value for name, value in parameters.items()},
            },
            data=sql.encode(),
            auth=(user, os.environ.get("CLICKHOUSE_PASSWORD", "")) if user else None,
            timeout=_TIMEOUT_SECONDS,
        )
    except requests.RequestException as error:
        raise ClickHouseError(f"ClickHouse does not answer: {type(error).__name__}") from error
    if not answer.ok:
        raise ClickHouseError(f"ClickHouse answers {answer.status_code}: {answer.text.strip()[:300]}")
    return answer.text

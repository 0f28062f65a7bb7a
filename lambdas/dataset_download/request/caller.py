"""The caller of a request: its request id, the public base URL, and the time left."""

import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any, Self

from starlette.requests import Request

from dataset_download.settings import Settings

_DOMAIN = re.compile(r"[A-Za-z0-9.-]+")
_RESERVE_SECONDS = 10
"""Reserved from the function's time for a response about a timeout."""
_UNLIMITED = 3600.0


@dataclass(frozen=True)
class Caller:
    """The context of a request besides its path, query and headers."""

    request_id: str
    base_url: str
    """The service's public URL without a trailing slash; empty if unknown."""
    seconds: float
    """The time limit of the response."""

    @classmethod
    def from_request(cls, request: Request, settings: Settings) -> Self:
        """Return the caller from the Lambda context: Mangum puts it into the scope, the Web Adapter into headers.

        The headers are trusted only behind the adapter, which overwrites them. `Host` is never trusted.
        """
        context = request.scope.get("aws.context")
        if context is not None:
            seconds = context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS
            event = request.scope.get("aws.event", {}).get("requestContext", {})
            return cls(context.aws_request_id, settings.public_base_url or _find_base_url(event), seconds)
        if not settings.in_lambda:
            return cls(str(uuid.uuid4()), settings.public_base_url, _UNLIMITED)
        lambda_context = _read_object(request.headers.get("x-amzn-lambda-context"))
        event = _read_object(request.headers.get("x-amzn-request-context"))
        return cls(
            str(lambda_context.get("request_id", "")),
            settings.public_base_url or _find_base_url(event),
            int(lambda_context.get("deadline", 0)) / 1000 - time.time() - _RESERVE_SECONDS,
        )


def _read_object(text: str | None) -> dict[str, Any]:
    try:
        parsed = json.loads(text or "{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _find_base_url(request_context: dict[str, Any]) -> str:
    domain = str(request_context.get("domainName", ""))
    return f"https://{domain}" if _DOMAIN.fullmatch(domain) else ""

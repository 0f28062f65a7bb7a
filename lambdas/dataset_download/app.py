"""Lambda handler without the Web Adapter: Mangum runs the application and buffers each response."""

import json
import os
from base64 import b64encode
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from mangum import Mangum

from .http.application import create_app
from .service import Service, make_service

_TEXT = ["text/", "application/json", "application/problem+json", "application/jsonl"]


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the response to an event of a Function URL or HTTP API (payload format 2.0)."""
    service, application = _load()

    @service.logger.inject_lambda_context(clear_state=True)
    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401  # Powertools' type is not Mangum's
        return fit(application(event, context), service.settings.buffer_limit)

    response: dict[str, Any] = handle(event, context)
    return response


def fit(response: dict[str, Any], limit: int) -> dict[str, Any]:
    """Return the response, with its text in base64 if JSON escapes would make it too large for Lambda.

    The application never makes a body that exceeds ``limit`` bytes in base64.
    """
    if response["isBase64Encoded"] or len(json.dumps(response)) <= limit:
        return response
    return {**response, "body": b64encode(response["body"].encode()).decode(), "isBase64Encoded": True}


@cache
def _load() -> tuple[Service, Mangum]:
    service = make_service(os.environ, buffered=True)
    return service, Mangum(create_app(service), lifespan="off", text_mime_types=_TEXT)

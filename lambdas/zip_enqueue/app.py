"""Lambda handler of ``POST /zip-jobs``."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from . import gateway
from .clients import AwsBackend
from .core import Receipt, build_job, choose_job_id, parse_request, submit_job
from .exceptions import RequestRejected, ServiceUnavailableError
from .logs import make_logger
from .settings import Settings

logger = make_logger("zip_enqueue")


@cache
def load_settings() -> Settings:
    """Return the settings of this execution environment."""
    return Settings.from_environment(os.environ)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Record and queue the job that the request describes; answer 202, or a problem document."""
    try:
        receipt = _create_job(event)
    except RequestRejected as rejection:
        logger.info("request_rejected", extra={"status": rejection.status.value, "reason": str(rejection)})
        return gateway.answer_rejection(rejection)
    except ServiceUnavailableError:
        logger.exception("request_failed", extra={"status": 503})
        return gateway.answer_unavailable()
    except Exception:
        logger.exception("request_failed", extra={"status": 500})
        return gateway.answer_failure()
    return gateway.answer_accepted(receipt.job_id, receipt.status)


def _create_job(event: dict[str, Any]) -> Receipt:
    settings = load_settings()
    idempotency_key = gateway.read_idempotency_key(event)
    job_id = choose_job_id(idempotency_key, gateway.read_caller(event))
    request = parse_request(gateway.read_body(event, settings.max_body_bytes))
    item = build_job(request, settings, job_id, datetime.now(UTC), idempotent=idempotency_key is not None)
    receipt = submit_job(item, request.keys, AwsBackend(settings))
    logger.info(
        "job_created" if receipt.created else "job_repeated",
        extra={"job_id": receipt.job_id, "status": receipt.status, "keys": len(request.keys)},
    )
    return receipt

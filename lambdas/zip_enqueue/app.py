"""Lambda handler of ``POST /zip-jobs``."""

import os
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from . import gateway
from .access import check_access
from .callers import Caller, CallerUnknownError, read_caller
from .clients import AwsBackend, read_principal_tag
from .exceptions import Code, FieldError, RequestRejected, ServiceUnavailableError
from .http_responses import respond_failure, respond_unavailable
from .job_builder import build_job, choose_job_id
from .job_record import JobRecord
from .logs import make_logger
from .request_parser import parse_request
from .schemas import ZipJobRequest
from .settings import Settings
from .submission import Receipt, submit_job

logger = make_logger("zip_enqueue")


@cache
def load_settings() -> Settings:
    """Return the settings of this execution environment."""
    return Settings.from_environment(os.environ)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Record and queue the job that the request describes; return 202, or a problem document."""
    try:
        receipt = _create_job(event)
    except RequestRejected as rejection:
        logger.info("request_rejected", extra={"status": rejection.status.value, "reason": str(rejection)})
        return gateway.respond_rejection(rejection)
    except ServiceUnavailableError:
        logger.exception("request_failed", extra={"status": 503})
        return respond_unavailable(Code.SERVICE_UNAVAILABLE, "The job could not be queued; please try again.")
    except Exception:
        logger.exception("request_failed", extra={"status": 500})
        return respond_failure(Code.INTERNAL_ERROR)
    return gateway.respond_accepted(receipt.job_id, receipt.status)


def _create_job(event: dict[str, Any]) -> Receipt:
    settings = load_settings()
    caller = _read_caller(event, settings)
    idempotency_key = gateway.read_idempotency_key(event)
    job_id = choose_job_id(idempotency_key, caller.owner)
    request = parse_request(gateway.read_body(event, settings.max_body_bytes))
    now, idempotent = datetime.now(UTC), idempotency_key is not None
    item = build_job(request, settings, job_id, caller.owner, now, idempotent=idempotent)
    item |= _check_access(request, caller, settings)
    receipt = submit_job(item, request.keys, AwsBackend(settings))
    logger.info(
        "job_created" if receipt.created else "job_repeated",
        extra={"job_id": receipt.job_id, "status": receipt.status, "keys": len(request.keys)},
    )
    return receipt


def _read_caller(event: dict[str, Any], settings: Settings) -> Caller:
    try:
        return read_caller(event, settings.api_auth)
    except CallerUnknownError as error:
        errors = [FieldError("Authorization", str(error))]
        raise RequestRejected(HTTPStatus.FORBIDDEN, Code.CALLER_UNKNOWN, errors) from error


def _check_access(request: ZipJobRequest, caller: Caller, settings: Settings) -> JobRecord:
    """Reject keys that the caller may not use; return the prefixes by which the worker checks a manifest."""
    rules = settings.allowed_prefixes
    prefixes = rules.choose(caller, read_principal_tag) if rules else None
    check_access(request, prefixes, settings.dst_prefix)
    return {} if prefixes is None else {"allowedPrefixes": list(prefixes)}

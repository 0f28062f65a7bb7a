"""Lambda handler of the reading and cancelling routes, and of every path that has no route."""

import os
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from . import core, gateway
from .clients import JobTable, sign_download
from .exceptions import RequestRejected, ServiceUnavailableError
from .logs import make_logger
from .schemas import Answer
from .settings import Settings

logger = make_logger("zip_status")


@cache
def load_settings() -> Settings:
    """Return the settings of this execution environment."""
    return Settings.from_environment(os.environ)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Answer one request: 200, or a problem document."""
    try:
        return gateway.answer_json(_answer_route(event))
    except RequestRejected as rejection:
        logger.info("request_rejected", extra={"status": rejection.status.value, "reason": str(rejection)})
        return gateway.answer_rejection(rejection)
    except ServiceUnavailableError:
        logger.exception("request_failed", extra={"status": 503})
        return gateway.answer_unavailable()
    except Exception:
        logger.exception("request_failed", extra={"status": 500})
        return gateway.answer_failure()


def _answer_route(event: dict[str, Any]) -> Answer:
    settings = load_settings()
    jobs, now = JobTable(settings.table_name), datetime.now(UTC)
    match event.get("routeKey"):
        case "GET /zip-jobs":
            return core.list_jobs(core.parse_page(gateway.read_query(event)), jobs, now)
        case "GET /zip-jobs/{jobId}":
            return _show_job(gateway.read_job_id(event), jobs, settings, now)
        case "DELETE /zip-jobs/{jobId}":
            return _cancel_job(gateway.read_job_id(event), jobs, now)
        case _:
            raise gateway.reject_route(event)


def _show_job(job_id: str, jobs: JobTable, settings: Settings, now: datetime) -> Answer:
    item, settled = core.read_settled_job(job_id, jobs, settings, now)
    if settled:
        logger.warning("job_settled", extra={"job_id": job_id, "error": item["error"]})
    logger.debug("job_read", extra={"job_id": job_id, "status": item["status"]})
    signature = sign_download(item, settings, now) if item["status"] == "READY" else None
    return core.describe_job(item, signature)


def _cancel_job(job_id: str, jobs: JobTable, now: datetime) -> Answer:
    if core.cancel_job(job_id, jobs, now):
        logger.info("job_cancelled", extra={"job_id": job_id})
    return {"jobId": job_id, "status": "CANCELLED"}

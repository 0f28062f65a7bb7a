"""Lambda handler of the routes that read and delete jobs, and of every path without a route."""

import os
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from . import gateway
from .archives import Archives
from .callers import CallerUnknownError, read_caller
from .exceptions import Code, RequestRejected, ServiceUnavailableError
from .http_responses import respond_failure, respond_unavailable
from .job_list import list_jobs, parse_page
from .job_table import JobTable
from .lifecycle import delete_job, expire_job, read_resolved_job
from .logs import make_logger
from .schemas import Body, Viewer
from .settings import Settings
from .views import describe_job

logger = make_logger("zip_status")


@cache
def load_settings() -> Settings:
    """Return the settings of this execution environment."""
    return Settings.from_environment(os.environ)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Return the response to one request: 200, or a problem document."""
    response = _respond(event)
    return response | {"body": ""} if gateway.is_head(event) else response


def _respond(event: dict[str, Any]) -> dict[str, Any]:
    try:
        return gateway.respond_ok(_route(event))
    except RequestRejected as rejection:
        logger.info("request_rejected", extra={"status": rejection.status.value, "reason": str(rejection)})
        return gateway.respond_rejection(rejection)
    except ServiceUnavailableError:
        logger.exception("request_failed", extra={"status": 503})
        return respond_unavailable(
            Code.SERVICE_UNAVAILABLE, "The job table or the archive's bucket did not respond; please try again."
        )
    except Exception:
        logger.exception("request_failed", extra={"status": 500})
        return respond_failure(Code.INTERNAL_ERROR)


def _route(event: dict[str, Any]) -> Body:
    settings = load_settings()
    jobs, archives, now = JobTable(settings.table_name), Archives(settings), datetime.now(UTC)
    match gateway.read_route(event):
        case "GET /zip-jobs":
            viewer = _read_viewer(event, settings)
            return list_jobs(parse_page(gateway.read_query(event)), viewer, jobs, now)
        case "GET /zip-jobs/{jobId}":
            return _show_job(gateway.read_job_id(event), _read_viewer(event, settings), jobs, archives, now)
        case "DELETE /zip-jobs/{jobId}":
            return _delete_job(gateway.read_job_id(event), _read_viewer(event, settings), jobs, archives, now)
        case _:
            raise gateway.reject_route(event)


def _read_viewer(event: dict[str, Any], settings: Settings) -> Viewer:
    try:
        caller = read_caller(event, settings.api_auth)
    except CallerUnknownError as error:
        raise RequestRejected(HTTPStatus.FORBIDDEN, Code.CALLER_UNKNOWN, str(error), field="Authorization") from error
    operators = settings.operators
    return Viewer(caller.owner, caller.is_one_of(operators.iam_arns, operators.claims), caller.is_shared)


def _show_job(job_id: str, viewer: Viewer, jobs: JobTable, archives: Archives, now: datetime) -> Body:
    record, died = read_resolved_job(job_id, viewer, jobs, load_settings(), now)
    if died:
        logger.warning("job_settled", extra={"job_id": job_id, "error": record["error"]})
    if record["status"] == "READY" and not archives.exists(record):
        record, expired = expire_job(record, jobs, now)
        if expired:
            logger.info("job_expired", extra={"job_id": job_id})
    logger.debug("job_read", extra={"job_id": job_id, "status": record["status"]})
    return describe_job(record, viewer, archives.sign(record, now))


def _delete_job(job_id: str, viewer: Viewer, jobs: JobTable, archives: Archives, now: datetime) -> Body:
    status, changed = delete_job(job_id, viewer, jobs, archives, now)
    if changed:
        logger.info("job_cancelled" if status == "CANCELLED" else "archive_deleted", extra={"job_id": job_id})
    return {"jobId": job_id, "status": status}

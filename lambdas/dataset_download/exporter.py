"""Lambda handler of the export function: makes the exports that take too long for a request."""

import os
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from .exceptions import DatasetError, SourceUnreadableError
from .exports.run import finish_export, make_export
from .exports.store import Exports, ExportTooLongError, StoredStatus
from .request.problem import Problem, explain
from .request.resolve import ResolvedRequest, read_pairs, resolve_request
from .schemas import ExportEvent, ExportStatus
from .service import Service, make_service
from .telemetry import emit_metrics

_RESERVE_SECONDS = 20
"""Reserved for aborting an unfinished export and writing its status."""


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Make the export that the event names, if the event still owns its claim; return the status.

    Raises:
        Exception: a failure that may be transient (S3 unavailable, wrong settings), so that Lambda retries.
    """
    service = make_service(os.environ)

    @service.logger.inject_lambda_context(clear_state=True)
    def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        status = _work(service, ExportEvent.model_validate(event), context)
        return {"export": event["export"], "state": status.state if status else "skipped"}

    response: dict[str, Any] = handle(event, context)
    return response


def _work(service: Service, event: ExportEvent, context: LambdaContext) -> ExportStatus | None:
    exports = service.exports
    stored = exports.find(event.export) if exports else None
    if exports is None or stored is None or stored.status.owner != event.owner or stored.status.state != "running":
        service.logger.warning("export_skipped", extra={"export": event.export})
        return None
    try:
        resolved = _resolve_again(service, event)
    except SourceUnreadableError:
        raise
    except (DatasetError, Problem) as error:
        return _give_up(exports, stored, error, service.logger)
    try:
        return make_export(
            service.settings,
            exports,
            resolved,
            stored,
            lambda: context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS,
            service.logger,
        )
    except ExportTooLongError:
        detail = "The export exceeded the time limit of the export function; request fewer rows or columns."
        return _give_up(exports, stored, Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail), service.logger)


def _resolve_again(service: Service, event: ExportEvent) -> ResolvedRequest:
    resolved = resolve_request(service.settings, service.store, event.dataset, event.format, read_pairs(event.query))
    if resolved.tag != event.export:
        detail = "The dataset was replaced before the export began; repeat the request to get the new version."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    return resolved


def _give_up(exports: Exports, stored: StoredStatus, error: Exception, logger: Logger) -> ExportStatus:
    problem = explain(error)
    logger.error("export_failed", extra={"export": stored.status.export, "error": problem.detail})
    emit_metrics(ExportsFailed=1)
    return finish_export(exports, stored, {"state": "failed", "status": problem.status.value, "detail": problem.detail})

"""The life of a job as API requests change it: dead jobs fail, PENDING ones are cancelled, READY ones expire."""

import re
from datetime import datetime
from http import HTTPStatus

from .archives import Archives
from .exceptions import Code, RequestRejected, ServiceUnavailableError
from .job_record import JobRecord, Status, explain_death, format_time
from .job_table import JobTable
from .schemas import Viewer
from .settings import Settings

_JOB_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_ROUNDS = 3


def read_resolved_job(
    job_id: str, viewer: Viewer, jobs: JobTable, settings: Settings, now: datetime
) -> tuple[JobRecord, bool]:
    """Return the job, and whether this call found it dead and marked it FAILED.

    :func:`~.job_record.explain_death` holds the rule for dead jobs.

    Raises:
        RequestRejected: 404 if there is no such job, or it is not the viewer's to see.
    """
    record = _read(job_id, viewer, jobs)
    for _ in range(_MAX_ROUNDS):
        reason = explain_death(record, settings.queue_limits, now)
        if not reason:
            return record, False
        if failed := jobs.fail_dead_job(record, reason, now):
            return failed, True
        record = _read(job_id, viewer, jobs)  # it changed meanwhile: a worker took the job up, or it was cancelled
    return record, False


def _read(job_id: str, viewer: Viewer, jobs: JobTable) -> JobRecord:
    """Return the job; the response for a job that the viewer may not see equals that for one that does not exist."""
    record = jobs.read_job(job_id) if _JOB_ID.fullmatch(job_id) else None
    if record is None or not viewer.may_see(record):
        raise RequestRejected(HTTPStatus.NOT_FOUND, Code.JOB_NOT_FOUND, "There is no job of this id.")
    return record


def delete_job(job_id: str, viewer: Viewer, jobs: JobTable, archives: Archives, now: datetime) -> tuple[Status, bool]:
    """Cancel a PENDING job, or delete the archive of a READY one; return the new status, and whether it is new.

    A READY job becomes EXPIRED before its archive is deleted, so that no caller gets a dead URL. If the deletion
    fails, repeating the request completes it.

    Raises:
        RequestRejected: 404 if there is no such job, 409 if it has FAILED.
    """
    for _ in range(_MAX_ROUNDS):
        record = _read(job_id, viewer, jobs)
        match record["status"]:
            case "PENDING":
                if jobs.cancel_job(job_id, format_time(now)):
                    return "CANCELLED", True
            case "CANCELLED":
                return "CANCELLED", False
            case "READY" | "EXPIRED":
                _, expired = expire_job(record, jobs, now)
                archives.delete(record)
                return "EXPIRED", expired
            case status:
                reason = f"The job is {status}: there is neither work to cancel nor an archive to delete."
                raise RequestRejected(HTTPStatus.CONFLICT, Code.JOB_HAS_NO_ARCHIVE, reason)
    raise ServiceUnavailableError(f"the job changed {_MAX_ROUNDS} times while it was being deleted")


def expire_job(record: JobRecord, jobs: JobTable, now: datetime) -> tuple[JobRecord, bool]:
    """Mark a job EXPIRED whose archive is gone or about to be; return its record, and whether this call did so."""
    values: JobRecord = {"status": "EXPIRED", "expiredAt": format_time(now)}
    expired = jobs.expire_job(record["jobId"], values)
    return {**record, **values} if expired or record["status"] == "READY" else record, expired

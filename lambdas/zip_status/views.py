"""The JSON body of a job, by its status."""

from collections.abc import Mapping
from typing import Any

from .job_record import JobRecord
from .schemas import Body, Signatures, Viewer


def describe_job(record: JobRecord, viewer: Viewer, signatures: Signatures) -> Body:
    """Return the body of the response to ``GET /zip-jobs/{jobId}``."""
    body: Body = {"jobId": record["jobId"], "status": record["status"], "createdAt": record["createdAt"]}
    body |= describe_owner(record, viewer)
    match record["status"]:
        case "PENDING":
            return body | _describe_progress(record)
        case "READY":
            return body | _describe_archive(record, signatures)
        case "EXPIRED":
            return body | pick(record, "targetBucket", "targetKey", "sizeBytes", "files", "completedAt", "expiredAt")
        case _:
            return body | _describe_failure(record, signatures)


def describe_owner(record: JobRecord, viewer: Viewer) -> Body:
    """Return the job's owner, for an operator only."""
    return pick(record, "owner") if viewer.is_operator else {}


def _describe_failure(record: JobRecord, signatures: Signatures) -> Body:
    url = {"failedKeysUrl": signatures.key_report_url} if signatures.key_report_url else {}
    return {**pick(record, "error", "errorCode", "failedKeys", "completedAt"), **url}


def _describe_progress(record: JobRecord) -> Body:
    return {
        "phase": record["phase"],
        "filesDone": record.get("filesDone", 0),
        "filesTotal": record.get("filesTotal"),
        "bytesDone": record.get("bytesDone", 0),
        "bytesTotal": record.get("bytesTotal"),
        "bytesCopied": record.get("bytesCopied", 0),
        "bytesStreamed": record.get("bytesStreamed", 0),
        "percent": _compute_percent(record),
        **pick(record, "lastError"),
    }


def _compute_percent(record: Mapping[str, Any]) -> float | None:
    # Bytes are more precise than files, but unknown until the worker has surveyed every object.
    for done, total in (("bytesDone", "bytesTotal"), ("filesDone", "filesTotal")):
        if record.get(total):
            return min(100.0, round(100 * int(record.get(done, 0)) / int(record[total]), 1))
    return None


def _describe_archive(record: JobRecord, signatures: Signatures) -> Body:
    report = {"skippedKeysUrl": signatures.key_report_url} if signatures.key_report_url else {}
    return {
        "downloadUrl": signatures.archive_url,
        "expiresAt": signatures.expires_at,
        **pick(record, "targetBucket", "targetKey", "sizeBytes", "crc32", "etag", "files"),
        **pick(record, "bytesCopied", "bytesStreamed"),
        "skipped": record.get("skipped", 0),
        "skippedKeys": record.get("skippedKeys", []),
        **report,
        **pick(record, "completedAt"),
    }


def pick(record: Mapping[str, Any], *names: str) -> Body:
    """Return those of the attributes that the record has."""
    return {name: record[name] for name in names if name in record}

"""Key faults: why an object cannot be archived, and whether its job continues without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zip_worker.exceptions import ErrorCode, SourceMissingError
from zip_worker.job_record import Policy
from zip_worker.schemas import Job, KeyFault

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_NAMES_SHOWN = 5
_DETAILS = {
    ErrorCode.OBJECT_MISSING: "does not exist",
    ErrorCode.OBJECT_ARCHIVED: "is archived (Glacier) and must be restored first",
    ErrorCode.OBJECT_DENIED: "cannot be read (access was denied)",
    ErrorCode.OBJECT_ENCRYPTED: "is encrypted with a key that the service does not have (SSE-C) or cannot use (KMS)",
    ErrorCode.OBJECT_CHANGED: "was changed or deleted while it was archived",
    ErrorCode.KEY_NOT_ALLOWED: "does not begin with a key prefix that the job's owner may use",
}
_CODES = {
    "404": ErrorCode.OBJECT_MISSING,
    "NoSuchKey": ErrorCode.OBJECT_MISSING,
    "NoSuchVersion": ErrorCode.OBJECT_MISSING,
    "InvalidObjectState": ErrorCode.OBJECT_ARCHIVED,
    "ObjectNotInActiveTierError": ErrorCode.OBJECT_ARCHIVED,
    "403": ErrorCode.OBJECT_DENIED,  # HeadObject has no body to say more in
    "AccessDenied": ErrorCode.OBJECT_DENIED,
    "AllAccessDisabled": ErrorCode.OBJECT_DENIED,
    "400": ErrorCode.OBJECT_ENCRYPTED,
    "InvalidRequest": ErrorCode.OBJECT_ENCRYPTED,
    "412": ErrorCode.OBJECT_CHANGED,
    "PreconditionFailed": ErrorCode.OBJECT_CHANGED,
    "416": ErrorCode.OBJECT_CHANGED,
    "InvalidRange": ErrorCode.OBJECT_CHANGED,
}


def make_fault(key: str, code: ErrorCode) -> KeyFault:
    """Return the fault of a key with the code's usual text."""
    return KeyFault(key, code, _DETAILS[code])


def explain_error(error: ClientError, key: str) -> KeyFault | None:
    """Return why an object cannot be read, ``None`` if the error is transient.

    S3 returns 400 for an object with a customer-provided key. Errors of a KMS key that is disabled, deleted or not
    accessible have a code that begins with ``KMS.``.
    """
    code = error.response["Error"].get("Code", "")
    found = ErrorCode.OBJECT_ENCRYPTED if code.startswith("KMS.") else _CODES.get(code)
    if found == ErrorCode.OBJECT_DENIED:
        return KeyFault(key, found, f"cannot be read ({error.operation_name} failed: access was denied)")
    return make_fault(key, found) if found else None


def explain_later_error(error: ClientError, key: str) -> KeyFault | None:
    """Return the fault of a surveyed object, or None; if it no longer exists, it was deleted meanwhile."""
    fault = explain_error(error, key)
    if fault and fault.code == ErrorCode.OBJECT_MISSING:
        return KeyFault(key, fault.code, _DETAILS[ErrorCode.OBJECT_CHANGED])
    return fault


def raise_if_fatal(job: Job, faults: Sequence[KeyFault]) -> None:
    """Raise if the job's policies make one of the faults fatal.

    Raises:
        SourceMissingError: with all fatal faults, the first few in its message.
    """
    fatal = [fault for fault in faults if _find_policy(job, fault.code) == "fail"]
    if fatal:
        raise SourceMissingError(_describe(fatal), fatal[0].code, fatal)


def _find_policy(job: Job, code: str) -> Policy:
    match code:
        case ErrorCode.OBJECT_MISSING:
            return job.on_missing
        case ErrorCode.OBJECT_CHANGED:
            return job.on_changed
        case ErrorCode.KEY_NOT_ALLOWED:
            return "fail"
        case _:
            return job.on_unreadable


def _describe(faults: Sequence[KeyFault]) -> str:
    shown, more = faults[:_NAMES_SHOWN], len(faults) - _NAMES_SHOWN
    rest = f" and {more} more" if more > 0 else ""
    if all(fault.detail == _DETAILS[ErrorCode.OBJECT_MISSING] for fault in faults):
        return f"{len(faults)} of the objects do not exist: {', '.join(repr(fault.key) for fault in shown)}{rest}"
    named = "; ".join(f"{fault.key!r} {fault.detail}" for fault in shown)
    return f"{len(faults)} of the objects cannot be archived: {named}{rest}"

"""Errors of a job, classified by what has to happen next."""

from collections.abc import Sequence
from enum import StrEnum

from .schemas import KeyFault


class ErrorCode(StrEnum):
    """Why a job FAILED, or a key was left out: stable, for programs, and listed in the OpenAPI document."""

    OBJECT_MISSING = "object_missing"
    OBJECT_ARCHIVED = "object_archived"
    OBJECT_DENIED = "object_denied"
    OBJECT_ENCRYPTED = "object_encrypted"
    OBJECT_CHANGED = "object_changed"
    KEY_NOT_ALLOWED = "key_not_allowed"
    INVALID_MANIFEST = "invalid_manifest"
    NOTHING_TO_ARCHIVE = "nothing_to_archive"
    LIMIT_EXCEEDED = "limit_exceeded"
    TARGET_DENIED = "target_denied"
    WORKER_STOPPED = "worker_stopped"
    GAVE_UP = "gave_up"


class ZipJobError(Exception):
    """Base of every error raised by this package."""


class PermanentError(ZipJobError):
    """A retry cannot help: the job becomes FAILED with this message, a code, and the keys to blame."""

    code = ErrorCode.GAVE_UP

    def __init__(self, message: str, code: str | None = None, faults: Sequence[KeyFault] = ()) -> None:
        super().__init__(message)
        self.code = ErrorCode(code) if code else self.code
        self.faults = list(faults)


class SourceMissingError(PermanentError):
    """Objects to archive do not exist, or cannot be read."""

    code = ErrorCode.OBJECT_MISSING


class SourceChangedError(PermanentError):
    """An object was replaced or deleted while it was being archived."""

    code = ErrorCode.OBJECT_CHANGED


class SourceUnavailableError(SourceChangedError):
    """An object that the survey found cannot be read; the job may continue without it."""

    def __init__(self, fault: KeyFault) -> None:
        super().__init__(f"{fault.key!r} {fault.detail}", fault.code, [fault])


class KeyListError(PermanentError):
    """A list of keys, usually a manifest, is invalid."""

    code = ErrorCode.INVALID_MANIFEST


class LimitExceededError(PermanentError):
    """The job exceeds a limit of this worker or of S3."""

    code = ErrorCode.LIMIT_EXCEEDED


class ShortReadError(ZipJobError):
    """S3 repeatedly sent fewer bytes than it announced."""


class UploadGoneError(ZipJobError):
    """The multipart upload, or one of its parts, no longer exists."""


class JobCancelledError(ZipJobError):
    """The job was cancelled while a worker ran."""


class LeaseLostError(ZipJobError):
    """Another worker holds the job; this one must not change anything."""


class MessageRejectedError(ZipJobError):
    """The SQS message does not name a job; it ends in the dead-letter queue."""


class OutOfTimeError(ZipJobError):
    """The function's time limit is near; the next invocation continues."""


class EndlessJobError(PermanentError):
    """The job makes no progress over several invocations."""

    code = ErrorCode.LIMIT_EXCEEDED


class TryAgainError(ZipJobError):
    """The message must be delivered again; the reason is in the log and in the job's ``lastError``."""

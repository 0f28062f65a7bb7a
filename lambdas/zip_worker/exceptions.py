"""What can go wrong with a job, by what has to happen next."""

from collections.abc import Sequence
from enum import StrEnum

from .schemas import KeyFault


class ErrorCode(StrEnum):
    """Why a job FAILED, or a key was left out: stable, for programs; the OpenAPI document lists all of them."""

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
    """Trying again cannot help: the job becomes FAILED with this message, a code, and the keys to blame."""

    code = ErrorCode.GAVE_UP

    def __init__(self, message: str, code: str | None = None, faults: Sequence[KeyFault] = ()) -> None:
        super().__init__(message)
        self.code = ErrorCode(code) if code else self.code
        self.faults = list(faults)


class SourceMissingError(PermanentError):
    """Objects to be archived do not exist, or cannot be read."""

    code = ErrorCode.OBJECT_MISSING


class SourceChangedError(PermanentError):
    """An object was replaced or deleted while it was being archived."""

    code = ErrorCode.OBJECT_CHANGED


class SourceUnavailableError(SourceChangedError):
    """An object that the survey found cannot be read any more, or never could; the job may go on without it."""

    def __init__(self, fault: KeyFault) -> None:
        super().__init__(f"{fault.key!r} {fault.detail}", fault.code, [fault])


class KeyListError(PermanentError):
    """The list of keys, a manifest above all, cannot be used."""

    code = ErrorCode.INVALID_MANIFEST


class LimitExceededError(PermanentError):
    """The job is larger than this worker, or S3, can take."""

    code = ErrorCode.LIMIT_EXCEEDED


class ShortReadError(ZipJobError):
    """S3 sent fewer bytes than it announced, several times over."""


class UploadGoneError(ZipJobError):
    """S3 has no such upload any more, or not these parts of it."""


class JobCancelledError(ZipJobError):
    """The job was cancelled while it was being worked on."""


class LeaseLostError(ZipJobError):
    """Another worker holds the job now; this one must leave no trace."""


class MessageRejectedError(ZipJobError):
    """The SQS message names no job; it is left to end in the dead-letter queue."""


class OutOfTimeError(ZipJobError):
    """The function's time limit is too near to go on; the next invocation can."""


class EndlessJobError(PermanentError):
    """Going on in further invocations would lead nowhere."""

    code = ErrorCode.LIMIT_EXCEEDED


class TryAgainError(ZipJobError):
    """The message has to come back: the reason is logged, and in the job's ``lastError``."""

"""What can go wrong with a job, by what has to happen next."""


class ZipJobError(Exception):
    """Base of every error raised by this package."""


class PermanentError(ZipJobError):
    """Trying again cannot help: the job becomes FAILED with this message."""


class SourceMissingError(PermanentError):
    """An object to be archived does not exist."""


class SourceChangedError(PermanentError):
    """An object was replaced or deleted while it was being archived."""


class KeyListError(PermanentError):
    """The list of keys, a manifest above all, cannot be used."""


class LimitExceededError(PermanentError):
    """The job is larger than this worker, or S3, can take."""


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


class TryAgainError(ZipJobError):
    """The message has to come back: the reason is logged, and in the job's ``lastError``."""

"""Exceptions of this package, sorted by what has to happen next."""


class AggregatorError(Exception):
    """Base of every error raised by this package."""


class MessageRejectedError(AggregatorError):
    """The SQS message does not name objects; it ends in the dead-letter queue."""


class SourceError(AggregatorError):
    """One object cannot go into a bundle; its neighbours can."""


class SourceGoneError(SourceError):
    """The object was deleted before it was read: there is nothing left to bundle."""


class SourceSupersededError(SourceError):
    """The object of an unversioned bucket was overwritten before it was read; the new one has its own event."""


class SourceUnreadableError(SourceError):
    """A transient read error."""


class SourceRefusedError(SourceError):
    """Retrying cannot help: the object is too large, or not what its name says."""


class CorruptSourceError(SourceRefusedError):
    """A compressed object is not what it is said to be, is damaged, or ends early."""


class SourceTooLargeError(SourceRefusedError):
    """One object alone is above the limit of a bundle."""


class StopBundleError(AggregatorError):
    """The bundle takes no more; the source that was being added is not in it."""


class BundleFullError(StopBundleError):
    """The source would exceed the bundle's limit; it belongs in the next bundle."""


class DiskLowError(StopBundleError):
    """The temporary folder is too full to go on."""


class OutOfTimeError(StopBundleError):
    """The function's time limit is too near to go on."""


class BundleNotWrittenError(AggregatorError):
    """The bundle did not become visible, and never will under its upload id."""


class UploadAgainError(BundleNotWrittenError):
    """The bundle did not become visible, and S3 requires the whole upload to be repeated."""


class BundleUncertainError(AggregatorError):
    """The bundle may or may not be visible; S3 could not be queried."""


class MessageReturnedError(AggregatorError):
    """The message has to be redelivered."""


class VerificationError(AggregatorError):
    """A bundle is not what its manifest says."""

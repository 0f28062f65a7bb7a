"""Exceptions of a run, a file and its source; every message can be shown to users.

Each error has a ``code``: stable text that programs can rely on, listed in the README.
"""


class CsvStreamerError(Exception):
    """Base of everything that this package raises."""

    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        """``code`` replaces the code of the class."""
        super().__init__(message)
        self.code = code or type(self).code


class ParametersError(CsvStreamerError):
    """The parameters object cannot be read or is not valid."""

    code = "parameters_invalid"


class EventError(CsvStreamerError):
    """The function does not understand the event that it was invoked with."""

    code = "event_invalid"


class EntryError(CsvStreamerError):
    """One entry of ``file_urls`` is wrong."""

    code = "entry_invalid"


class LeaseHeldError(CsvStreamerError):
    """Another run of the same parameters is under way."""

    code = "run_in_progress"


class FileError(CsvStreamerError):
    """A file cannot be streamed, and retrying would not help."""

    code = "source_refused"

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        """``status``: the HTTP status that the server refused with, if it did."""
        super().__init__(message, code=code)
        self.status = status


class RefusedAddressError(FileError):
    """A host's address is private, loopback, link-local or otherwise not on the public internet."""

    code = "private_address"


class SourceBrokeError(CsvStreamerError):
    """A transient failure of the source: a dropped or stalled connection, 429, 5xx."""

    code = "source_unavailable"

    def __init__(self, message: str, retry_after: float | None = None, *, status: int | None = None) -> None:
        """``retry_after``: seconds that the server asked to wait; ``status``: its HTTP status, if it answered."""
        super().__init__(message)
        self.retry_after = retry_after
        self.status = status


class SourceChangedError(CsvStreamerError):
    """The bytes received so far cannot be used: the file changed, or the rest cannot be requested."""

    code = "source_changed"


class RangeRefusedError(SourceChangedError):
    """The server refuses a range of a file that it may still serve as a whole."""

    code = "range_refused"


class HostBusyError(CsvStreamerError):
    """All connections that a host is allowed are in use; the request was not sent."""

    code = "source_unavailable"


class UploadGoneError(CsvStreamerError):
    """The multipart upload no longer exists."""

    code = "upload_gone"


class OutOfTimeError(CsvStreamerError):
    """The invocation's end is too near to continue."""

    code = "out_of_time"

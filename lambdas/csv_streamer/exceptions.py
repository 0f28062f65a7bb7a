"""What can go wrong with a run, with a file and with its source; every message is fit for a user to read."""


class CsvStreamerError(Exception):
    """Base of everything that this package raises."""


class ParametersError(CsvStreamerError):
    """The parameters object cannot be read or is not what it should be."""


class EntryError(CsvStreamerError):
    """One entry of ``file_urls`` is wrong."""


class FileError(CsvStreamerError):
    """A file cannot be streamed, and trying again would not help."""


class RefusedAddressError(FileError):
    """A host's address is private, loopback, link-local or otherwise not on the public internet."""


class SourceBrokeError(CsvStreamerError):
    """The source failed in a way that may pass: a dropped or stalled connection, 429, 5xx."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """``retry_after``: seconds that the server asked to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class SourceChangedError(CsvStreamerError):
    """What was received so far is of no use: the file changed under way, or its rest cannot be asked for."""


class UploadGoneError(CsvStreamerError):
    """The multipart upload no longer exists."""


class OutOfTimeError(CsvStreamerError):
    """The invocation's end is too near to go on."""

"""Exceptions, grouped by the reaction that each requires."""


class XapiEtlError(Exception):
    """Base of every error raised by this package."""


class MessageRejectedError(XapiEtlError):
    """The SQS message names no objects; it is left to end in the dead-letter queue."""


class MappingError(XapiEtlError):
    """The column mapping cannot be read or makes no sense."""


class SourceError(XapiEtlError):
    """One object cannot be loaded; its neighbours can. ``is_final``: another try would end in the same way."""

    def __init__(self, message: str, code: str = "not_readable", *, is_final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_final = is_final


class OutOfTimeError(SourceError):
    """The function's time limit is too near to go on."""


class LineError(XapiEtlError):
    """One line is not a row; the message says why and holds nothing of the line, the code says it in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InsertError(XapiEtlError):
    """ClickHouse rejected a request or did not respond; ``code`` is its exception code, where it gave one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.has_landed = False
        """Whether rows of the INSERT are in the table all the same, as when a view behind it has failed."""


class RetryableInsertError(InsertError):
    """A transient InsertError; ClickHouse may have executed the request."""

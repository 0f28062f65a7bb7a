"""Exceptions, grouped by the reaction that each requires."""


class XapiEtlError(Exception):
    """Base of every error raised by this package."""


class MessageRejectedError(XapiEtlError):
    """The SQS message has an unknown shape and names no objects; it ends in the dead-letter queue."""


class MappingError(XapiEtlError):
    """The column mapping cannot be read or is invalid."""


class SourceError(XapiEtlError):
    """One object cannot be loaded; others can. ``is_final``: another attempt would end in the same way."""

    def __init__(self, message: str, code: str = "not_readable", *, is_final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.is_final = is_final


class OutOfTimeError(SourceError):
    """Too little of the invocation's time is left to continue."""


class LineError(XapiEtlError):
    """One line is rejected; the message gives the reason without quoting the line, the code gives it in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InsertError(XapiEtlError):
    """ClickHouse rejected a request or did not respond; ``code`` is its exception code, if it returned one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.has_landed = False
        """Whether rows of the INSERT are in the table although it failed, for example in a view behind the table."""


class RetryableInsertError(InsertError):
    """A transient InsertError; ClickHouse may have executed the request."""

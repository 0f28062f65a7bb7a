"""What can go wrong with a request: the caller's fault, or a service of ours that does not answer."""

from http import HTTPStatus


class RequestRejected(Exception):  # noqa: N818  # it is an answer to the caller, not an error of ours
    """The caller's fault: a 4xx ``status``, the reason, the ``field`` to blame and the methods to use instead."""

    def __init__(self, status: HTTPStatus, reason: str, *, field: str = "", allow: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.status = status
        self.reason = reason
        self.field = field
        self.allow = allow


class ServiceUnavailableError(Exception):
    """DynamoDB did not do what was asked; the same request may succeed later."""

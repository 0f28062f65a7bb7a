"""The context that Lambda gives a handler, as tests need it."""

from aws_lambda_powertools.utilities.typing import LambdaContext


class Context(LambdaContext):
    """An invocation of a function with a fixed number of milliseconds left."""

    def __init__(
        self, name: str, remaining_ms: int = 300_000, request_id: str = "request-1", memory_mb: int = 1024
    ) -> None:
        self._function_name = name
        self._invoked_function_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
        self._aws_request_id = request_id
        self._memory_limit_in_mb = memory_mb
        self.remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # a static method there
        """Return the milliseconds that are left."""
        return self.remaining_ms

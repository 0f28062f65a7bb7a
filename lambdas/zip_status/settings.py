"""The environment of zip-status, read once into a frozen object."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .env import Environment

_MAX_RECEIVES = 1000  # SQS's limits: of maxReceiveCount, of retention and of a role session
_MAX_RETENTION_SECONDS = 1_209_600
_MAX_SESSION_SECONDS = 43_200


@dataclass(frozen=True)
class Settings:
    """Where jobs are kept, when a silent one counts as dead, and how long a signature can last.

    ``session_credentials_seconds`` is how long temporary credentials are taken to last when they do not tell.
    """

    table_name: str
    max_receives: int
    queue_retention_seconds: int
    session_credentials_seconds: int
    path_style: bool

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read ``variables``; raise :class:`~.env.SettingsError` naming every one that is missing or wrong."""
        env = Environment(variables)
        settings = cls(
            table_name=env.text("TABLE_NAME"),
            max_receives=env.integer("MAX_RECEIVES", 3, 1, _MAX_RECEIVES),
            queue_retention_seconds=env.integer("QUEUE_RETENTION_SECONDS", 345_600, 60, _MAX_RETENTION_SECONDS),
            session_credentials_seconds=env.integer("SESSION_CREDENTIALS_SECONDS", 3600, 60, _MAX_SESSION_SECONDS),
            # Emulators answer on one address for all buckets; AWS wants the bucket in the host name.
            path_style=bool(variables.get("AWS_ENDPOINT_URL")),
        )
        env.check()
        return settings

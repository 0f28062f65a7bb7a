"""The settings of zip-status, read from environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from .aws_clients import is_emulated
from .callers import AUTHORIZATIONS
from .env import Environment
from .job_record import QueueLimits

_MAX_RECEIVES = 1000  # SQS's limits: of maxReceiveCount, of retention and of a role session
_MAX_RETENTION_SECONDS = 1_209_600
_MAX_SESSION_SECONDS = 43_200


@dataclass(frozen=True)
class Operators:
    """Callers who see every job: IAM roles and users, and tokens that have one of the values in a claim."""

    iam_arns: tuple[str, ...] = ()
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, env: Environment) -> Self:
        """Read ``OPERATORS``: ``{"iamArns": [...], "claims": {"<claim>": [...]}}``."""
        document = env.document("OPERATORS")
        arns, claims = document.get("iamArns", []), document.get("claims", {})
        is_known = document.keys() <= {"iamArns", "claims"} and isinstance(claims, dict)
        lists = [arns, *claims.values()] if is_known else [None]
        if not all(isinstance(one, list) and all(isinstance(text, str) and text for text in one) for one in lists):
            env.reject("OPERATORS", "has iamArns (a list) and claims (lists by claim), and nothing else")
            return cls()
        return cls(tuple(arns), {name: tuple(values) for name, values in claims.items()})


@dataclass(frozen=True)
class Settings:
    """The settings of zip-status.

    ``session_credentials_seconds`` is the assumed lifetime of temporary credentials that have no expiry.
    """

    table_name: str
    queue_limits: QueueLimits
    session_credentials_seconds: int
    path_style: bool
    api_auth: str
    operators: Operators

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read ``variables``; raise :class:`~.env.SettingsError` naming every one that is missing or wrong."""
        env = Environment(variables)
        settings = cls(
            table_name=env.text("TABLE_NAME"),
            queue_limits=QueueLimits(
                max_receives=env.integer("MAX_RECEIVES", 3, 1, _MAX_RECEIVES),
                retention_seconds=env.integer("QUEUE_RETENTION_SECONDS", 345_600, 60, _MAX_RETENTION_SECONDS),
            ),
            session_credentials_seconds=env.integer("SESSION_CREDENTIALS_SECONDS", 3600, 60, _MAX_SESSION_SECONDS),
            path_style=is_emulated(variables),
            api_auth=env.text("API_AUTH", "NONE"),
            operators=Operators.from_environment(env),
        )
        if settings.api_auth not in AUTHORIZATIONS:
            env.reject("API_AUTH", f"is {settings.api_auth!r}, not one of {', '.join(AUTHORIZATIONS)}")
        env.check()
        return settings

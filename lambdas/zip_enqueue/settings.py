"""The settings of zip-enqueue, read from environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .aws_clients import is_emulated
from .callers import AUTHORIZATIONS
from .env import Environment
from .keys import find_prefix_fault
from .prefix_rules import PrefixRules

MIN_PRESIGN_TTL_SECONDS = 60
MAX_PRESIGN_TTL_SECONDS = 604_800  # seven days, the longest that Signature Version 4 allows
_LAMBDA_PAYLOAD_BYTES = 6 * 1024 * 1024
_MAX_JOB_TTL_DAYS = 3650


@dataclass(frozen=True)
class Settings:
    """The settings of zip-enqueue.

    The first of ``source_buckets`` and of ``target_buckets`` is the default for a request that names none.
    """

    table_name: str
    queue_url: str
    source_buckets: tuple[str, ...]
    target_buckets: tuple[str, ...]
    dst_prefix: str
    presign_ttl_seconds: int
    job_ttl_days: int
    max_body_bytes: int
    path_style: bool
    api_auth: str
    allowed_prefixes: PrefixRules | None

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read ``variables``; raise :class:`~.env.SettingsError` naming every one that is missing or wrong."""
        env = Environment(variables)
        settings = cls(
            table_name=env.text("TABLE_NAME"),
            queue_url=env.text("QUEUE_URL"),
            source_buckets=env.names("SOURCE_BUCKETS"),
            target_buckets=env.names("TARGET_BUCKETS"),
            dst_prefix=env.text("DST_PREFIX", "zips/"),
            presign_ttl_seconds=env.integer(
                "PRESIGN_TTL_SECONDS", 86_400, MIN_PRESIGN_TTL_SECONDS, MAX_PRESIGN_TTL_SECONDS
            ),
            job_ttl_days=env.integer("JOB_TTL_DAYS", 30, 1, _MAX_JOB_TTL_DAYS),
            max_body_bytes=env.integer("MAX_BODY_BYTES", _LAMBDA_PAYLOAD_BYTES, 1, _LAMBDA_PAYLOAD_BYTES),
            path_style=is_emulated(variables),
            api_auth=env.text("API_AUTH", "NONE"),
            allowed_prefixes=PrefixRules.from_environment(env),
        )
        if settings.api_auth not in AUTHORIZATIONS:
            env.reject("API_AUTH", f"is {settings.api_auth!r}, not one of {', '.join(AUTHORIZATIONS)}")
        if fault := find_prefix_fault(settings.dst_prefix):
            env.reject("DST_PREFIX", fault)
        env.check()
        return settings

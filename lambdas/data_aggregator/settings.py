"""The function's settings, read from its environment once per invocation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .env import Environment

MIB = 1024 * 1024
DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be tuned; sizes are bytes, times seconds."""

    distribution_bucket: str
    service_name: str
    table_name: str
    ttl_seconds: int
    log_level: str
    max_bundle_input: int
    gzip_level: int
    read_concurrency: int
    read_ahead_bytes: int
    stop_before_seconds: int
    claim_grace_seconds: int
    disk_reserve: int
    queue_url: str | None
    is_traced: bool

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings, raising :class:`~.env.SettingsError` that names every wrong variable."""
        env = Environment(variables)
        settings = cls(
            distribution_bucket=env.text("DISTRIBUTION_BUCKET_NAME"),
            service_name=env.text("SERVICE_NAME"),
            table_name=env.text("IDEMPOTENCY_TABLE_NAME"),
            ttl_seconds=_read_ttl_days(env) * DAY_SECONDS,
            log_level=env.log_level(),
            max_bundle_input=env.integer("MAX_BUNDLE_INPUT_MB", 100, 1, 1_000_000) * MIB,
            gzip_level=env.integer("GZIP_LEVEL", 1, 0, 3),
            read_concurrency=env.integer("READ_CONCURRENCY", 32, 1, 256),
            read_ahead_bytes=env.integer("READ_AHEAD_MB", 32, 1, 8192) * MIB,
            stop_before_seconds=env.integer("STOP_BEFORE_SECONDS", 30, 0, 900),
            claim_grace_seconds=env.integer("CLAIM_GRACE_SECONDS", 30, 0, 900),
            disk_reserve=env.integer("DISK_RESERVE_MB", 64, 0, 1_000_000) * MIB,
            queue_url=env.text("QUEUE_URL", "") or None,
            is_traced=env.flag("TRACING_ENABLED"),
        )
        env.check()
        return settings


def _read_ttl_days(env: Environment) -> int:
    # No default: if a record expires while its message can still be redelivered, the source is bundled twice.
    return env.integer("IDEMPOTENCY_TTL_DAYS", 1, 1, 3650) if env.text("IDEMPOTENCY_TTL_DAYS") else 1

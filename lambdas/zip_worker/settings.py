"""The worker's settings, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .env import Environment

MIB = 1024 * 1024
MIN_PART_SIZE = 5 * MIB
"""S3's lower limit for every part but the last, bytes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be tuned; sizes are bytes, times seconds."""

    table_name: str
    queue_url: str
    max_receives: int
    lease_seconds: int
    read_concurrency: int
    read_ahead_bytes: int
    upload_concurrency: int
    part_size: int
    block_size: int
    max_members: int

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings, raising :class:`~.env.SettingsError` that names every wrong variable."""
        env = Environment(variables)
        settings = cls(
            table_name=env.text("TABLE_NAME"),
            queue_url=env.text("QUEUE_URL"),
            max_receives=env.integer("MAX_RECEIVES", 3, 1, 1000),
            lease_seconds=env.integer("LEASE_SECONDS", 60, 1, 900),
            read_concurrency=env.integer("READ_CONCURRENCY", 16, 1, 256),
            read_ahead_bytes=env.integer("READ_AHEAD_MB", 32, 1, 8192) * MIB,
            upload_concurrency=env.integer("UPLOAD_CONCURRENCY", 4, 1, 64),
            part_size=env.integer("S3_PART_SIZE", 8 * MIB, MIN_PART_SIZE, 512 * MIB),
            block_size=env.integer("S3_READ_CHUNK", 4 * MIB, 64 * 1024, 64 * MIB),
            max_members=env.integer("MAX_MEMBERS", 100_000, 1, 5_000_000),
        )
        env.check()
        return settings

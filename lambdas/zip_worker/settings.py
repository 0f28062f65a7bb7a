"""The worker's settings, read from environment variables once per execution environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .env import Environment

MIB = 1024 * 1024
MIN_PART_SIZE = 5 * MIB
"""S3's minimum for every part but the last, bytes."""
MIN_COPY_THRESHOLD_MB = 10
"""MiB: room for two parts of the minimum size, one to read and one to copy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The worker's settings; sizes are in bytes, times in seconds."""

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
    copy_threshold: int
    """Minimum size of members that are copied inside S3 if their CRC-32 is known; 0: none."""
    copy_concurrency: int
    head_threshold: int
    """Minimum size of listed objects that get a HeadObject before anything is read."""
    checkpoint_seconds: int
    stop_before_seconds: int
    max_hops: int

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
            copy_threshold=_read_copy_threshold(env) * MIB,
            copy_concurrency=env.integer("COPY_CONCURRENCY", 8, 1, 64),
            head_threshold=env.integer("HEAD_THRESHOLD_KB", 1024, 0, 5 * 1024 * 1024) * 1024,
            checkpoint_seconds=env.integer("CHECKPOINT_SECONDS", 60, 0, 900),
            stop_before_seconds=env.integer("STOP_BEFORE_SECONDS", 45, 1, 600),
            # The job's record holds each hand-over's message, and DynamoDB's items end at 400 KB.
            max_hops=env.integer("MAX_HOPS", 50, 0, 1_000),
        )
        env.check()
        return settings


def _read_copy_threshold(env: Environment) -> int:
    """Return ``COPY_THRESHOLD_MB``; below 10, a copied range could be smaller than S3's minimum for a part."""
    megabytes = env.integer("COPY_THRESHOLD_MB", 32, 0, 5 * 1024 * 1024)
    if 0 < megabytes < MIN_COPY_THRESHOLD_MB:
        env.reject("COPY_THRESHOLD_MB", f"is {megabytes}, neither 0 nor at least {MIN_COPY_THRESHOLD_MB}")
    return megabytes

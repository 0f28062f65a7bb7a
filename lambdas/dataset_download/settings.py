"""Settings of the service, read once from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .env import Environment
from .runtime.memory_budget import Memory

KIB = 1024
MIB = 1024 * KIB

_BASE_URL = re.compile(r"https?://[^\s/?#\"'<>@]+(/[^\s?#\"'<>]*)?")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; sizes are in bytes, times in seconds."""

    dataset_bucket: str
    dataset_prefix: str
    """Ends in a slash, or is empty."""
    batch_rows: int
    read_ahead_bytes: int
    memory: Memory
    """The memory budget of a response."""
    max_sort_rows: int
    organisation_column: str
    formula_guard: bool
    redirect_parquet: bool
    stream_limit: int
    """Results with a larger estimate are exported; 0: none are."""
    small_answer: int
    """Results up to this size are completed before their first byte is sent."""
    buffer_limit: int
    """The largest response, encoded for Lambda, without streaming."""
    exports: bool
    export_bucket: str
    export_prefix: str
    """Ends in a slash."""
    export_function: str
    """Empty: requests make their exports themselves."""
    export_inline: int
    """Results with a larger estimate are delegated to the export function."""
    presign_ttl_seconds: int
    cache_full_seconds: int
    cache_filtered_seconds: int
    page_cache_seconds: int
    max_query_bytes: int
    stall_seconds: int
    answers_at_once: int
    """Concurrent downloads of the server; the same number of pages is allowed in addition."""
    public_base_url: str
    """Without a trailing slash, or empty."""
    path_style: bool
    in_lambda: bool
    log_level: str

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Return the settings in ``variables``; raise :class:`~.env.SettingsError` that names all faulty ones."""
        env = Environment(variables)
        settings = cls(
            dataset_bucket=env.text("DATASET_BUCKET"),
            dataset_prefix=_read_prefix(env, "DATASET_PREFIX", ""),
            batch_rows=env.integer("BATCH_ROWS", 10_000, 1, 1_000_000),
            read_ahead_bytes=env.integer("READ_AHEAD_MB", 32, 1, 1024) * MIB,
            memory=Memory.of(_read_memory(env, variables) * MIB),
            max_sort_rows=env.integer("MAX_SORT_ROWS", 1_000_000, 1, 100_000_000),
            organisation_column=env.text("ORGANISATION_COLUMN", "organisation-entity"),
            formula_guard=env.flag("FORMULA_GUARD"),
            redirect_parquet=_read_switch(env, variables, "REDIRECT_PARQUET"),
            stream_limit=env.integer("STREAM_LIMIT_MB", 20, 0, 1_000_000) * MIB,
            small_answer=env.integer("SMALL_ANSWER_KB", 1024, 1, 20_480) * KIB,
            buffer_limit=env.integer("BUFFER_LIMIT_MB", 6, 1, 6) * MIB,
            exports=_read_switch(env, variables, "EXPORTS"),
            export_bucket=env.text("EXPORT_BUCKET", ""),
            export_prefix=_read_prefix(env, "EXPORT_PREFIX", "exports/"),
            export_function=env.text("EXPORT_FUNCTION", ""),
            export_inline=env.integer("EXPORT_INLINE_MB", 200, 0, 1_000_000) * MIB,
            presign_ttl_seconds=env.integer("PRESIGN_TTL_SECONDS", 3600, 60, 604_800),
            cache_full_seconds=env.integer("CACHE_FULL_SECONDS", 3600, 0, 31_536_000),
            cache_filtered_seconds=env.integer("CACHE_FILTERED_SECONDS", 300, 0, 31_536_000),
            page_cache_seconds=env.integer("PAGE_CACHE_SECONDS", 60, 0, 31_536_000),
            max_query_bytes=env.integer("MAX_QUERY_BYTES", 8192, 256, 32_768),
            stall_seconds=env.integer("STALL_SECONDS", 60, 1, 3600),
            answers_at_once=env.integer("ANSWERS_AT_ONCE", 8, 1, 1000),
            public_base_url=_read_base_url(env),
            # Emulators serve all buckets from one host; AWS requires the bucket in the host name.
            path_style=bool(variables.get("AWS_ENDPOINT_URL") or variables.get("AWS_ENDPOINT_URL_S3")),
            in_lambda=bool(variables.get("AWS_LAMBDA_FUNCTION_NAME")),
            log_level=env.log_level("INFO"),
        )
        settings._check_exports(env)
        env.check()
        return settings

    def _check_exports(self, env: Environment) -> None:
        """Reject missing export settings at start-up rather than at the first large result."""
        if self.exports and self.stream_limit and not self.export_bucket:
            env.reject("EXPORT_BUCKET", "is not set, which EXPORTS=true with a STREAM_LIMIT_MB needs")


def _read_memory(env: Environment, variables: Mapping[str, str]) -> int:
    """Return the memory of the process in MiB: in Lambda the function's, unless MEMORY_MB is set."""
    function = variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    return env.integer("MEMORY_MB", int(function) if function.isdecimal() else 512, 256, 1_000_000)


def _read_switch(env: Environment, variables: Mapping[str, str], name: str) -> bool:
    """Return a switch that is on unless the variable is ``false``."""
    return env.flag(name) if variables.get(name, "").strip() else True


def _read_prefix(env: Environment, name: str, default: str) -> str:
    prefix = env.text(name, default).strip("/")
    return f"{prefix}/" if prefix else ""


def _read_base_url(env: Environment) -> str:
    url = env.text("PUBLIC_BASE_URL", "")
    if url and not _BASE_URL.fullmatch(url):
        env.reject("PUBLIC_BASE_URL", f"is {url!r}, not an http or https URL without a query")
    return url.rstrip("/")

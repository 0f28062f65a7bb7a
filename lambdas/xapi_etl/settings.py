"""The function's settings, read from its environment in each invocation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from .env import Environment

MIB = 1024 * 1024
_LOG_LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
_CODECS = {"snappy", "gzip", "brotli", "zstd", "lz4", "none"}
_ON, _OFF = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_S3_URL = re.compile(r"s3://[^/]+/.+")
_INVALID_URL = "is not a URL like https://host:8443, or not a valid host"
_UNLIMITED = 5 * 1024**4
"""S3's own limit of an object, bytes."""


@dataclass(frozen=True, slots=True)
class ClickHouseSettings:
    """Endpoint, table, credentials and request limits of ClickHouse."""

    url: str
    """The URL without credentials; empty if a dry run needs none."""
    database: str
    table: str
    insert_sql: str | None
    user: str | None
    password: str = field(repr=False)
    secret: str | None
    """Name of the Secrets Manager secret that holds user and password."""
    settings: Mapping[str, str]
    timeout_seconds: float
    max_attempts: int

    @property
    def target(self) -> str | None:
        """Return the table's quoted name; ``None`` if only ``CLICKHOUSE_INSERT_SQL`` names the table."""
        if not self.table:
            return None
        return ".".join(quote_name(name) for name in (self.database, self.table) if name)

    @property
    def ledger(self) -> str | None:
        """Return the quoted name of the table of INSERTs, in the same database; ``None`` without a table."""
        if not self.table:
            return None
        return ".".join(quote_name(name) for name in (self.database, f"{self.table}_inserts") if name)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; sizes are in bytes, times in the unit of the name."""

    clickhouse: ClickHouseSettings
    log_level: str
    column_map: Literal["xapi", "auto"]
    column_map_url: str | None
    insert_columns: tuple[str, ...]
    compression: str
    target_rows: int
    max_rows: int
    max_parquet_bytes: int
    max_object_bytes: int
    start_insert_ms: int
    safety_margin_ms: int
    strictness: Literal["statement", "json"]
    bad_lines: Literal["fail", "quarantine", "skip"]
    bad_lines_max_ratio: float
    """Share of bad lines above which an object fails, unless ``bad_lines`` is ``fail``."""
    max_line_bytes: int
    quarantine_bucket: str | None
    """``None``: the input object's bucket."""
    quarantine_prefix: str
    failure_queue_url: str | None
    max_receives: int
    is_dry_run: bool
    s3_connect_seconds: float
    s3_read_seconds: float
    s3_max_attempts: int
    read_concurrency: int
    progress_seconds: float
    diagnostics_bucket: str | None
    diagnostics_prefix: str

    @property
    def only_statements(self) -> bool:
        """Return whether a line that is not a statement is rejected."""
        return self.strictness == "statement"

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings, raising :class:`~.env.SettingsError` that names every wrong variable."""
        env = Environment(variables)
        is_dry_run = read_switch(env, "DRY_RUN", "false")
        column_map = _read_choice(env, "COLUMN_MAP", ("xapi", "auto"))
        map_url = _read_map_url(env)
        is_shipped = column_map == "xapi" and map_url is None
        strictness = ("statement", "json") if is_shipped else ("json", "statement")
        settings = cls(
            clickhouse=_read_clickhouse(env, is_needed=not is_dry_run),
            log_level=_read_log_level(env),
            column_map="auto" if column_map == "auto" else "xapi",
            column_map_url=map_url,
            insert_columns=_read_columns(env),
            compression=_read_choice(env, "PARQUET_COMPRESSION", ("snappy", *sorted(_CODECS - {"snappy"}))),
            target_rows=env.integer("TARGET_ROWS_PER_INSERT", 10_000, 1, 1_000_000),
            max_rows=env.integer("MAX_ROWS_PER_INSERT", 30_000, 1, 1_000_000),
            max_parquet_bytes=env.integer("MAX_PARQUET_BYTES_PER_INSERT", 16 * MIB, 1024, 1024 * MIB),
            max_object_bytes=env.integer("MAX_S3_OBJECT_BYTES", 0, 0, _UNLIMITED) or _UNLIMITED,
            start_insert_ms=env.integer("MIN_REMAINING_TIME_TO_START_INSERT_MS", 10_000, 0, 900_000),
            safety_margin_ms=env.integer("LAMBDA_TIMEOUT_SAFETY_MARGIN_MS", 5_000, 0, 900_000),
            strictness="statement" if _read_choice(env, "STRICTNESS", strictness) == "statement" else "json",
            bad_lines=_read_bad_lines(env, is_shipped=is_shipped),
            bad_lines_max_ratio=_read_number(env, "BAD_LINES_MAX_RATIO", 1, 0, 1),
            max_line_bytes=env.integer("MAX_LINE_BYTES", 32 * MIB, 1024, 64 * MIB),
            quarantine_bucket=env.text("QUARANTINE_BUCKET", "") or None,
            quarantine_prefix=env.text("QUARANTINE_PREFIX", "quarantine/").lstrip("/"),
            failure_queue_url=env.text("FAILURE_DLQ_URL", "") or None,
            max_receives=env.integer("MAX_RECEIVES", 5, 1, 1000),
            is_dry_run=is_dry_run,
            s3_connect_seconds=_read_number(env, "S3_CONNECT_TIMEOUT_SECONDS", 5, 0.1, 900),
            s3_read_seconds=_read_number(env, "S3_READ_TIMEOUT_SECONDS", 60, 0.1, 900),
            s3_max_attempts=env.integer("S3_MAX_ATTEMPTS", 3, 1, 20),
            read_concurrency=env.integer("READ_CONCURRENCY", 8, 1, 64),
            progress_seconds=_read_number(env, "ITER_LOG_INTERVAL_SECONDS", 5, 0.1, 900),
            diagnostics_bucket=env.text("DIAG_S3_BUCKET", "") or None,
            diagnostics_prefix=env.text("DIAG_S3_PREFIX", ""),
        )
        if settings.target_rows > settings.max_rows:
            env.reject("TARGET_ROWS_PER_INSERT", "is above MAX_ROWS_PER_INSERT")
        env.check()
        return settings


def quote_name(name: str) -> str:
    """Return an identifier as ClickHouse quotes it."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _read_clickhouse(env: Environment, *, is_needed: bool) -> ClickHouseSettings:
    url, parameters = _read_endpoint(env, is_needed=is_needed)
    insert_sql = env.text("CLICKHOUSE_INSERT_SQL", "") or None
    needs_target = is_needed and insert_sql is None
    return ClickHouseSettings(
        url=url,
        database=env.text("CLICKHOUSE_DATABASE", parameters.pop("database", None if needs_target else "")),
        table=env.text("CLICKHOUSE_TABLE", None if needs_target else ""),
        insert_sql=insert_sql,
        user=env.text("CLICKHOUSE_USER", "") or parameters.pop("user", None),
        password=env.text("CLICKHOUSE_PASSWORD", "") or parameters.pop("password", ""),
        secret=env.text("CLICKHOUSE_SECRET", "") or None,
        settings=_select_settings(parameters) | _read_settings(env),
        timeout_seconds=_read_number(env, "CLICKHOUSE_TIMEOUT_SECONDS", 30, 0.1, 900),
        max_attempts=env.integer("CLICKHOUSE_MAX_ATTEMPTS", 5, 1, 100),
    )


def _read_endpoint(env: Environment, *, is_needed: bool) -> tuple[str, dict[str, str]]:
    """Return the URL without credentials and query, and these as a dictionary."""
    path = env.text("CLICKHOUSE_PATH", "").strip("/")
    is_secure = read_switch(env, "CLICKHOUSE_SECURE", "true")
    port = env.integer("CLICKHOUSE_PORT", 8443 if is_secure else 8123, 1, 65535)
    host = env.text("CLICKHOUSE_HOST", "")
    url = env.text("CLICKHOUSE_URL", "")
    if not url and not host:
        if is_needed:
            env.reject("CLICKHOUSE_URL", "is not set, nor is CLICKHOUSE_HOST")
        return "", {}
    if not url:
        url = f"{'https' if is_secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    parts = _split_url(url)
    if parts is None:
        # Not quoted, because it may contain a password.
        env.reject("CLICKHOUSE_URL" if env.text("CLICKHOUSE_URL", "") else "CLICKHOUSE_HOST", _INVALID_URL)
        return "", {}
    netloc = parts.netloc.rpartition("@")[2]
    full_path = "/".join(part for part in (parts.path.strip("/"), path) if part)
    # ClickHouse's own parameters: database, user, password, and settings.
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.username:
        parameters |= {"user": unquote(parts.username), "password": unquote(parts.password or "")}
    return urlunsplit((parts.scheme, netloc, f"/{full_path}", "", "")), parameters


def _select_settings(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the settings among a URL's parameters."""
    return {name: value for name, value in parameters.items() if name not in {"database", "user", "password", "query"}}


def _split_url(url: str) -> SplitResult | None:
    """Return an endpoint's parts; ``None`` if it is not a valid URL."""
    try:
        parts = urlsplit(url)
        is_wrong = parts.port == 0
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or is_wrong:
        return None
    return parts


def _read_settings(env: Environment) -> dict[str, str]:
    settings = {}
    for entry in env.text("CLICKHOUSE_SETTINGS", "").split(","):
        name, separator, value = (part.strip() for part in entry.partition("="))
        if not entry.strip():
            continue
        if not separator or not _NAME.fullmatch(name):
            # Not quoted, because a value may be a secret.
            env.reject("CLICKHOUSE_SETTINGS", "is not a list like name=value,name=value")
            return {}
        settings[name] = value
    return settings


def read_switch(env: Environment, name: str, default: str) -> bool:
    """Return a switch; accepts the usual spellings of true and false."""
    value = env.text(name, default).lower()
    if value not in _ON | _OFF:
        env.reject(name, f"is {value!r}, not one of {', '.join(sorted(_ON | _OFF))}")
    return value in _ON


def _read_number(env: Environment, name: str, default: float, minimum: float, maximum: float) -> float:
    """Return a number, which may have decimals; a whole number is an int."""
    value = env.text(name, str(default))
    try:
        number = float(value)
    except ValueError:
        env.reject(name, f"is {value!r}, not a number")
        return default
    if not minimum <= number <= maximum:
        env.reject(name, f"is {value}, not between {minimum} and {maximum}")
        return default
    return int(number) if number.is_integer() else number


def _read_bad_lines(env: Environment, *, is_shipped: bool) -> Literal["fail", "quarantine", "skip"]:
    choices = ("quarantine", "fail", "skip") if is_shipped else ("fail", "quarantine", "skip")
    match _read_choice(env, "BAD_LINES", choices):
        case "quarantine":
            return "quarantine"
        case "skip":
            return "skip"
        case _:
            return "fail"


def _read_columns(env: Environment) -> tuple[str, ...]:
    names = tuple(name.strip().strip('`"') for name in env.text("CLICKHOUSE_INSERT_COLUMNS", "").split(","))
    names = tuple(name for name in names if name)
    if len(set(names)) < len(names):
        env.reject("CLICKHOUSE_INSERT_COLUMNS", "names a column twice")
    return names


def _read_map_url(env: Environment) -> str | None:
    url = env.text("COLUMN_MAP_S3_URI", "") or None
    if url and not _S3_URL.fullmatch(url):
        env.reject("COLUMN_MAP_S3_URI", f"is {url!r}, not s3://bucket/key")
    return url


def _read_choice(env: Environment, name: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices; the first one is the default."""
    value = env.text(name, choices[0]).lower()
    if value not in choices:
        env.reject(name, f"is {value!r}, not one of {', '.join(choices)}")
        return choices[0]
    return value


def _read_log_level(env: Environment) -> str:
    level = env.text("LOG_LEVEL", "INFO").upper()
    level = "WARNING" if level == "WARN" else level
    if level not in _LOG_LEVELS:
        env.reject("LOG_LEVEL", f"is {level!r}, not one of {', '.join(sorted(_LOG_LEVELS))}")
        return "INFO"
    return level

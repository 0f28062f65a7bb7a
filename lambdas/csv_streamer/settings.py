"""The streamer's settings, read once from the environment."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from .env import Environment, SettingsError
from .exceptions import EntryError
from .inputs.keys import check_name, check_prefix
from .inputs.proxies import Proxies

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_SUFFIX_MAP = MappingProxyType(
    {word: f"{word}.csv" for word in ("rent_contracts", "transactions", "projects", "units", "developers", "buildings")}
)
_SUFFIX_MATCHES = ("url", "words")
_CODE_BYTES = 90 * MIB
"""Memory of the interpreter, the libraries and the TLS buffers, measured."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be tuned; sizes are bytes, times seconds."""

    bucket: str
    path_prefix: str
    concurrency: int
    part_size: int
    chunk_size: int
    upload_concurrency: int
    range_connections: int
    connections_per_host: int
    max_attempts: int
    max_file_size: int
    suffix_map: Mapping[str, str]
    suffix_match: str
    """``url``: a key of the map may be anywhere in the URL; ``words``: among the words of its last path segment."""
    proxies: Proxies
    ca_bundle: str
    """PEM certificates of authorities that are trusted in addition to the public ones; may be empty."""
    allow_private_hosts: bool
    skip_unchanged: bool
    continue_async: bool
    max_hops: int
    stop_before_seconds: int
    stall_seconds: float
    progress_seconds: int
    retry_base_seconds: float = 0.5
    """First wait between two attempts; each following wait is twice as long."""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the settings, raising :class:`~.env.SettingsError` that names every wrong variable."""
        env = Environment(variables)
        settings = cls(
            bucket=env.text("BUCKET_NAME"),
            path_prefix=_read_prefix(env),
            concurrency=env.integer("CONCURRENCY", 2, 1, 64),
            part_size=env.integer("S3_PART_MB", 50, 5, 5120) * MIB,
            chunk_size=env.integer("HTTP_CHUNK_KB", 1024, 16, 65536) * KIB,
            upload_concurrency=env.integer("UPLOAD_CONCURRENCY", 4, 1, 64),
            range_connections=env.integer("RANGE_CONNECTIONS", 4, 1, 64),
            connections_per_host=env.integer("CONNECTIONS_PER_HOST", 16, 1, 4096),
            max_attempts=env.integer("MAX_ATTEMPTS", 5, 1, 100),
            max_file_size=env.integer("MAX_FILE_GB", 100, 1, 5120) * GIB,
            suffix_map=_read_suffix_map(env),
            suffix_match=_read_suffix_match(env),
            proxies=Proxies.from_environment(variables, env),
            ca_bundle=_read_authorities(env),
            allow_private_hosts=env.flag("ALLOW_PRIVATE_HOSTS"),
            skip_unchanged=env.flag("SKIP_UNCHANGED"),
            continue_async=env.flag("CONTINUE_ASYNC"),
            max_hops=env.integer("MAX_HOPS", 50, 1, 10_000),
            stop_before_seconds=env.integer("STOP_BEFORE_SECONDS", 45, 1, 600),
            stall_seconds=env.integer("STALL_SECONDS", 60, 1, 900),
            progress_seconds=env.integer("PROGRESS_SECONDS", 5, 1, 3600),
        )
        env.log_level("INFO")  # read by the logger; a wrong one is reported here
        env.check()
        settings._check_memory(variables)
        return settings

    @property
    def memory_bytes(self) -> int:
        """Return the maximum memory of a run, whatever the files' sizes and the servers' speed.

        Each file has one part that is being filled and ``UPLOAD_CONCURRENCY`` parts in flight to S3. Each of its
        connections, including the one in reserve, has two chunks in the socket's reader.
        """
        connections = self.range_connections + 1
        a_file = (self.upload_concurrency + 1) * self.part_size + connections * 2 * self.chunk_size
        return _CODE_BYTES + self.concurrency * a_file

    def _check_memory(self, variables: Mapping[str, str]) -> None:
        """Reject settings that need more memory than the function has."""
        available = int(variables.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or 0) * MIB
        if 0 < available < self.memory_bytes:
            raise SettingsError(
                f"these settings need up to {self.memory_bytes // MIB} MB and the function has {available // MIB} MB: "
                "lower S3_PART_MB, UPLOAD_CONCURRENCY or CONCURRENCY, or give it more memory"
            )


def _read_suffix_match(env: Environment) -> str:
    match = env.text("SUFFIX_MATCH", "url")
    if match not in _SUFFIX_MATCHES:
        env.reject("SUFFIX_MATCH", f"is {match!r}, not one of {', '.join(_SUFFIX_MATCHES)}")
    return match


def _read_prefix(env: Environment) -> str:
    prefix = env.text("PATH_PREFIX", "raw").strip("/")
    try:
        check_prefix(prefix)
    except EntryError as error:
        env.reject("PATH_PREFIX", f"cannot be used: {error}")
    return prefix


def _read_authorities(env: Environment) -> str:
    """Return the certificates in ``CA_BUNDLE``, or in the file that it names."""
    text = env.text("CA_BUNDLE", " ").strip()
    if not text:
        return ""
    try:
        authorities = text if "-----BEGIN" in text else Path(text).read_text("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=authorities)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        env.reject("CA_BUNDLE", f"is neither PEM certificates nor the path of a file with some: {error}")
        return ""
    return authorities


def _read_suffix_map(env: Environment) -> Mapping[str, str]:
    """Return the variable's entries, which come first, and the defaults that it does not set to null."""
    raw = env.text("SUFFIX_MAP", "{}")
    try:
        entries = json.loads(raw)
    except ValueError as error:
        env.reject("SUFFIX_MAP", f"is not JSON: {error}")
        return _SUFFIX_MAP
    if not isinstance(entries, dict) or not all(
        name is None or (isinstance(name, str) and name) for name in entries.values()
    ):
        env.reject("SUFFIX_MAP", 'is not a JSON object of names, like {"rent_contracts": "rent_contracts.csv"}')
        return _SUFFIX_MAP
    for words, name in entries.items():
        _check_map_name(env, words, name)
    merged = entries | {words: name for words, name in _SUFFIX_MAP.items() if words not in entries}
    return MappingProxyType({words: name for words, name in merged.items() if name})


def _check_map_name(env: Environment, words: str, name: str | None) -> None:
    try:
        check_name(name or "x")
    except EntryError as error:
        env.reject("SUFFIX_MAP", f"{words!r}: {error}")

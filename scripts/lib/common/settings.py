"""The settings of the scripts: which stack they talk to, and with which credentials.

Three sources, the earlier one wins: the environment, the user's ``.env``, and ``.local/outputs.env`` as written by the
last apply. An empty value in a file counts as absent, so that an unfilled line of ``.env`` hides nothing. What a shell
has from ``. .local/outputs.env`` counts as the file's, not as the environment's: ``.env`` still wins over it.
"""

import ipaddress
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from os import environ
from pathlib import Path
from urllib.parse import urlsplit

# The user's short names and the Terraform outputs that they stand for.
ALIASES = {"SRC_BUCKET": "ZIP_SOURCE_BUCKET", "DST_BUCKET": "ZIP_DESTINATION_BUCKET"}
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?""")
_DEFAULTS = {"AWS_REGION": "us-east-1"}
# Servers of the offline stack, and the offset of each port from the emulator's.
_NEIGHBOURS = {"SAMPLE_FILES_URL": 1, "CLICKHOUSE_URL": 2}
LOCAL_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""The credentials of the offline stack, on every machine."""
SOURCED = "SLUICE_OUTPUTS_SOURCED"
"""The variable by which a shell tells that it has sourced ``.local/outputs.env``."""
# Variables that the file has for shells and other tools; here they follow from the region and the URL.
_DERIVED = {*LOCAL_CREDENTIALS, "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", SOURCED}


class SettingsError(ValueError):
    """A line of a settings file cannot be read; the message names the file and the line."""


def read_env_file(path: Path) -> dict[str, str]:
    """Return the non-empty ``NAME=value`` pairs of a file; none if there is no such file.

    Quotes around a value, ``export`` before a name and comments are understood; nothing is expanded.

    Raises:
        SettingsError: a line is neither a pair, a comment nor blank.
    """
    return {name: value for name, value in _read_pairs(path).items() if value}


def read_names(path: Path) -> set[str]:
    """Return the names that a file has, empty or not; none if there is no such file."""
    return set(_read_pairs(path))


def _read_pairs(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    found = {}
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise SettingsError(f"{path}:{number}: not a NAME=value line")
        found[match[1]] = _unquote(match[2])
    return found


def merge_layers(layers: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Merge mappings, the first winning, so that a layer's ``SRC_BUCKET`` also beats a later ``ZIP_SOURCE_BUCKET``."""
    merged: dict[str, str] = {}
    for layer in layers:
        full = dict(layer)
        for short, output in ALIASES.items():
            value = full.get(short) or full.get(output)
            if value:
                full[short] = full[output] = value
        merged = {**full, **merged}
    return merged


def read_settings(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment, completed from the checkout's files and with derived values.

    ``API_AUTH`` is guessed from the address unless it is given; a stack on this machine gets its fixed credentials and
    the addresses of the servers beside it, ``SAMPLE_FILES_URL`` and ``CLICKHOUSE_URL``.
    """
    written = _read_pairs(root / ".local" / "outputs.env")
    own = leave_out_sourced(environment, written)
    outputs = {name: value for name, value in written.items() if value and name not in _DERIVED}
    settings = merge_layers([own, read_env_file(root / ".env"), outputs, _DEFAULTS])
    settings.setdefault("AWS_DEFAULT_REGION", settings["AWS_REGION"])
    settings["API_AUTH"] = settings.get("API_AUTH") or guess_auth(settings.get("API_BASE", ""))
    endpoint = settings.get("AWS_ENDPOINT_URL", "")
    if is_loopback(endpoint):
        if not settings.get("AWS_ACCESS_KEY_ID"):
            settings.update(LOCAL_CREDENTIALS)
        for name, offset in _NEIGHBOURS.items():
            settings[name] = settings.get(name) or locate_neighbour(endpoint, offset)
    return settings


def leave_out_sourced(environment: Mapping[str, str], written: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables sourced from ``outputs.env``; all of it if that was not sourced."""
    if not environment.get(SOURCED):
        return dict(environment)
    return {name: value for name, value in environment.items() if written.get(name) != value}


def locate_neighbour(endpoint: str, offset: int) -> str:
    """Return the URL of another server of an offline stack, whose port follows the emulator's by an offset."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.hostname}:{parts.port + offset}" if parts.port else ""


def is_loopback(url: str) -> bool:
    """Return whether the host of a URL is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guess_auth(api_base: str) -> str:
    """Return the likely authorization of the API at this URL: ``AWS_IAM`` or ``NONE``."""
    host = urlsplit(api_base).hostname or ""
    return "AWS_IAM" if re.search(r"\.execute-api\.[\w-]+\.amazonaws\.com(\.cn)?$", host) else "NONE"


def _unquote(value: str) -> str:
    if quoted := _QUOTED.fullmatch(value):
        single, double = quoted.groups()
        return single if single is not None else re.sub(r"\\(.)", r"\1", double)
    if value.startswith(("'", '"')):  # several quotes in a row, as shlex.quote writes a value that holds a quote
        with suppress(ValueError):
            return "".join(shlex.split(value, comments=True)[:1])
    return re.sub(r"(^|\s+)#.*$", "", value)


def main() -> int:
    """Print shell lines that turn the environment into the settings; the checkout's root is the only argument."""
    try:
        settings = read_settings(Path(sys.argv[1]), environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    for name, value in settings.items():
        if environ.get(name) != value:
            print(f"export {name}={shlex.quote(value)}")
    # What the shell had from outputs.env and the settings do not; scripts that this one calls get the rest as it is.
    for name in environ.keys() - settings.keys():
        print(f"unset {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

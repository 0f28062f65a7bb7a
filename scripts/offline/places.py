"""Where the offline stack keeps its things, and where it listens."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 4566
HIGHEST_PORT = 65_535


class StackError(Exception):
    """The stack cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True)
class Places:
    """Folders below `local` (`.local` of the checkout) and the emulator's port on loopback."""

    local: Path
    venv: Path
    requirements: Path
    port: int = DEFAULT_PORT

    @property
    def address(self) -> str:
        """Return the emulator's base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Return the folder that survives a stop: objects and the state of all services."""
        return self.local / "data"

    @property
    def log(self) -> Path:
        """Return the emulator's log file."""
        return self.local / "logs" / "ministack.log"

    @property
    def run_file(self) -> Path:
        """Return the file that says which process is ours."""
        return self.local / "run" / "ministack.json"

    @property
    def temporary(self) -> Path:
        """Return the folder where functions are unpacked; empty while nothing runs."""
        return self.local / "tmp"


def read_places(root: Path, environment: Mapping[str, str]) -> Places:
    """Return the places of a checkout; raises StackError for a SLUICE_PORT_BASE that is no port."""
    text = environment.get("SLUICE_PORT_BASE") or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise StackError(f"SLUICE_PORT_BASE is '{text}': expected a port number")
    local = root / ".local"
    return Places(local, local / "ministack-venv", root / "requirements-ministack.txt", int(text))

"""Folders, files and ports of the offline stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 4566
# The sample file server's port, ClickHouse's and the dataset server's come after it.
HIGHEST_PORT = 65_532


class StackError(Exception):
    """An operation of the stack failed; the message says why and what to do."""


@dataclass(frozen=True)
class Paths:
    """Folders below `local`, `.local` of the checkout, and ports on loopback: the emulator's and the next three."""

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
    def samples_port(self) -> int:
        """Return the sample file server's port."""
        return self.port + 1

    @property
    def samples_address(self) -> str:
        """Return the sample file server's base URL."""
        return f"http://127.0.0.1:{self.samples_port}"

    @property
    def samples_log(self) -> Path:
        """Return the sample file server's log file."""
        return self.local / "logs" / "sample-files.log"

    @property
    def samples_run_file(self) -> Path:
        """Return the file that says which process the sample file server is."""
        return self.local / "run" / "sample-files.json"

    @property
    def clickhouse_port(self) -> int:
        """Return ClickHouse's port."""
        return self.port + 2

    @property
    def clickhouse_address(self) -> str:
        """Return ClickHouse's base URL."""
        return f"http://127.0.0.1:{self.clickhouse_port}"

    @property
    def clickhouse_venv(self) -> Path:
        """Return ClickHouse's virtual environment."""
        return self.venv.with_name("clickhouse-venv")

    @property
    def clickhouse_requirements(self) -> Path:
        """Return the file that says what is in it."""
        return self.requirements.with_name("requirements-clickhouse.txt")

    @property
    def clickhouse_data(self) -> Path:
        """Return the folder of ClickHouse's tables."""
        return self.data / "clickhouse"

    @property
    def clickhouse_log(self) -> Path:
        """Return ClickHouse's log file."""
        return self.local / "logs" / "clickhouse.log"

    @property
    def clickhouse_run_file(self) -> Path:
        """Return the file that says which process ClickHouse is."""
        return self.local / "run" / "clickhouse.json"

    @property
    def datasets_port(self) -> int:
        """Return the dataset server's port."""
        return self.port + 3

    @property
    def datasets_address(self) -> str:
        """Return the dataset server's base URL."""
        return f"http://127.0.0.1:{self.datasets_port}"

    @property
    def datasets_log(self) -> Path:
        """Return the dataset server's log file."""
        return self.local / "logs" / "dataset-server.log"

    @property
    def datasets_run_file(self) -> Path:
        """Return the file that says which process the dataset server is."""
        return self.local / "run" / "dataset-server.json"

    @property
    def datasets_package(self) -> Path:
        """Return the zip of the dataset download's code, as it was deployed last."""
        return self.local / "build" / "lambdas" / "dataset_download.zip"

    @property
    def outputs(self) -> Path:
        """Return the file of Terraform's outputs, as the last apply left it."""
        return self.local / "outputs.json"

    @property
    def lambdas(self) -> Path:
        """Return the folder of the functions' packages."""
        return self.requirements.parent / "lambdas"

    @property
    def temporary(self) -> Path:
        """Return the folder where functions are unpacked; empty while nothing runs."""
        return self.local / "tmp"


def read_paths(root: Path, environment: Mapping[str, str]) -> Paths:
    """Return the paths of a checkout; raises StackError for a SLUICE_PORT_BASE that is not a port."""
    text = environment.get("SLUICE_PORT_BASE") or str(DEFAULT_PORT)
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise StackError(f"SLUICE_PORT_BASE is '{text}': expected a port number up to {HIGHEST_PORT}")
    local = root / ".local"
    return Paths(local, local / "ministack-venv", root / "requirements-ministack.txt", int(text))

"""The virtual environments of the emulator and of ClickHouse."""

import hashlib
import subprocess
import sys
from pathlib import Path

from offline.paths import Paths, StackError
from prerequisites.checks import GET_PYTHON, PYTHON


def check_python(version: tuple[int, int]) -> None:
    """Raise StackError for a Python that cannot run the functions, saying how to get one that can."""
    if version != PYTHON:
        raise StackError(
            f"Python 3.13 is needed, this is {version[0]}.{version[1]}: the offline stack runs the functions with its "
            f"own interpreter. Get it by {GET_PYTHON}; then run `make clean setup`."
        )


def ensure_venv(paths: Paths) -> Path:
    """Make the emulator's virtual environment unless it is there with today's requirements; returns its interpreter.

    Functions run with this interpreter whatever runtime they declare, so it is the one that runs this code:
    the one that native wheels were chosen for. Raises StackError when it cannot be made.
    """
    return _ensure(paths.venv, paths.requirements, "the emulator")


def ensure_clickhouse_venv(paths: Paths) -> Path:
    """Make ClickHouse's virtual environment as `ensure_venv` does the emulator's; raises StackError, too."""
    # Without what the engine's data frames would need: hundreds of megabytes that are not used here.
    return _ensure(paths.clickhouse_venv, paths.clickhouse_requirements, "ClickHouse (180 MB)", "--no-deps")


def _ensure(venv: Path, requirements: Path, what: str, *options: str) -> Path:
    check_python((sys.version_info.major, sys.version_info.minor))
    python = venv / "bin" / "python"
    stamp = venv / "installed"
    content = requirements.read_bytes() + sys.version.encode()
    wanted = hashlib.sha256(content).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python
    print(f"  installing {what} ...", flush=True)
    if venv.is_symlink():
        venv.unlink()  # or clearing it would clear somebody else's folder
    stamp.unlink(missing_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", str(venv)], "cannot make a virtual environment")
    # Python compiles what it imports; compiling all that is installed takes as long as installing it.
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "--no-compile"]
    _run([*pip, *options, "-r", str(requirements)], f"cannot install {what}")
    stamp.write_text(wanted)
    return python


def _run(command: list[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        return
    output = f"{done.stdout}\n{done.stderr}"
    hint = " (Debian: apt-get install python3-venv)" if "ensurepip" in output else ""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("WARNING")]
    raise StackError("\n    ".join([failure + hint, *lines[-8:]]))

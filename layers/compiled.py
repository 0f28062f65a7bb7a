"""Compiles the Python files of a zip: Lambda's folders are read-only, so that it would compile at every cold start.

Run as a program it does the work: in a process of its own with a fixed hash seed, so that the same source gives the
same bytes whatever else the build has imported. It reads a list of [source, target, name] as JSON from its input.
"""

import json
import os
import py_compile
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

LAMBDA_PYTHON = (3, 13)
"""The runtime of the functions: what another Python compiles is of no use there."""


def is_for_lambda() -> bool:
    """Return whether Lambda's interpreter can run the code that this one compiles."""
    return sys.version_info[:2] == LAMBDA_PYTHON


def compile_files(files: dict[str, Path], folder: Path) -> dict[str, Path]:
    """Return the files of a zip (name in the zip → file), with the code of those that are Python.

    Args:
        files: what goes into the zip.
        folder: where the code is kept until the zip is written.

    Raises:
        OSError: the compiler cannot be run.
        subprocess.CalledProcessError: it failed.
    """
    names = {name: cache_from_source(name) for name in sorted(files) if name.endswith(".py")}
    jobs = [[str(files[name]), str(folder / target), name] for name, target in names.items()]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-P", str(Path(__file__))]
    subprocess.run(command, input=json.dumps(jobs), text=True, check=True, env=environment)
    return files | {target: folder / target for target in names.values() if (folder / target).is_file()}


def main() -> int:
    """Compile; returns the exit status. A file that is not valid in this Python version is skipped."""
    for source, target, name in json.load(sys.stdin):
        # Unchecked: times in a zip mean nothing, and nobody edits deployed files. Python replaces the name by the real
        # path at the import.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(source, target, name, doraise=False, quiet=2, invalidation_mode=mode)
    return 0


if __name__ == "__main__":
    sys.exit(main())

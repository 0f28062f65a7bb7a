"""ZIP readers that are independent of the project's code."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

type Contents = dict[str, str]
"""File names and the SHA-256 of each file's bytes."""

_JAVA_PROGRAM = Path(__file__).parent / "java" / "ReadZip.java"


def hash_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_with_python(archive: Path, _: Path) -> Contents:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        files = [entry for entry in opened.infolist() if not entry.is_dir()]
        contents = {entry.filename: hash_bytes(opened.read(entry)) for entry in files}
    assert len(contents) == len(files), "two members have one name"
    return contents


def read_with_unzip(archive: Path, folder: Path) -> Contents:
    run_tool("unzip", "-tq", archive)
    run_tool("unzip", "-q", archive, "-d", folder)
    return read_folder(folder)


def read_with_7z(archive: Path, folder: Path) -> Contents:
    tool = find_tool("7z", "7zz", "7za")
    run_tool(tool, "t", archive)
    run_tool(tool, "x", archive, f"-o{folder}")
    return read_folder(folder)


def read_with_bsdtar(archive: Path, folder: Path) -> Contents:
    run_tool("bsdtar", "-tf", archive)
    run_tool("bsdtar", "-xf", archive, "-C", folder)
    return read_folder(folder)


def read_with_bsdtar_from_a_pipe(archive: Path, folder: Path) -> Contents:
    """A pipe cannot be searched for the central directory: the local headers alone have to do."""
    with archive.open("rb") as stream:
        run_tool("bsdtar", "-tf", "-", stdin=stream.fileno())
    with archive.open("rb") as stream:
        run_tool("bsdtar", "-xf", "-", "-C", folder, stdin=stream.fileno())
    return read_folder(folder)


def read_with_java(archive: Path, _: Path) -> Contents:
    lines = run_tool("java", _JAVA_PROGRAM, archive).decode().split()
    return {bytes.fromhex(name).decode(): digest for name, digest in zip(lines[::2], lines[1::2], strict=True)}


READERS: list[Callable[[Path, Path], Contents]] = [
    read_with_python,
    read_with_unzip,
    read_with_7z,
    read_with_bsdtar,
    read_with_bsdtar_from_a_pipe,
    read_with_java,
]


def read_folder(folder: Path) -> Contents:
    return {
        path.relative_to(folder).as_posix(): hash_bytes(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def find_tool(*names: str) -> str:
    """Return the first tool that is installed; skips the test where none is."""
    for name in names:
        if shutil.which(name):
            return name
    pytest.skip(f"{names[0]} is not installed")


def run_tool(name: str, *arguments: str | Path, stdin: int = subprocess.DEVNULL) -> bytes:
    """Run a tool in a UTF-8 locale and return what it printed; fails the test if the tool fails."""
    find_tool(name)
    locale = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
    done = subprocess.run(
        [name, *arguments],
        stdin=stdin,
        capture_output=True,
        env={**os.environ, "LC_ALL": locale},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stdout[-2000:]!r} {done.stderr[-2000:]!r}"
    return done.stdout

"""Writes zips whose bytes depend on nothing but the names and contents of the files in them.

Entries are sorted and carry one fixed time and modes that their names decide, so that a rebuild from the same input
gives the same bytes and Terraform plans no change. (Deflate itself is zlib's: two zlib builds may differ, one never
does.)
"""

import hashlib
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# The earliest time that a zip can express.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
FIXED_MODE = stat.S_IFREG | 0o644
# Files that a runtime executes, such as the script of the Web Adapter.
PROGRAM_MODE = stat.S_IFREG | 0o755
UNIX = 3

# Metadata that pip writes for itself. It names the build machine or differs between docker and pip.
PIP_RECORDS = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
TEST_FOLDERS = {"tests", "test"}
# C files and this machine's libraries: a zip gets the libraries of its own architecture.
NATIVE_SUFFIXES = {".c", ".h", ".so"}


def keeps_in_layer(path: PurePosixPath) -> bool:
    """Return whether an installed file is needed when a function runs (`path` is relative to site-packages)."""
    if "__pycache__" in path.parts or path.parts[0] == "bin":
        return False
    if path.name in PIP_RECORDS and path.parent.suffix == ".dist-info":
        return False
    # A package may itself be called `test`: only folders inside a package are taken for its tests.
    return TEST_FOLDERS.isdisjoint(path.parts[1:-1])


def keeps_in_function(path: PurePosixPath) -> bool:
    """Return whether a file of a Lambda folder belongs in its zip (`path` is relative to the folder)."""
    hidden = any(part.startswith(".") for part in path.parts)
    if hidden or "__pycache__" in path.parts or not TEST_FOLDERS.isdisjoint(path.parts[:-1]):
        return False
    return path.suffix not in {".md", *NATIVE_SUFFIXES} and not path.match("requirements*.txt")


def list_files(root: Path) -> Iterator[PurePosixPath]:
    """Yield every file below `root`, relative to it; symbolic links to files count as the files."""
    for path in root.rglob("*"):
        if path.is_file():
            yield PurePosixPath(path.relative_to(root).as_posix())


def collect_layer(tree: Path) -> dict[str, Path]:
    """Map names in a layer's zip to the files of an installed tree; Lambda puts `python/` on the path."""
    return {f"python/{name}": tree / name for name in list_files(tree) if keeps_in_layer(name)}


def collect_function(folder: Path) -> dict[str, Path]:
    """Map names in a function's zip to the files of its package, which keeps its folder's name."""
    return {f"{folder.name}/{name}": folder / name for name in list_files(folder) if keeps_in_function(name)}


def write_zip(target: Path, files: dict[str, Path]) -> bool:
    """Write `files` (name in the zip → file to read) to `target` and return whether its bytes changed.

    An unchanged target keeps its modification time. Raises OSError when a file cannot be read or written;
    the old target is then still whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".part")
    try:
        with zipfile.ZipFile(draft, "w") as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, FIXED_TIME)
                entry.create_system = UNIX
                entry.external_attr = (PROGRAM_MODE if name.endswith(".sh") else FIXED_MODE) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, files[name].read_bytes(), compresslevel=6)
        if target.exists() and digest(target) == digest(draft):
            return False
        draft.replace(target)
        return True
    finally:
        draft.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measure_unzipped(path: Path) -> int:
    """Return how many bytes a zip's files take once unzipped, which is what Lambda's limit counts."""
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())

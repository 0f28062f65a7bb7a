"""Search for copies of the provider on disk, likely folders first, within a time limit."""

from __future__ import annotations

import enum
import heapq
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, Sequence

from prerequisites.packages import Package, recognise

DEEPEST = 14
_LIKELY = re.compile(
    r"terraform|tofu|hashicorp|provider|plugin|mirror|registry|(?:^|[-_.])tf(?:$|[-_.])", re.IGNORECASE
)
_UNLIKELY = re.compile(
    r"^(?:docs?|man|locale|include|modules|zoneinfo|icons|fonts|dpkg|python[\d.]*|perl[\d.]*|ruby|gcc|objects|tests?|src)$"
)
# On the way from a likely folder to the package: <type>/<version>/<platform>.
_WAY = re.compile(r"^(?:aws|\d+\.\d+\.\d+|[a-z]+_(?:amd64|arm64))$")
_PASSED_OVER = {"node_modules", "site-packages", "__pycache__", ".git", "proc", "sys", "dev", "lost+found"}
_SLOW = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "autofs", "fuse.sshfs", "afs", "ceph"}
_PATIENCE_SECONDS = 0.1


class Verdict(enum.Enum):
    """The suitability of a package."""

    WANTED = enum.auto()
    WILL_DO = enum.auto()
    UNUSABLE = enum.auto()


def list_roots(home: Path, checkout: Path) -> list[Path]:
    """Return the folders at which a search of the whole machine begins."""
    return [home, checkout.parent, Path("/opt"), Path("/usr/local"), Path("/srv"), Path("/var"), Path("/")]


def list_private_folders(home: Path) -> list[Path]:
    """Return the folders that macOS asks the user about before a program may look into them."""
    names = ("Desktop", "Documents", "Downloads", "Library", "Movies", "Music", "Pictures")
    return [home / name for name in names] if sys.platform == "darwin" else []


def walk(roots: Sequence[Path], left_out: Sequence[Path], is_over: Callable[[], bool]) -> Iterator[Package]:
    """Yield packages below the roots, the likely folders first; links are not followed."""
    skipped = {str(path) for path in left_out} | _list_slow_mounts()
    queue: list[tuple[int, int, str]] = []
    seen = set()
    for place, root in enumerate(roots):
        heapq.heappush(queue, (place, 0, os.path.realpath(str(root))))
    while queue and not is_over():
        cost, depth, folder = heapq.heappop(queue)
        if folder in seen or folder in skipped:
            continue
        seen.add(folder)
        files, folders = _list_folder(folder)
        yield from recognise(Path(folder), files)
        if depth < DEEPEST:
            for name in folders:
                heapq.heappush(queue, (cost + _price(name), depth + 1, f"{folder.rstrip(os.sep)}{os.sep}{name}"))


def _list_folder(folder: str) -> tuple[list[str], list[str]]:
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("terraform-provider-aws"):
                    files.append(entry.name)
                if entry.name not in _PASSED_OVER and entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
    except OSError:
        pass
    return sorted(files), folders


def _price(name: str) -> int:
    """Return what a folder adds to the cost of its way: the cheapest is looked at first."""
    if _LIKELY.search(name):
        return -4
    if _WAY.match(name):
        return 0
    if _UNLIKELY.match(name):
        return 6
    return 3 if name.startswith(".") or name == "tmp" else 2


def _list_slow_mounts() -> set[str]:
    """Return the mount points of network disks; one that does not respond would block the search."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {fields[1] for fields in map(str.split, lines) if len(fields) > 2 and fields[2] in _SLOW}  # noqa: PLR2004


def search(
    roots: Sequence[Path],
    left_out: Sequence[Path],
    judge: Callable[[Package], Verdict],
    seconds: float,
) -> Package | None:
    """Return the first package below the roots that is wanted, else the first that will do, or None after `seconds`.

    A folder whose disk does not answer cannot be interrupted; the thread that waits for it is left behind.
    """
    deadline = time.monotonic() + seconds
    found: dict[Verdict, Package] = {}

    def look() -> None:
        for package in walk(roots, left_out, lambda: time.monotonic() > deadline):
            found.setdefault(judge(package), package)
            if Verdict.WANTED in found:
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds + _PATIENCE_SECONDS)
    return found.get(Verdict.WANTED) or found.get(Verdict.WILL_DO)

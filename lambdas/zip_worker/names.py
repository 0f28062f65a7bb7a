"""The names that objects get inside the archive."""

import posixpath
import re
from collections.abc import Iterable, Sequence

from .schemas import Member, PathMode, Source

_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[A-Za-z]:")


def name_members(sources: Sequence[Source], paths: PathMode, prefix: str | None) -> list[Member]:
    """Give every source a safe name that no other member of the archive has.

    Names keep the sources' order. A second ``report.pdf`` becomes ``report (2).pdf``; so does a file whose name
    another member needs for a folder. Folder markers (empty objects whose key ends with ``/``) become folders, and
    are left out where they would have no name: in ``basename`` mode, and for the top folder itself.
    """
    base = _base_folder([source.key for source in sources], prefix) if paths == "relative" else ""
    wanted = [_wanted_name(source, paths, base) for source in sources]
    folders = {folder for name in wanted for folder in _folders_of(name)}
    taken: set[str] = set()
    counters: dict[str, int] = {}
    members = []
    for source, name in zip(sources, wanted, strict=True):
        if name.endswith("/") or not name:
            if name and name not in taken:
                taken.add(name)
                members.append(Member(name, source))
            continue
        free = _free_name(name, taken, folders, counters)
        taken.add(free)
        members.append(Member(free, source))
    return members


def _wanted_name(source: Source, paths: PathMode, base: str) -> str:
    """Return the sanitised name; ``""`` where a folder marker has none."""
    is_marker = source.key.endswith("/") and source.size == 0
    if paths == "basename":
        return "" if is_marker else _disarm_drive(_sanitise(source.key).rpartition("/")[2])
    name = _sanitise(source.key[len(base) :], fallback="" if is_marker else "file")
    return f"{name}/" if is_marker and name else name


def _sanitise(key: str, fallback: str = "file") -> str:
    """Return a relative path without ``..``, drive letters, backslashes or control characters."""
    parts = [part for part in _UNSAFE.sub("_", key).replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    while parts and _DRIVE.fullmatch(parts[0]):
        parts.pop(0)
    return _disarm_drive("/".join(parts)) or fallback


def _disarm_drive(path: str) -> str:
    """Return ``C_name`` for ``C:name``, which Windows takes for a place on drive C."""
    return _DRIVE.sub(lambda drive: f"{drive[0][0]}_", path)


def _base_folder(keys: Sequence[str], prefix: str | None) -> str:
    """Return what ``relative`` names leave out: the folder of ``prefix``, or the one that all keys share."""
    folder = prefix[: prefix.rfind("/") + 1] if prefix else ""
    if folder and all(key.startswith(folder) for key in keys):
        return folder
    common = posixpath.commonprefix(keys)
    return common[: common.rfind("/") + 1]


def _folders_of(name: str) -> Iterable[str]:
    """Yield every folder that a name implies, without trailing slashes: ``a/b/c`` gives ``a`` and ``a/b``."""
    end = name.find("/")
    while end != -1:
        yield name[:end]
        end = name.find("/", end + 1)


def _free_name(name: str, taken: set[str], folders: set[str], counters: dict[str, int]) -> str:
    """Return ``name``, or the first ``stem (n).suffix`` that is neither taken nor a folder."""
    candidate = name
    stem, suffix = posixpath.splitext(name)
    while candidate in taken or candidate in folders:
        # Counting on from the last number keeps 100,000 equal names linear.
        counters[name] = counters.get(name, 1) + 1
        candidate = f"{stem} ({counters[name]}){suffix}"
    return candidate

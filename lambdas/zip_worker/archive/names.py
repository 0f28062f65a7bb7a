"""The names of members in the archive, and the resolution of name collisions (``name (2).pdf``)."""

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

from zip_worker.job_record import NameStyle, PathMode
from zip_worker.schemas import Member, Source

from .portable_names import fold, make_portable, shorten

_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_ONLY_DOTS = re.compile(r"\.{1,2} +")
"""Windows drops the spaces, which leaves a parent directory."""
_NUMBERED = re.compile(r"(.+) \(([1-9][0-9]{0,6})\)", re.DOTALL)


def name_members(
    sources: Sequence[Source], paths: PathMode, prefix: str | None, style: NameStyle = "portable"
) -> list[Member]:
    """Return the members: every source with a safe name that no other member of the archive has.

    Members keep the sources' order. A second ``report.pdf`` becomes ``report (2).pdf``, and so does a file whose name
    another member needs for a folder. ``portable`` names also collide if they differ only in case or in Unicode's
    normal form. Folder markers (empty objects whose key ends with ``/``) become folders. They are left out if they
    would have no name: in ``basename`` mode, and for the top folder itself.
    """
    base = _base_folder([source.key for source in sources], prefix) if paths == "relative" else ""
    wanted = [_choose_name(source, paths, base, style) for source in sources]
    folded = fold if style == "portable" else str
    folders = {folded(folder) for name in wanted for folder in _folders_of(name)}
    namer = _UniqueNames(folded, folders, is_portable=style == "portable")
    members = []
    for source, name in zip(sources, wanted, strict=True):
        free = namer.reserve_folder(name) if name.endswith("/") or not name else namer.reserve_file(name)
        if free:
            members.append(Member(free, source))
    return members


class _UniqueNames:
    """Assigns names, each of them once."""

    def __init__(self, folded: Callable[[str], str], folders: set[str], *, is_portable: bool) -> None:
        self._fold = folded
        self._folders = folders
        self._is_portable = is_portable
        self._used: set[str] = set()
        self._counters: dict[str, int] = {}

    def reserve_folder(self, name: str) -> str:
        """Return a folder's name, an empty string if it has none or exists already."""
        key = self._fold(name)
        if not name or key in self._used:
            return ""
        self._used.add(key)
        return name

    def reserve_file(self, name: str) -> str:
        """Return ``name``, or the first ``stem (n).suffix`` that is neither in use nor a folder."""
        candidate, key = name, self._fold(name)
        stem, suffix = posixpath.splitext(name)
        start = 1
        if match := _NUMBERED.fullmatch(stem):  # report (2).pdf continues as report (3).pdf
            stem, start = match[1], int(match[2])
        counter = self._fold(stem + suffix)
        number = start
        while key in self._used or key in self._folders:
            # Counting on from the last number keeps 100,000 equal names linear.
            number = max(number, self._counters.get(counter, 1)) + 1
            self._counters[counter] = number
            candidate = self._number(stem, number, suffix)
            key = self._fold(candidate)
        self._used.add(key)
        return candidate

    def _number(self, stem: str, number: int, suffix: str) -> str:
        addition = f" ({number}){suffix}"
        if not self._is_portable:
            return stem + addition
        folder, _, last = stem.rpartition("/")
        short = shorten(last, room=len(addition.encode()))
        return f"{folder}/{short}{addition}" if folder else short + addition


def _choose_name(source: Source, paths: PathMode, base: str, style: NameStyle) -> str:
    """Return the sanitised name, an empty string for a folder marker without one."""
    is_marker = source.key.endswith("/") and source.size == 0
    if paths == "basename":
        if is_marker:
            return ""
        last = _disarm_drive(_sanitise(source.key).rpartition("/")[2])
        return make_portable(last) if style == "portable" else last
    name = _sanitise(source.key[len(base) :], fallback="" if is_marker else "file")
    if style == "portable" and name:
        name = "/".join(make_portable(segment) for segment in name.split("/"))
    return f"{name}/" if is_marker and name else name


def _sanitise(key: str, fallback: str = "file") -> str:
    """Return a relative path without ``..``, drive letters, backslashes or control characters."""
    parts = [part for part in _UNSAFE.sub("_", key).replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    parts = [part.replace(" ", "_") if _ONLY_DOTS.fullmatch(part) else part for part in parts]
    while parts and _DRIVE.fullmatch(parts[0]):
        parts.pop(0)
    return _disarm_drive("/".join(parts)) or fallback


def _disarm_drive(path: str) -> str:
    """Return ``C_name`` for ``C:name``, which Windows would resolve on drive C."""
    return _DRIVE.sub(lambda drive: f"{drive[0][0]}_", path)


def _base_folder(keys: Sequence[str], prefix: str | None) -> str:
    """Return the folder that ``relative`` names omit: that of ``prefix``, or the one that all keys share."""
    folder = prefix[: prefix.rfind("/") + 1] if prefix else ""
    if folder and all(key.startswith(folder) for key in keys):
        return folder
    common = posixpath.commonprefix(keys)
    return common[: common.rfind("/") + 1]


def _folders_of(name: str) -> Iterable[str]:
    """Yield every folder that a name implies, without trailing slashes: ``a`` and ``a/b`` for ``a/b/c``."""
    end = name.find("/")
    while end != -1:
        yield name[:end]
        end = name.find("/", end + 1)

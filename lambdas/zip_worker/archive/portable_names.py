"""Portable file names: names that all common file systems accept, and keys that tell which names they merge.

Sources: Microsoft's "Naming Files, Paths, and Namespaces" for Windows; Apple's File System Guide for macOS, which
compares names regardless of case and of Unicode's normal form; POSIX's NAME_MAX of Linux.
"""

import posixpath
import re
import unicodedata

MAX_SEGMENT_BYTES = 255
"""In UTF-8: the limit of Linux; those of Windows and macOS, 255 UTF-16 units, are not lower."""
_MAX_SUFFIX_BYTES = 20
# Characters that Windows reserves; C0, DEL and C1 controls; line separators; direction marks; noncharacters.
_UNSAFE = re.compile(r'[<>:"|?*\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]')
_DEVICES = r"con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\xb9\xb2\xb3]"
_DEVICE = re.compile(rf"(?:{_DEVICES}) *(?:\..*)?", re.IGNORECASE | re.DOTALL)


def make_portable(segment: str) -> str:
    """Return a file or folder name that all common file systems accept; such a name is returned unchanged.

    Unsafe characters become ``_`` instead of being dropped, so that fewer names become equal. The name of a Windows
    device gets a leading ``_``.
    """
    name = _UNSAFE.sub("_", segment)
    if name.endswith((".", " ")):  # Windows drops them, so two names could become one
        name = name[:-1] + "_"
    if _DEVICE.fullmatch(name):
        name = f"_{name}"
    return shorten(name)


def shorten(name: str, room: int = 0) -> str:
    """Return the name cut to 255 bytes less ``room``; a suffix of up to 20 bytes is kept."""
    limit = MAX_SEGMENT_BYTES - room
    if len(name.encode()) <= limit:
        return name
    stem, suffix = posixpath.splitext(name)
    if len(suffix.encode()) > _MAX_SUFFIX_BYTES:
        stem, suffix = name, ""
    cut = stem.encode()[: limit - len(suffix.encode())].decode(errors="ignore")
    if not suffix and cut.endswith((".", " ")):
        cut = cut[:-1] + "_"
    return cut + suffix


def fold(name: str) -> str:
    """Return a key that is equal for names that some file system treats as one.

    It merges slightly more names than any of them: ``ß`` counts as ``ss``, and a dotless i as ``i``.
    """
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFD", name)
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", decomposed.upper()).casefold())

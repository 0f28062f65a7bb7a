"""Names that every usual file system takes, and which names it takes for the same.

Sources: Microsoft's "Naming Files, Paths, and Namespaces" for Windows; Apple's File System Guide for macOS, which
compares names regardless of case and of Unicode's normal form; POSIX's NAME_MAX of Linux.
"""

import posixpath
import re
import unicodedata

MAX_SEGMENT_BYTES = 255
"""Of UTF-8: Linux's limit; those of Windows and macOS, 255 UTF-16 units, are no lower."""
_LONGEST_SUFFIX = 20
# What Windows reserves; C0, DEL and C1 controls; line separators; marks of direction; noncharacters.
_UNSAFE = re.compile(r'[<>:"|?*\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]')
_DEVICES = r"con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\xb9\xb2\xb3]"
_DEVICE = re.compile(rf"(?:{_DEVICES}) *(?:\..*)?", re.IGNORECASE | re.DOTALL)


def make_portable(segment: str) -> str:
    """Return a name that can be a file or a folder everywhere; one that can is returned as it is.

    Characters become ``_`` instead of being dropped, so that few names get equal; a device's name gets one in front.
    """
    name = _UNSAFE.sub("_", segment)
    if name.endswith((".", " ")):  # Windows drops them, and with them the difference to another name
        name = name[:-1] + "_"
    if _DEVICE.fullmatch(name):
        name = f"_{name}"
    return shorten(name)


def shorten(name: str, room: int = 0) -> str:
    """Return a name of at most 255 bytes less ``room``; its suffix stays, where that is none of a sentence's rest."""
    limit = MAX_SEGMENT_BYTES - room
    if len(name.encode()) <= limit:
        return name
    stem, suffix = posixpath.splitext(name)
    if len(suffix.encode()) > _LONGEST_SUFFIX:
        stem, suffix = name, ""
    cut = stem.encode()[: limit - len(suffix.encode())].decode(errors="ignore")
    if not suffix and cut.endswith((".", " ")):
        cut = cut[:-1] + "_"
    return cut + suffix


def fold(name: str) -> str:
    """Return what is the same for names that some file system takes for one.

    It is a little stricter than any of them: ``ß`` counts as ``ss``, and a dotless i as ``i``.
    """
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFD", name)
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", decomposed.upper()).casefold())

"""Keys of the stored files."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import date
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

from csv_streamer.exceptions import EntryError
from csv_streamer.schemas import STATE_PREFIX

_DEFAULT = "data.csv"
_MAX_NAME_BYTES = 250
"""The limit of file systems (255), less the number that :class:`UniqueKeys` may add."""
_MAX_PREFIX_BYTES = 750
"""S3's limit of a key (1,024), less the date and the longest name."""
_STATE_FOLDER = STATE_PREFIX.rstrip("/")
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[BbQq]\?[^?]*\?=")
_WORDS = re.compile(r"[^\W_]+")


def known_name(name: str | None, url: str, suffix_map: Mapping[str, str], match: str = "url") -> str | None:
    """Return the name that is known before the request: the entry's own, or the suffix map's.

    ``match``: ``SUFFIX_MATCH``.
    """
    if name:
        return name
    return (_match_words if match == "words" else _match_anywhere)(url, suffix_map)


def check_name(name: str) -> None:
    """Reject a name that is not a valid single path segment.

    Raises:
        EntryError: naming what it cannot have.
    """
    if sanitise(name) != name:
        raise EntryError(
            f"name {name[:300]!r} cannot be a file's name: it has folders (prefix is for these), control characters, "
            f"a dot or space at its beginning or end, or more than {_MAX_NAME_BYTES} bytes"
        )


def served_name(url: str, disposition: str | None) -> str:
    """Return the name that the server gives, else the URL's last path segment, else ``data.csv``."""
    names = (sanitise(name) for name in (*_parse_disposition(disposition), _last_segment(url)))
    return next(filter(None, names), _DEFAULT)


def sanitise(name: str) -> str:
    """Return ``name`` as one path segment: no folders, no control characters, at most 250 bytes."""
    segment = re.split(r"[/\\]", name)[-1]
    printable = "".join(character for character in segment if character.isprintable()).strip(" .")
    if len(printable.encode(errors="replace")) > _MAX_NAME_BYTES:
        suffix = PurePosixPath(printable).suffix[:16]
        stem = printable.encode(errors="replace")[: _MAX_NAME_BYTES - len(suffix.encode(errors="replace"))]
        printable = (stem.decode(errors="ignore") + suffix).strip(" .")
    return printable.encode(errors="replace").decode()


def _match_anywhere(url: str, suffix_map: Mapping[str, str]) -> str | None:
    """Return the name of the first map key in the URL, without its user and password, ignoring case."""
    try:
        parts = urlsplit(url)
        text = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        text = url
    haystack = f"{text}\n{unquote(text)}".lower()
    return next((name for key, name in suffix_map.items() if key and key.lower() in haystack), None)


def _match_words(url: str, suffix_map: Mapping[str, str]) -> str | None:
    """Return the name of the first map key whose words are consecutive in the URL's last path segment."""
    words = _split_words(_last_segment(url))
    for key, name in suffix_map.items():
        wanted = _split_words(key)
        if any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1) if wanted):
            return name
    return None


def _split_words(text: str) -> list[str]:
    return _WORDS.findall(text.lower())


def _last_segment(url: str) -> str:
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])


def _parse_disposition(header: str | None) -> list[str]:
    """Return the file names of a ``Content-Disposition`` header, the RFC 2231/5987 encoded one first."""
    if not header:
        return []
    message = Message()
    message["Content-Disposition"] = _read_latin1(header)
    try:
        parameters = message.get_params([], "Content-Disposition")
        names = [value for name, value in parameters if name.lower() == "filename"]
        names.sort(key=lambda value: isinstance(value, str))  # an encoded one is a tuple
        return [_decode_words(collapse_rfc2231_value(value)) for value in names]
    except (TypeError, ValueError):  # raised by the library for invalidly numbered parameters
        return []


def _read_latin1(header: str) -> str:
    """Return a header that is not UTF-8, whose bytes aiohttp gives as surrogates, decoded as Latin-1."""
    try:
        header.encode()
    except UnicodeEncodeError:
        # Other surrogates stand for no byte.
        escaped = re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", header)
        return escaped.encode("utf-8", "surrogateescape").decode("latin-1")
    return header


def _decode_words(name: str) -> str:
    """Return a name with its encoded words (RFC 2047) decoded; some servers send them in place of RFC 5987's form."""
    if not _ENCODED_WORD.search(name):
        return name
    try:
        return str(make_header(decode_header(name)))
    except (LookupError, ValueError):  # an unknown charset, or bytes that do not match it
        return name


def make_key(prefix: str, day: date, name: str) -> str:
    """Return ``{prefix}/{YYYY}/{MM}/{DD}/{name}``.

    Raises:
        EntryError: the prefix cannot be part of a key.
    """
    return f"{check_prefix(prefix)}/{day:%Y/%m/%d}/{name}"


def check_prefix(prefix: str) -> str:
    """Return a prefix without slashes at its ends.

    Raises:
        EntryError: it cannot be part of a key.
    """
    folders = prefix.strip("/").split("/")
    if any(folder in {"", ".", ".."} or not folder.isprintable() for folder in folders):
        raise EntryError(f"prefix {prefix!r} has empty, '.' or '..' segments or control characters")
    if folders[0] == _STATE_FOLDER:
        raise EntryError(f"prefix {prefix!r} is where the states of runs are kept, for a few days only")
    path = "/".join(folders)
    if len(path.encode()) > _MAX_PREFIX_BYTES:
        raise EntryError(f"the prefix is longer than {_MAX_PREFIX_BYTES} bytes")
    return path


class UniqueKeys:
    """Assigns each file of a run a unique key, the same in every run.

    A second file of one name becomes ``name-2.csv``. Suffixes do not depend on the order of the responses: keys are
    assigned in entry order, and an entry whose name comes from its server waits for the entries before it.
    """

    def __init__(self, taken: Iterable[str], undecided: Iterable[int]) -> None:
        """``undecided``: indexes of the entries whose names their servers give."""
        self._taken = set(taken)
        self._decided = {index: asyncio.Event() for index in sorted(undecided)}

    def take(self, key: str) -> str:
        """Return ``key``, or the first free numbered variant, and reserve it."""
        path = PurePosixPath(key)
        chosen, number = key, 1
        while chosen in self._taken:
            number += 1
            chosen = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        self._taken.add(chosen)
        return chosen

    async def take_in_turn(self, index: int, key: str) -> str:
        """Return a key after all earlier undecided entries have theirs, or do not need one."""
        for earlier, event in self._decided.items():
            if earlier < index:
                await event.wait()
        chosen = self.take(key)
        self.release(index)
        return chosen

    def release(self, index: int) -> None:
        """Mark an entry as decided: it has its key, or does not need one."""
        if index in self._decided:
            self._decided[index].set()

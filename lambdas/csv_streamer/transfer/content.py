"""Checksums of a file, and the checks of an entry's expectations."""

import codecs
import zlib
from typing import Any, Self

from csv_streamer.exceptions import FileError
from csv_streamer.schemas import Entry, Expectation, Head

from .digests import Digest

_SAMPLE = 64 * 1024
"""Number of the file's first bytes that are examined."""
_HTML_TYPES = {"text/html", "application/xhtml+xml"}
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")
_TABLES = (".csv", ".tsv", ".txt", ".tab", ".psv")
_HTML_WARNING = (
    "html_instead_of_csv: the file is an HTML page, perhaps of a login or an error; "
    'expect {"content_type": "text/csv"} refuses such'
)
_DECODED = {"gzip", "x-gzip", "deflate"}
_MAX_QUOTED = 80


def check_head(expect: Expectation, head: Head) -> None:
    """Reject a file by its response headers, before any byte is stored.

    Raises:
        FileError: the media type or the length is not what is expected.
    """
    served = media_type(head.content_type)
    if expect.content_types and served not in expect.content_types:
        wanted = " or ".join(expect.content_types)
        raise FileError(
            f"the server sends {served or 'no Content-Type'}, expected {wanted}", code="content_type_unexpected"
        )
    if head.length is not None:
        _check_size(expect, head.length)


def _check_size(expect: Expectation, size: int) -> None:
    if expect.size is not None and size != expect.size:
        raise FileError(f"the file has {size} bytes, expected {expect.size}", code="size_unexpected")
    if expect.min_size is not None and size < expect.min_size:
        raise FileError(f"the file has {size} bytes, expected {expect.min_size} or more", code="size_unexpected")


def media_type(header: str | None) -> str:
    """Return a ``Content-Type`` without its parameters, in lower case."""
    return (header or "").partition(";")[0].strip().lower()


class Content:
    """Takes a file's bytes in their order."""

    def __init__(self, expect: Expectation, encoding: str | None = None) -> None:
        """``encoding``: the ``Content-Encoding`` that the bytes have."""
        self._expect = expect
        self._encoding = (encoding or "").strip().lower()
        self._digests = {"sha256": Digest("sha256")}
        if expect.md5:
            self._digests["md5"] = Digest("md5")
        self.size = 0
        self._is_html = False

    @classmethod
    def restore(cls, expect: Expectation, encoding: str | None, state: dict[str, Any]) -> Self:
        """Return what :meth:`save` kept.

        Raises:
            KeyError: it lacks something.
            ValueError: one of its checksums cannot be resumed.
        """
        content = cls(expect, encoding)
        content._digests = {name: Digest(name, state["digests"][name]) for name in content._digests}
        content.size, content._is_html = state["size"], state["is_html"]
        return content

    def save(self) -> dict[str, Any] | None:
        """Return the state so far, None if it cannot be resumed."""
        digests = {name: digest.save() for name, digest in self._digests.items()}
        return None if None in digests.values() else {"digests": digests, "size": self.size, "is_html": self._is_html}

    def add(self, body: bytes | bytearray) -> None:
        """Take the next bytes; the first ones hold the file's first line.

        Raises:
            FileError: they are not what is expected.
        """
        if self.size == 0 and body:
            self._look(bytes(memoryview(body)[:_SAMPLE]))
        for digest in self._digests.values():
            digest.update(body)
        self.size += len(body)

    def _look(self, raw: bytes) -> None:
        text = _decode(raw, self._encoding)
        if text is None:
            if self._expect.first_line is not None:
                reason = f"the first line of a body in {self._encoding} cannot be read"
                raise FileError(reason, code="first_line_unexpected")
            return
        text = text.removeprefix(codecs.BOM_UTF8)
        self._is_html = text.lstrip().lower().startswith(_HTML)
        if self._expect.first_line is not None:
            line = text.partition(b"\n")[0].removesuffix(b"\r").partition(b"\r")[0]
            if line != self._expect.first_line.encode():
                shown = line[:_MAX_QUOTED].decode(errors="replace")
                raise FileError(
                    f"the first line is {shown!r}, expected {self._expect.first_line[:_MAX_QUOTED]!r}",
                    code="first_line_unexpected",
                )

    def finish(self) -> str:
        """Return the SHA-256 of the whole file, hexadecimal.

        Raises:
            FileError: size or checksums differ from the expected ones, or the first line is missing.
        """
        expect = self._expect
        _check_size(expect, self.size)
        if expect.first_line is not None and self.size == 0:
            raise FileError("the file is empty, and a first line is expected", code="first_line_unexpected")
        for name, digest in self._digests.items():
            wanted, found = getattr(expect, name), digest.hexdigest()
            if wanted not in {None, found}:
                raise FileError(f"the file's {name} is {found}, expected {wanted}", code=f"{name}_mismatch")
        return self._digests["sha256"].hexdigest()

    def list_warnings(self, entry: Entry, head: Head, name: str) -> tuple[str, ...]:
        """Return warnings about the file that are not errors."""
        served = media_type(head.content_type)
        if not self.size or not (self._is_html or served in _HTML_TYPES):
            return ()
        is_wanted = served in self._expect.content_types or media_type(entry.content_type) in _HTML_TYPES
        if is_wanted or not (name.lower().endswith(_TABLES) or media_type(entry.content_type) == "text/csv"):
            return ()
        return (_HTML_WARNING,)


def _decode(raw: bytes, encoding: str) -> bytes | None:
    """Return the beginning of a body without its ``Content-Encoding``, None where that is not known here."""
    if encoding in {"", "identity"}:
        return raw
    if encoding not in _DECODED:
        return None
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, _SAMPLE)
    except zlib.error:
        return None

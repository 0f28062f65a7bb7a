"""Parsers of key lists: the caller's manifest, and the request's own list as the API stores it."""

import codecs
import json
from collections.abc import Iterable, Iterator

from zip_worker.exceptions import KeyListError

_MAX_KEY_BYTES = 1024


def parse_manifest(chunks: Iterable[bytes], name: str) -> Iterator[str]:
    """Yield a manifest's keys; ``name`` appears in error messages.

    Raises:
        KeyListError: the manifest is not UTF-8, has another format, or has a line longer than a key can be.
    """
    for number, line in enumerate(_split_lines(chunks), 1):
        raw = line.removesuffix(b"\r")
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if fault := _find_fault(raw, number):
            raise KeyListError(f"manifest {name!r}, line {number}: {fault}")
        if len(raw) > _MAX_KEY_BYTES:
            raise KeyListError(f"manifest {name!r}, line {number}: longer than {_MAX_KEY_BYTES} bytes, so not a key")
        try:
            key = raw.decode()
        except UnicodeDecodeError:
            raise KeyListError(f"manifest {name!r}, line {number}: not UTF-8") from None
        if key.strip():
            yield key


def _find_fault(line: bytes, number: int) -> str:
    """Return why the manifest is in another format, an empty string if nothing shows that."""
    if number == 1 and line.startswith(b"\x1f\x8b"):
        return "the object is gzip data; it must be plain text, one key per line"
    if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "the object is UTF-16 text; it must be UTF-8"
    if line.startswith(b"s3://"):
        return "an s3:// URL instead of a key; leave out s3:// and the bucket's name"
    if line.startswith(b'"') and line.endswith(b'"') and len(line) > 1:
        return "a quoted value as in CSV; the line must be the key alone, without quotes"
    if number == 1 and line[:1] in b"[{" and line.strip().endswith((b",", b"[", b"{", b"]", b"}")):
        return "looks like JSON; it must be plain text, one key per line"
    return ""


def _split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without their line feeds, and the start of a line that is far too long, for the caller to reject."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > 2 * _MAX_KEY_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest


def parse_key_list(raw: bytes) -> list[str]:
    """Return the keys of a list that the API stored for a job: a JSON array of strings."""
    keys: list[str] = json.loads(raw)
    return keys

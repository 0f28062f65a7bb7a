"""Lists of keys: the caller's manifest, and the request's own list as the API keeps it."""

import codecs
import json
from collections.abc import Iterable, Iterator

from zip_worker.exceptions import KeyListError

_MAX_KEY_BYTES = 1024


def parse_manifest(chunks: Iterable[bytes], name: str) -> Iterator[str]:
    """Yield a manifest's keys; ``name`` is for the error messages.

    Raises:
        KeyListError: not UTF-8, or a line is longer than a key can be.
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
    """Return what shows that a manifest is in another format, an empty text if nothing does."""
    if number == 1 and line.startswith(b"\x1f\x8b"):
        return "the object is gzip data; it has to be plain text, one key a line"
    if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "the object is UTF-16 text; it has to be UTF-8"
    if line.startswith(b"s3://"):
        return "an s3:// address instead of a key; leave out s3:// and the bucket's name"
    if line.startswith(b'"') and line.endswith(b'"') and len(line) > 1:
        return "a quoted value as in CSV; it has to be the key alone, without quotes"
    if number == 1 and line[:1] in b"[{" and line.strip().endswith((b",", b"[", b"{", b"]", b"}")):
        return "looks like JSON; it has to be plain text, one key a line"
    return ""


def _split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without their line feeds; one that is far too long is yielded in part, for the caller to refuse."""
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
    """Return the keys that the API stored for a job: a JSON array of strings."""
    keys: list[str] = json.loads(raw)
    return keys

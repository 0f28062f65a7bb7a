"""Wrapped statements as lines: the response of a learning record store, or a JSON array.

Stores export ``{"statements": […], "more": "…"}`` (xAPI 1.0.3, part three, section 2.1.3) or a bare array, often on
many lines. Each statement becomes one line. Other data passes unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

_BOM = b"\xef\xbb\xbf"
_SNIFF_BYTES = 64 * 1024
_TEXT = rb'"(?:[^"\\]|\\.)*"'
_MORE_PROPERTY = rb'(?:"more"\s*:\s*(?:null|' + _TEXT + rb")\s*,\s*)?"
_WRAPPED = re.compile(rb"\s*(\{\s*" + _MORE_PROPERTY + rb'"statements"\s*:\s*)?\[\s*(?=[{\]])', re.DOTALL)
_IN_TEXT = re.compile(rb'["\\\r\n]')
_IN_VALUE = re.compile(rb'["{}\[\]]')
_IN_LIST = re.compile(rb'["{}\[\],]')
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
_INVALID_LINE = b"\x01"
"""Makes a line invalid JSON."""


def unwrap_statements(contents: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a stream with each wrapped statement on one line; several responses or arrays may follow each other."""
    rest = iter(contents)
    ahead = _read_ahead(b"", rest).removeprefix(_BOM)
    while match := _WRAPPED.match(ahead):
        scanner = _Scanner(depth_of_end=1 if match.group(1) else 0)
        for data in chain([ahead[match.end() :]], rest):
            yield from scanner.feed(data)
            if scanner.is_done:
                break
        yield from scanner.finish()
        ahead = _read_ahead(scanner.rest.lstrip(), rest)
    yield ahead
    yield from rest


def _read_ahead(beginning: bytes, rest: Iterator[bytes]) -> bytes:
    for chunk in rest:
        beginning += chunk
        if len(beginning) >= _SNIFF_BYTES:
            break
    return beginning


@dataclass(slots=True)
class _Scanner:
    """Scans a list of values, from after its opening bracket to the end of the response or array."""

    depth_of_end: int
    """1 if the list is within an object, else 0."""
    is_done: bool = False
    rest: bytes = b""
    _depth: int = 0
    _in_text: bool = False
    _skips: int = 0
    _in_tail: bool = False
    _has_element: bool = False
    _is_broken: bool = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes of the list's elements in one chunk of the stream."""
        position, start = self._skips, 0
        self._skips = 0
        while position < len(data) and not self.is_done:
            match = self._pattern.search(data, position)
            if not match:
                break
            position = match.end()
            if self._in_text:
                position += self._read_in_text(match[0])
            elif self._depth or self._in_tail or match[0] in b'"{[':
                self._read_in_value(match[0])
            else:  # a comma, or the end of the list
                yield from self._end_element(data[start : match.start()])
                start = position
                if match[0] != b",":
                    self._in_tail, self._depth, self.is_done = True, self.depth_of_end, not self.depth_of_end
        self._skips = max(0, position - len(data))
        if self.is_done:
            self.rest = data[position:]
        elif not self._in_tail:
            yield from self._continue_element(data[start:])

    def finish(self) -> Iterator[bytes]:
        """Yield an invalid line if the stream ended before the list did."""
        if not self.is_done:
            yield _INVALID_LINE + b"\n"

    @property
    def _pattern(self) -> re.Pattern[bytes]:
        if self._in_text:
            return _IN_TEXT
        return _IN_VALUE if self._depth or self._in_tail else _IN_LIST

    def _read_in_text(self, sign: bytes) -> int:
        """Return the number of bytes after a sign that belong to it."""
        if sign == b"\\":
            return 1
        if sign == b'"':
            self._in_text = False
        else:
            self._is_broken = True  # a JSON text contains no raw line end
        return 0

    def _read_in_value(self, sign: bytes) -> None:
        if sign == b'"':
            self._in_text = True
        elif sign in b"{[":
            self._depth += 1
        else:
            self._depth -= 1
            self.is_done = self._in_tail and not self._depth

    def _continue_element(self, part: bytes) -> Iterator[bytes]:
        part = part if self._has_element else part.lstrip()
        if part:
            self._has_element = True
            yield part.translate(_LINE_ENDS)

    def _end_element(self, part: bytes) -> Iterator[bytes]:
        yield from self._continue_element(part)
        if self._has_element:
            yield _INVALID_LINE + b"\n" if self._is_broken else b"\n"
        self._has_element = self._is_broken = False

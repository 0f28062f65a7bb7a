"""Checksums whose state can be saved and resumed in another invocation, which hashlib does not support."""

from __future__ import annotations

import _hashlib
import ctypes
import hashlib
from base64 import b64decode, b64encode
from functools import cache
from typing import Any


class _Sha256(ctypes.Structure):
    """``SHA256_CTX`` of OpenSSL's <openssl/sha.h>, the same since version 0.9.8."""

    _fields_ = (
        ("h", ctypes.c_uint32 * 8),
        ("length", ctypes.c_uint32 * 2),
        ("data", ctypes.c_uint32 * 16),
        ("used", ctypes.c_uint),
        ("digest_size", ctypes.c_uint),
    )


class _Md5(ctypes.Structure):
    """``MD5_CTX`` of <openssl/md5.h>."""

    _fields_ = (
        ("h", ctypes.c_uint32 * 4),
        ("length", ctypes.c_uint32 * 2),
        ("data", ctypes.c_uint32 * 16),
        ("used", ctypes.c_uint),
    )


_CONTEXTS: dict[str, tuple[type[ctypes.Structure], str, int]] = {
    "sha256": (_Sha256, "SHA256", 32),
    "md5": (_Md5, "MD5", 16),
}


@cache
def _library() -> ctypes.CDLL | None:
    """Return the OpenSSL that Python's hashlib itself uses, None where its functions cannot be called by name."""
    try:
        library = ctypes.CDLL(_hashlib.__file__)
        for _, name, _ in _CONTEXTS.values():
            getattr(library, f"{name}_Init")
    except (OSError, AttributeError, TypeError):
        return None
    return library


class Digest:
    """A resumable checksum, ``sha256`` or ``md5``."""

    def __init__(self, name: str, state: str | None = None) -> None:
        """``state``: what :meth:`save` returned; None for no bytes.

        Raises:
            ValueError: it is something else.
        """
        kind, self._prefix, self._size = _CONTEXTS[name]
        self._library = _library()
        self._plain: Any = None if self._library else hashlib.new(name, usedforsecurity=False)
        self._context = kind()
        if state is not None:
            self._restore(b64decode(state, validate=True))
        elif self._library:
            self._call("Init", ctypes.byref(self._context))

    def _restore(self, raw: bytes) -> None:
        if self._plain or len(raw) != ctypes.sizeof(self._context):
            raise ValueError("not the state of a checksum")
        ctypes.memmove(ctypes.byref(self._context), raw, len(raw))

    def update(self, body: bytearray | bytes) -> None:
        """Add bytes; other threads run meanwhile."""
        if self._plain:
            self._plain.update(body)
        elif body:
            held = (ctypes.c_char * len(body)).from_buffer(body) if isinstance(body, bytearray) else body
            self._call("Update", ctypes.byref(self._context), held, ctypes.c_size_t(len(body)))

    def save(self) -> str | None:
        """Return the state so far, None if it is not available."""
        return None if self._plain else b64encode(bytes(self._context)).decode()

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far, in hexadecimal digits."""
        if self._plain:
            return str(self._plain.hexdigest())
        result = ctypes.create_string_buffer(self._size)
        copy = type(self._context).from_buffer_copy(self._context)  # the last step changes it
        self._call("Final", result, ctypes.byref(copy))
        return result.raw.hex()

    def _call(self, step: str, *arguments: object) -> None:
        if not getattr(self._library, f"{self._prefix}_{step}")(*arguments):
            raise RuntimeError(f"{self._prefix}_{step} failed")

"""Loader of the C library scan.c, which finds line ends and reads plain lines."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).with_name("scan.so")


@cache
def load_library() -> ctypes.CDLL:
    """Return the compiled scan.c, whose functions run without the GIL.

    Raises:
        OSError: the library is missing, or was built for another processor.
    """
    library = ctypes.CDLL(str(LIBRARY))
    library.scan_lines.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, *[ctypes.c_void_p] * 3]
    library.scan_lines.restype = None
    library.copy_texts.argtypes = [
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_uint32,
        *[ctypes.c_void_p] * 5,
    ]
    library.copy_texts.restype = None
    library.find_lines.argtypes = [ctypes.c_char_p, ctypes.c_uint64, *[ctypes.c_void_p] * 2]
    library.find_lines.restype = ctypes.c_uint64
    return library

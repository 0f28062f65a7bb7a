"""Process tuning: keep freed memory (mallopt) and shorten the switch interval of the global interpreter lock (GIL)."""

from __future__ import annotations

import ctypes
import sys

# Source: malloc.h of glibc.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1024 * 1024 * 1024
_LARGE_BYTES = 32 * 1024 * 1024
"""The maximum threshold that glibc up to 2.34 (Lambda's version) accepts."""
_SWITCH_SECONDS = 0.0005


def tune_process() -> None:
    """Apply both settings; repeated calls are harmless."""
    keep_freed_memory()
    # Arrow and the C library work without the GIL. A thread that returns from them waits for it, by default for 5 ms,
    # while another thread hashes; that is longer than the work that follows.
    sys.setswitchinterval(_SWITCH_SECONDS)


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory for reuse; return whether it supports that.

    By default it returns large allocations to the kernel at once, and the kernel clears new ones page by page. For
    blocks of lines this took up to a seventh of all processor time.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return all([set_option(_MMAP_THRESHOLD, _LARGE_BYTES), set_option(_TRIM_THRESHOLD, _KEPT_BYTES)])

"""What suits a process that turns lines into rows: of its memory, and of Python's lock."""

from __future__ import annotations

import ctypes
import sys

# Source: malloc.h of glibc.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1024 * 1024 * 1024
_LARGE_BYTES = 32 * 1024 * 1024
"""The most that glibc up to 2.34, which Lambda has, takes for what counts as large."""
_SWITCH_SECONDS = 0.0005


def tune_process() -> None:
    """Set both for good; costs nothing to repeat."""
    keep_freed_memory()
    # Most work is done without the lock, by Arrow and by C. Who comes back from there waits for it, by default for 5 ms
    # while another thread takes hashes, which is longer than what it has to do.
    sys.setswitchinterval(_SWITCH_SECONDS)


def keep_freed_memory() -> bool:
    """Have the C library keep what is freed for what comes next; tell whether it can.

    It gives large pieces back at once, and new ones are cleared by the kernel page by page: with blocks of lines
    coming and going that took up to a seventh of all processor time.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return all([set_option(_MMAP_THRESHOLD, _LARGE_BYTES), set_option(_TRIM_THRESHOLD, _KEPT_BYTES)])

"""The C library's memory options."""

import ctypes
import platform

import pytest

from xapi_etl.memory import keep_freed_memory


def test_options_are_taken_by_glibc() -> None:
    assert keep_freed_memory() is (platform.libc_ver()[0] == "glibc")


def test_another_c_library_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert keep_freed_memory() is False

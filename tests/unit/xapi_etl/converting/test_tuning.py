"""Process tuning: memory allocator and GIL switch interval."""

import ctypes
import platform
import sys

import pytest

from xapi_etl.converting.tuning import keep_freed_memory, tune_process


def test_glibc_accepts_the_options() -> None:
    assert keep_freed_memory() is (platform.libc_ver()[0] == "glibc")


def test_another_c_library_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert keep_freed_memory() is False


def test_switch_interval_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[float] = []
    monkeypatch.setattr(sys, "setswitchinterval", found.append)
    tune_process()
    assert found == [0.0005]

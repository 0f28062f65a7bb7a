"""The page size of Arrow's memory."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.own_process import count_in_own_process

SMAPS = Path("/proc/self/smaps_rollup")
PAGE = 4096


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which pages a process has")
def test_arrow_is_given_no_huge_pages() -> None:
    assert count_in_own_process(__name__, "count_huge_kib") == 0


def count_huge_kib() -> None:
    """Use some memory as the service would; prints how many KiB of all are in huge pages."""
    import_module("dataset_download")
    arrow = import_module("pyarrow")
    held = [arrow.allocate_buffer(4 << 20) for _ in range(16)]
    for each in held:
        memoryview(each).cast("B")[::PAGE] = bytes(each.size // PAGE)
    found = re.search(r"^AnonHugePages:\s+(\d+)", SMAPS.read_text(), re.MULTILINE)
    assert found is not None
    print(int(found[1]))

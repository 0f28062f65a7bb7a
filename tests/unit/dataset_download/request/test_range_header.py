"""The `Range` header."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from dataset_download.request.range_header import RequestedRange, UnsatisfiableRangeError, find_range, holds, is_range


def test_ranges_are_read_as_written() -> None:
    assert find_range("bytes=2-3", 10) == RequestedRange(2, 4)
    for asked in ("bytes=10-", "bytes=-0"):
        with pytest.raises(UnsatisfiableRangeError):
            find_range(asked, 10)
    with pytest.raises(UnsatisfiableRangeError):
        find_range("bytes=0-", 0)
    assert not is_range(None)
    written = datetime(2026, 5, 31, 12, tzinfo=UTC)
    assert holds(format_datetime(written, usegmt=True), "tag", written)

"""Results that are buffered in memory and on disk."""

from dataset_download.runtime.result_buffer import ResultBuffer, ResultCache
from tests.unit.dataset_download.conftest import ROWS

MIB = 1024 * 1024


def test_held_answers_are_kept_on_disk_and_forgotten_in_turn() -> None:
    results = ResultCache(max_entries=2, max_bytes=10 * MIB)
    for number in range(3):
        buffer = ResultBuffer()
        assert buffer.add_all([b"a" * MIB, bytes([number]) * 3 * MIB], 5 * MIB)
        results.put(str(number), buffer.finish(number))
    assert results.get("0") is None
    last = results.get("2")
    assert last is not None
    assert b"".join(last.read(MIB - 1, MIB + 2)) == b"a\x02\x02"
    assert not ResultBuffer().add_all([b"a" * 10], 9)
    assert ROWS

import pytest

from zip_worker.core import _choose_part_size
from zip_worker.exceptions import LimitExceededError
from zip_worker.schemas import Member, Source

MIB = 2**20
GIB = 2**30


def members(total: int, count: int = 10) -> list[Member]:
    return [Member(str(number), Source(str(number), total // count, "e", 0)) for number in range(count)]


@pytest.mark.parametrize("total", [0, GIB, 78 * GIB, 80 * GIB, 200 * GIB])
def test_parts_are_large_enough_for_ten_thousand_to_hold_the_archive(total: int) -> None:
    part_size = _choose_part_size(members(total), 8 * MIB)
    assert part_size * 10_000 >= total
    assert 8 * MIB <= part_size <= 24 * MIB, "several of them are in memory"


def test_archive_beyond_what_fits_into_memory_and_ten_thousand_parts_is_refused_before_it_is_begun() -> None:
    with pytest.raises(LimitExceededError, match="this worker's limit is 251658240000"):
        _choose_part_size(members(300 * GIB), 8 * MIB)

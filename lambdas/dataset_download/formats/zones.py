"""Time zone offsets of whole columns.

Arrow requires the system's time zone database, which Lambda does not guarantee; Python's zoneinfo also accepts the
tzdata package.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from dataset_download.exceptions import CorruptDatasetError

FIXED = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
SAME_AS_UTC = frozenset({"UTC", "Etc/UTC", "Z", "GMT", "Zulu", "Etc/GMT", "Etc/Zulu", "+00:00", "Universal"})
UTC_OFFSET = "+00:00"
STEP = timedelta(days=7)
"""No zone changes its offset and back within this time."""
FIRST_YEAR, LAST_YEAR = 1, 9998
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Offsets:
    """The UTC offsets of a column's times."""

    seconds: tuple[int, ...]
    """Offsets east of UTC, one per stretch of time, in whole minutes, since ISO 8601 has no finer ones."""
    texts: tuple[str, ...]
    """The offsets as text, such as +01:00."""
    indices: pa.Array | None = None
    """The index of each time's offset; None: there is only one."""


def find_offsets(name: str, seconds: pa.Array) -> Offsets:
    """Return the offset of each time, given in seconds since 1970 UTC.

    Raises:
        CorruptDatasetError: the zone is unknown.
    """
    zone = _find_zone(name)
    bounds = pc.min_max(seconds)
    if bounds["min"].as_py() is None:
        return Offsets((0,), (UTC_OFFSET,))
    first, last = _find_year(bounds["min"].as_py()), _find_year(bounds["max"].as_py())
    before = _measure(zone, datetime(first, 1, 1, tzinfo=UTC))
    changes = [change for year in range(first, last + 1) for change in _list_changes(name, year)]
    stretches = (before, *(offset for _, offset in changes))
    texts = tuple(map(_show, stretches))
    if len(set(stretches)) == 1:
        return Offsets(stretches[:1], texts[:1])
    starts = pa.array([moment for moment, _ in changes], pa.int64())
    return Offsets(stretches, texts, pc.search_sorted(starts, seconds, side="right"))


@cache
def _find_zone(name: str) -> tzinfo:
    fixed = FIXED.fullmatch(name)
    if fixed:
        sign, hours, minutes = fixed.groups()
        return timezone((-1 if sign == "-" else 1) * timedelta(hours=int(hours), minutes=int(minutes)))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CorruptDatasetError(f"a column is in the time zone {name!r}, which is not known") from error


def _find_year(seconds: int) -> int:
    """Return the year of a moment, clamped to the years that Python supports."""
    try:
        return min(LAST_YEAR, max(FIRST_YEAR, (EPOCH + timedelta(seconds=seconds)).year))
    except OverflowError:
        return FIRST_YEAR if seconds < 0 else LAST_YEAR


def _measure(zone: tzinfo, moment: datetime) -> int:
    """Return the offset in seconds at a moment, rounded down to whole minutes."""
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds()) // 60 * 60


@lru_cache(maxsize=4096)
def _list_changes(name: str, year: int) -> tuple[tuple[int, int], ...]:
    """Return the changes of offset in a year: pairs of first second and offset."""
    zone = _find_zone(name)
    changes = []
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    before = _measure(zone, start)
    while start < end:
        following = min(end, start + STEP)
        after = _measure(zone, following)
        if after != before:
            changes.append((_find_change(zone, start, following, before), after))
        start, before = following, after
    return tuple(changes)


def _find_change(zone: tzinfo, start: datetime, end: datetime, before: int) -> int:
    """Return the first second between two moments at which the offset differs."""
    low, high = (int((moment - EPOCH).total_seconds()) for moment in (start, end))
    while high - low > 1:
        middle = (low + high) // 2
        if _measure(zone, EPOCH + timedelta(seconds=middle)) == before:
            low = middle
        else:
            high = middle
    return high


def _show(offset: int) -> str:
    hours, minutes = divmod(abs(offset) // 60, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"

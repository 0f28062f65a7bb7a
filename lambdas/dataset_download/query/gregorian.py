"""ISO 8601 dates of the proleptic Gregorian calendar for any year (Python's end in 9999, Arrow's in 32767).

Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days and days_from_civil.
"""

import re

DATE_PATTERN = r"-?[0-9]{4,7}-[0-9]{2}-[0-9]{2}"
_DATE = re.compile(r"(-?[0-9]{4,7})-([0-9]{2})-([0-9]{2})")
_ERA_DAYS, _ERA_YEARS = 146_097, 400
_SHIFT = 719_468
"""Days from 0000-03-01, the start of the calendar's cycles, to 1970-01-01."""
_FEBRUARY = 2


def write_day(days: int) -> str:
    """Return the date a number of days after 1970-01-01; year 0 is 1 BC, and earlier years are negative."""
    era, day = divmod(days + _SHIFT, _ERA_DAYS)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    number = month + 3 if month < 10 else month - 9  # noqa: PLR2004 - March is the first month
    year += era * _ERA_YEARS + (number <= _FEBRUARY)
    sign = "-" if year < 0 else ""
    return f"{sign}{abs(year):04d}-{number:02d}-{day - (153 * month + 2) // 5 + 1:02d}"


def read_day(text: str) -> int | None:
    """Return the days from 1970-01-01 to a date such as 2024-05-31 or -0043-03-15; None for an invalid date."""
    match = _DATE.fullmatch(text)
    if not match or text.startswith("-0000"):
        return None
    year, month, day = map(int, match.groups())
    era, year_of_era = divmod(year - (month <= _FEBRUARY), _ERA_YEARS)
    day_of_year = (153 * (month - 3 if month > _FEBRUARY else month + 9) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    days = era * _ERA_DAYS + day_of_era - _SHIFT
    # An invalid day, such as 31 June, yields another date.
    return days if write_day(days) == _canonical(year, month, day) else None


def _canonical(year: int, month: int, day: int) -> str:
    return f"{'-' if year < 0 else ''}{abs(year):04d}-{month:02d}-{day:02d}"

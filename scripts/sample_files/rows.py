"""Rows of the sample tables: made once for 10,000 rows, then repeated under other row numbers."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from random import Random

ROW_BYTES = 128
BLOCK_ROWS = 10_000
BLOCK_BYTES = ROW_BYTES * BLOCK_ROWS
# A row's number has 12 digits: the last four are those of its place in the block, the rest the block's own number.
BLOCK_DIGITS = 8
_SHORTEST_REFERENCE = 8

_AREAS = (
    "Harbour East",
    "Old Mill",
    "Qasr al-Wadi",
    "São Bento",
    "Lindenhof",
    "Marina Gate",
    "Øvre Bakke",
    "Kurfürstendamm",
)
_FIRST_NAMES = ("Amina", "Béatrice", "Chen", "Dmitri", "Elif", "Farid", "Grace", "Håkon", "Ines", "José", "Kofi", "Lea")
_LAST_NAMES = ("Al-Harbi", "Brown", "Castro", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ito", "Jansen")
_COMPANIES = ("Alder Homes", "Blue Quay", "Crestline", "Dune Capital", "Elm & Oak", "Façade Works", "Granite Bay")
_STATES = ("active", "ended", "pending", "renewed")
_FIRST_DAY = date(2015, 1, 1)
_DAYS = 3_900

type Column = tuple[str, Callable[[Random], str]]


def _day(random: Random) -> str:
    return (_FIRST_DAY + timedelta(days=random.randrange(_DAYS))).isoformat()


def _amount(highest: int) -> Callable[[Random], str]:
    return lambda random: f"{random.randrange(100, highest * 100) / 100:.2f}"


def _number(highest: int) -> Callable[[Random], str]:
    return lambda random: str(random.randint(1, highest))


def _one_of(values: tuple[str, ...]) -> Callable[[Random], str]:
    return lambda random: random.choice(values)


def _person(random: Random) -> str:
    # Quoted, with the comma inside: what a reader that splits at commas gets wrong.
    return f'"{random.choice(_LAST_NAMES)}, {random.choice(_FIRST_NAMES)}"'


_TRANSACTIONS: tuple[Column, ...] = (
    ("booked_on", _day),
    ("area", _one_of(_AREAS)),
    ("buyer", _person),
    ("seller", _person),
    ("square_metres", _amount(900)),
    ("price", _amount(9_000_000)),
)
TABLES: dict[str, tuple[Column, ...]] = {
    "transactions": _TRANSACTIONS,
    "rent_contracts": (
        ("starts_on", _day),
        ("ends_on", _day),
        ("tenant", _person),
        ("area", _one_of(_AREAS)),
        ("yearly_rent", _amount(400_000)),
        ("state", _one_of(_STATES)),
    ),
    "projects": (
        ("approved_on", _day),
        ("developer", _one_of(_COMPANIES)),
        ("area", _one_of(_AREAS)),
        ("units", _number(900)),
        ("value", _amount(90_000_000)),
    ),
    "units": (
        ("project", _number(90_000)),
        ("floor", _number(80)),
        ("rooms", _number(7)),
        ("square_metres", _amount(600)),
        ("owner", _person),
    ),
    "developers": (
        ("registered_on", _day),
        ("name", _one_of(_COMPANIES)),
        ("contact", _person),
        ("projects", _number(200)),
    ),
    "buildings": (
        ("finished_on", _day),
        ("area", _one_of(_AREAS)),
        ("floors", _number(120)),
        ("height_metres", _amount(500)),
        ("state", _one_of(_STATES)),
    ),
}


def make_header(name: str) -> bytes:
    """Return a table's first line; an unknown table has the columns of `transactions`."""
    columns = TABLES.get(name, _TRANSACTIONS)
    return ",".join(["row", *(title for title, _ in columns), "reference"]).encode() + b"\n"


@lru_cache(maxsize=32)
def make_block(name: str, version: int) -> bytes:
    """Return the first 10,000 rows of a table, each of ROW_BYTES bytes (about 40 ms; kept)."""
    random = Random(f"{name}:{version}")  # noqa: S311 - sample data
    columns = TABLES.get(name, _TRANSACTIONS)
    rows = []
    for number in range(BLOCK_ROWS):
        fields = ",".join(make(random) for _, make in columns)
        row = f"{number:012},{fields},".encode()
        missing = ROW_BYTES - 1 - len(row)
        if missing < _SHORTEST_REFERENCE:
            raise ValueError(f"rows of {name} are too long: {row!r}")
        # The last field brings every row to the same length, so that the place of any row is known.
        rows.append(row + random.randbytes(missing // 2 + 1).hex()[:missing].encode())
    return b"\n".join(rows) + b"\n"


def number_block(block: bytes, number: int) -> bytearray:
    """Return a copy of the first block with the row numbers of block `number` (0 is the first)."""
    numbered = bytearray(block)
    for place, digit in enumerate(f"{number:0{BLOCK_DIGITS}}".encode()):
        numbered[place::ROW_BYTES] = bytes([digit]) * BLOCK_ROWS
    return numbered

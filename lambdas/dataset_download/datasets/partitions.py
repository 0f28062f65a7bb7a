"""Hive partitions: the columns encoded in the paths of a folder dataset."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote

import pyarrow as pa  # type: ignore[import-untyped]

NULL = "__HIVE_DEFAULT_PARTITION__"
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

PADDED_NUMBER = re.compile(r"-?[0-9]{1,38}")
"""An integer with leading zeros, such as 01, or with more digits than 64 bits can hold."""
NUMBER = pa.decimal128(38, 0)

type PartitionValue = str | int | date | None


@dataclass(frozen=True)
class PartitionColumn:
    """A column encoded in paths."""

    field: pa.Field
    values: Sequence[PartitionValue]
    """One for each file."""
    is_number: bool = False
    """Whether the values are text that is compared and sorted as numbers."""


def read_path(relative: str) -> dict[str, str | None]:
    """Return the keys and texts in a path below the dataset's folder, such as `year=2024/region=x/part-0.parquet`."""
    texts: dict[str, str | None] = {}
    for step in relative.split("/")[:-1]:
        key, equals, text = step.partition("=")
        if equals and key:
            texts[unquote(key)] = None if text == NULL else unquote(text)
    return texts


def type_column(name: str, texts: Sequence[str | None]) -> PartitionColumn:
    """Return the typed column of these texts: integers if all are integers, else dates if all are dates, else text.

    Integers with leading zeros are text that is compared as numbers.
    """
    given = [text for text in texts if text is not None]
    nullable = len(given) < len(texts)
    if given and all(WHOLE_NUMBER.fullmatch(text) for text in given):
        return PartitionColumn(
            pa.field(name, pa.int64(), nullable), [None if text is None else int(text) for text in texts]
        )
    dates = {text: _read_date(text) for text in given}
    if given and None not in dates.values():
        return PartitionColumn(
            pa.field(name, pa.date32(), nullable), [None if text is None else dates[text] for text in texts]
        )
    is_number = bool(given) and all(PADDED_NUMBER.fullmatch(text) for text in given)
    return PartitionColumn(pa.field(name, pa.string(), nullable), list(texts), is_number=is_number)


def _read_date(text: str) -> date | None:
    if not DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

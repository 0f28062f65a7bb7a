"""Rows into the table, each once.

An INSERT carries a token that depends on nothing but which lines it holds, so that ClickHouse drops it when it comes
again. Before it, ClickHouse is asked which of the lines are there already: what another invocation has inserted
together with other lines, under another token, or so long ago that its token is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from types import MappingProxyType

import numpy as np
from aws_lambda_powertools import Logger

from .clickhouse import OWN_SETTINGS, ClickHouse
from .exceptions import InsertError
from .mapping import Transform
from .parts import Part
from .settings import ClickHouseSettings, quote_name

_LOOK_SETTINGS = MappingProxyType({"wait_end_of_query": "1", "select_sequential_consistency": "1"})
_UNKNOWN_COLUMN = 47
_DAY_MS = 86_400_000
_MEMBERS_PER_LOOK = 100
_KEYS_PER_LOOK = 1000


@dataclass(slots=True)
class Inserter:
    """Inserts parts."""

    clickhouse: ClickHouse
    settings: ClickHouseSettings
    columns: tuple[str, ...]
    """Of the INSERT; empty for those of the data."""
    lineage: Mapping[Transform, str]
    """Names of the columns that say where a row comes from."""
    partition_column: str | None
    key_column: str | None
    compression: str
    logger: Logger
    can_look: bool = True

    def __post_init__(self) -> None:
        needed: set[Transform] = {"source_file", "source_etag", "source_line"}
        if self.settings.target is None or not needed <= self.lineage.keys():
            self._stop_looking("no table, or no source_file, source_etag and source_line to look for")

    def insert(self, part: Part) -> np.ndarray:
        """Insert what is missing of a part; return which of its rows that were.

        Raises:
            InsertError: the server has refused it, or its answer has not come.
            OutOfTimeError: it was too late to begin.
        """
        self.clickhouse.deadline.check()
        missing = self._find_missing(part) if self.can_look else np.ones(len(part), bool)
        if not missing.any():
            return missing
        if not missing.all():
            part = part.keep(missing, self.compression)
        settings = {**self.settings.settings, **OWN_SETTINGS, "insert_deduplication_token": part.token}
        self.clickhouse.insert(self._write_statement(), part.parquet, settings)
        return missing

    def _write_statement(self) -> str:
        if self.settings.insert_sql:
            statement = self.settings.insert_sql.strip().rstrip(";")
            is_complete = statement.upper().split()[-2:] == ["FORMAT", "PARQUET"]
            return statement if is_complete else f"{statement} FORMAT Parquet"
        columns = f" ({', '.join(map(quote_name, self.columns))})" if self.columns else ""
        return f"INSERT INTO {self.settings.target}{columns} FORMAT Parquet"

    def _find_missing(self, part: Part) -> np.ndarray:
        missing = np.ones(len(part), bool)
        members = list(part.members())
        places = {(source.file, source.etag): place for place, source in enumerate(part.sources)}
        for start in range(0, len(members), _MEMBERS_PER_LOOK):
            some = members[start : start + _MEMBERS_PER_LOOK]
            try:
                answer = self.clickhouse.query(self._write_look(part, some), _LOOK_SETTINGS)
            except InsertError as error:
                if error.code != _UNKNOWN_COLUMN:
                    raise
                self._stop_looking(str(error))
                return np.ones(len(part), bool)
            for line in answer.splitlines():
                file, etag, present = json.loads(line)
                numbers = np.array([int(number) for number in present], np.int64)
                missing &= ~((part.owners == places[file, etag]) & np.isin(part.lines, numbers))
        if missing.any() and not missing.all():
            missing &= ~self._find_replaced(part, missing)
        return missing

    def _find_replaced(self, part: Part, missing: np.ndarray) -> np.ndarray:
        """Return which of the missing rows of a part that has landed gave way to another row of the same statement.

        ClickHouse keeps one row for a key, already of those in one INSERT.
        """
        replaced = np.zeros(len(part), bool)
        key, line_hash = self.key_column, self.lineage.get("line_sha256")
        if key is None or line_hash is None:
            return replaced
        keys, hashes = part.read([key, line_hash])
        # A statement without an id is told from others by its line.
        for column, values in ((key, keys), (line_hash, [None if k else h for k, h in zip(keys, hashes, strict=True)])):
            wanted = [value for place in np.flatnonzero(missing).tolist() if (value := values[place])]
            present = self._find_present(column, wanted)
            replaced |= np.array([value in present for value in values])
        found: np.ndarray = replaced & missing
        return found

    def _find_present(self, column: str, values: Sequence[str]) -> set[str]:
        present: set[str] = set()
        name = quote_name(column)
        for some in batched(values, _KEYS_PER_LOOK, strict=False):
            wanted = ", ".join(map(quote_text, some))
            query = f"SELECT DISTINCT {name} FROM {self.settings.target} WHERE {name} IN ({wanted})"  # noqa: S608
            answer = self.clickhouse.query(f"{query} FORMAT JSONCompactEachRow", _LOOK_SETTINGS)
            present.update(json.loads(line)[0] for line in answer.splitlines())
        return present

    def _write_look(self, part: Part, members: list[tuple[int, np.ndarray]]) -> str:
        file, etag, line = (quote_name(self.lineage[what]) for what in ("source_file", "source_etag", "source_line"))
        wanted = [
            f"({file} = {quote_text(part.sources[position].file)}"
            f" AND {etag} = {quote_text(part.sources[position].etag)}"
            f" AND {line} BETWEEN {lines.min()} AND {lines.max()})"
            for position, lines in members
        ]
        where = f"({' OR '.join(wanted)})"
        if self.partition_column and part.times:
            # Parts of the table that hold other months are not looked at; a day more, whatever its time zone.
            first, last = part.times[0] - _DAY_MS, part.times[1] + _DAY_MS
            times = (f"fromUnixTimestamp64Milli(toInt64({number}), 'UTC')" for number in (first, last))
            where += f" AND {quote_name(self.partition_column)} BETWEEN {' AND '.join(times)}"
        return (
            f"SELECT toString({file}), toString({etag}), groupUniqArray(toUInt64({line}))"  # noqa: S608  # quoted
            f" FROM {self.settings.target} WHERE {where} GROUP BY 1, 2 FORMAT JSONCompactEachRow"
        )

    def _stop_looking(self, reason: str) -> None:
        self.can_look = False
        self.logger.warning("look_impossible", extra={"reason": reason})


def quote_text(text: str) -> str:
    """Return a text as a ClickHouse literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

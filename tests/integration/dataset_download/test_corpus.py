"""Every file of a folder of Parquet files, in every format, against pyarrow's and DuckDB's reading.

    CORPUS=folder .venv/bin/python -m pytest -m slow tests/integration/dataset_download/test_corpus.py

Without CORPUS it is a folder beside the checkout, if there is one.
"""

import csv
import html.parser
import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
import requests

from dataset_download.exceptions import DatasetError, QueryError
from dataset_download.pages.overview import ColumnStatistics, describe_columns
from tests.integration.dataset_download.readings import Number, is_same, is_same_text, parse, read
from tests.integration.dataset_download.servers import Cloud, Server, run_server
from tests.support.emulator import ROOT
from tests.unit.dataset_download.memory_s3 import MemoryS3

CORPUS = Path(os.environ.get("CORPUS") or ROOT.parent / "shared" / "corpus" / "parquet")
FORMATS = ("csv", "json", "jsonl", "parquet", "page")
OUTCOMES = ("equal", "refused", "uncompared", "different")
"""`uncompared`: answered, though pyarrow cannot read all of the file at once."""
COMPARED_ROWS = 500
REFUSED = frozenset({400, 404, 413, 502})
PLACEHOLDERS = (b"out of range", b"tout of", b"Tout of")
SECONDS = 120


@dataclass
class Source:
    """A file as others read it."""

    path: Path
    table: pa.Table | None = None
    error: str = ""
    columns: list[list[Any]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The columns."""
        return self.table.schema.names if self.table is not None else []

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.table.num_rows if self.table is not None else 0


def read_source(path: Path) -> Source:
    """Read a file with pyarrow."""
    try:
        file = pq.ParquetFile(path, arrow_extensions_enabled=True)
        table = file.read(use_threads=False)
        if table.schema.names != file.schema_arrow.names:  # it leaves out structures without fields
            table = pq.read_table(path)
        first = table.slice(0, COMPARED_ROWS)
        return Source(path, table, "", [[read(scalar) for scalar in column] for column in first.columns])
    except (pa.ArrowException, OSError, ValueError) as error:
        return Source(path, error=str(error)[:100])


def compare_rows(source: Source, rows: list[Any]) -> str:
    """Return the first difference of an answer's rows, each a list of pairs; empty if there is none."""
    if len(rows) != source.rows:
        return f"{len(rows)} rows instead of {source.rows}"
    for number, row in enumerate(rows[:COMPARED_ROWS]):
        if [name for name, _ in row] != source.names:
            return f"row {number} has the columns {[name for name, _ in row]}"
        for column, (name, value) in zip(source.columns, row, strict=True):
            if not is_same(column[number], value):
                return f"row {number}, {name}: {str(column[number])[:80]} became {str(value)[:80]}"
    return ""


def compare_csv(source: Source, body: bytes) -> str:
    """Return the first difference of a CSV file."""
    csv.field_size_limit(1 << 30)
    lines = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    if lines[0] != source.names:
        return f"the header is {lines[0]}"
    if len(lines) - 1 != source.rows:
        return f"{len(lines) - 1} rows instead of {source.rows}"
    for number, line in enumerate(lines[1 : COMPARED_ROWS + 1]):
        for column, name, cell in zip(source.columns, source.names, line, strict=True):
            if not is_same_text(column[number], cell):
                return f"row {number}, {name}: {str(column[number])[:80]} became {cell[:80]!r}"
    return ""


def compare_parquet(source: Source, body: bytes, folder: Path) -> str:
    """Return the first difference of a Parquet file, as pyarrow and DuckDB read it."""
    assert source.table is not None
    answer = pq.ParquetFile(pa.BufferReader(body), arrow_extensions_enabled=True)
    table = answer.read(use_threads=False)
    types = [(one.name, one.type) for one in source.table.schema]
    if [(one.name, one.type) for one in table.schema] != types:
        return f"the columns are {table.schema.to_string(show_field_metadata=False)[:200]}"
    for name, one, other in zip(source.names, source.table.columns, table.columns, strict=True):
        if not one.equals(other):
            values = [[read(scalar) for scalar in column.slice(0, COMPARED_ROWS)] for column in (one, other)]
            if repr(values[0]) != repr(values[1]) or len(one) != len(other):
                return f"the values of {name} differ"
    lost = compare_annotations(pq.ParquetFile(source.path), answer)
    return lost or compare_by_duckdb(source.path, body, folder)


def compare_annotations(source: pq.ParquetFile, answer: pq.ParquetFile) -> str:
    """Return a logical type or an entry of the metadata that was lost."""
    entries = set(source.metadata.metadata or {}) - set(answer.metadata.metadata or {}) - {b"ARROW:schema"}
    if entries:
        return f"lost of the metadata: {entries}"
    leaves = [[file.schema.column(leaf) for leaf in range(len(file.schema.names))] for file in (source, answer)]
    for one, other in zip(*leaves, strict=False):
        kinds = [leaf.logical_type.type for leaf in (one, other)]
        if kinds[0] != kinds[1] and kinds[0] not in {"NONE", "INT"} and one.physical_type == other.physical_type:
            return f"{one.path} was {one.logical_type} and is {other.logical_type}"
    return ""


def compare_by_duckdb(source: Path, body: bytes, folder: Path) -> str:
    """Return whether DuckDB finds other rows; what it does not read in the source it need not read in the answer."""
    path = folder / "answer.parquet"
    path.write_bytes(body)
    found = []
    for file in (source, path):
        name = str(file).replace("'", "''")
        try:
            with duckdb.connect() as connection:
                query = f"select count(*), bit_xor(hash(t)) from (select * from read_parquet('{name}')) t"
                types = [row[1] for row in connection.execute(f"describe from read_parquet('{name}')").fetchall()]
                found.append((types, connection.execute(query).fetchall()))
        except duckdb.Error as error:
            if file == path:
                return f"DuckDB: {error}"[:200]
            return ""
    # DuckDB takes INT96 for another type than what it becomes, and some types of its own for others.
    return "" if found[0][0] != found[1][0] or found[0][1] == found[1][1] else "DuckDB finds other rows"


class PageReader(html.parser.HTMLParser):
    """Collects the rows of a page's tables, a list of texts each."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._is_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")
            self._is_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._is_cell = False

    def handle_data(self, data: str) -> None:
        if self._is_cell:
            self.rows[-1][-1] += data


def compare_page(source: Source, body: bytes) -> str:
    """Return whether a page shows other columns, or other values in its first row."""
    reader = PageReader()
    reader.feed(body.decode())
    # A wide table is shown in part.
    heads = [number for number, row in enumerate(reader.rows) if row and row == source.names[: len(row)]]
    if not heads or not source.rows:
        return "" if not source.rows or not source.names else "the page has no table of rows"
    cells = reader.rows[heads[0] + 1]
    for name, column, cell in zip(source.names, source.columns, cells, strict=False):
        expected = column[0]
        if isinstance(expected, str) and not cell.endswith("…") and cell != expected:
            return f"{name}: {expected[:80]!r} is shown as {cell[:80]!r}"
        if isinstance(expected, Number) and not is_same_text(expected, cell):
            return f"{name}: {expected} is shown as {cell!r}"
    return ""


@dataclass
class Checker:
    """Asks the service for a file in every format."""

    cloud: Cloud
    server: Server
    folder: Path
    client: requests.Session = field(default_factory=requests.Session)

    def check(self, source: Source) -> Iterator[tuple[str, str, str]]:
        """Yield each format with its outcome, and what it is about."""
        key = f"corpus/{source.path.name}"
        self.cloud.s3.put_object(Bucket="data", Key="corpus-file.parquet", Body=source.path.read_bytes())
        try:
            for format_ in FORMATS:
                outcome, reason = self._check_format(source, format_)
                yield format_, outcome, f"{key}: {reason}"
        finally:
            self.cloud.s3.delete_object(Bucket="data", Key="corpus-file.parquet")

    def _check_format(self, source: Source, format_: str) -> tuple[str, str]:
        target = {"page": "/corpus-file", "parquet": "/corpus-file.parquet?limit=1000000000"}
        url = self.server.url + target.get(format_, f"/corpus-file.{format_}")
        try:
            answer = self.client.get(
                url, timeout=SECONDS, allow_redirects=False, headers={"Accept-Encoding": "identity"}
            )
            body = answer.content
        except requests.RequestException as error:
            # A broken connection is a failure in mid-stream; a dead server is something else.
            with suppress(requests.RequestException):
                self.client.get(f"{self.server.url}/healthz", timeout=SECONDS)
                return "different", f"broken: {error}"
            pytest.fail(f"the server died of {source.path}: {error}")
        if answer.status_code != 200:
            is_clear = answer.status_code in REFUSED and b"could not be handled" not in body
            return ("refused" if is_clear else "different"), f"{answer.status_code} {body[:300]!r}"
        if source.table is None and "not implemented" in source.error:
            return "uncompared", source.error
        if source.table is None:
            return "different", f"is answered, though pyarrow does not read it: {source.error}"
        if any(each in body for each in PLACEHOLDERS):
            return "different", "has a placeholder"
        difference = self._compare(source, format_, body)
        return ("different", difference) if difference else ("equal", "")

    def _compare(self, source: Source, format_: str, body: bytes) -> str:
        if format_ == "csv":
            return compare_csv(source, body)
        if format_ == "parquet":
            return compare_parquet(source, body, self.folder)
        if format_ == "page":
            return compare_page(source, body)
        if format_ == "json":
            return compare_rows(source, parse(body.decode()))
        return compare_rows(source, [parse(line) for line in body.decode().split("\n")[:-1]])


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus: CORPUS=folder")
def test_every_file_of_the_corpus_in_every_format(
    cloud: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts: dict[str, Counter[str]] = {format_: Counter() for format_ in FORMATS}
    differences: list[str] = []
    refusals: list[str] = []
    files = sorted(CORPUS.rglob("*.parquet"))
    with run_server(cloud.url, STREAM_LIMIT_MB="64", EXPORTS="false") as server:
        checker = Checker(cloud, server, tmp_path)
        for path in files:
            source = read_source(path)
            for format_, outcome, reason in checker.check(source):
                counts[format_][outcome] += 1
                if outcome == "different":
                    differences.append(f"{format_} {reason}")
                if outcome == "refused" and source.table is not None:
                    refusals.append(f"{format_} {reason}")
    with capsys.disabled():
        print(f"\n{len(files)} files of {CORPUS}")
        print(f"{'format':10}", *(f"{outcome:>12}" for outcome in OUTCOMES))
        for format_, outcomes in counts.items():
            print(f"{format_:10}", *(f"{outcomes[outcome]:12}" for outcome in OUTCOMES))
        print("Refused, though pyarrow reads them:", *refusals, sep="\n  ")
    assert files
    assert not differences, "\n".join(differences)


LARGEST_FILE = 300_000
MOST_ROWS = 20_000
MOST_COLUMNS = 40


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus: CORPUS=folder")
def test_filters_find_in_every_file_what_a_scan_finds() -> None:
    """Whatever the statistics of a file say, a filter finds the rows that have the value."""
    differences: list[str] = []
    asked = 0
    for path in sorted(CORPUS.rglob("*.parquet")):
        if path.stat().st_size > LARGEST_FILE:
            continue
        store = MemoryS3()
        store.objects["data.parquet"] = path.read_bytes()
        try:
            columns = describe_columns(store.open())
            rows = [json.loads(line, parse_float=str, parse_int=str) for line in read_lines(store, [])]
        except DatasetError:
            continue
        if len(rows) > MOST_ROWS:
            continue
        for column in columns[:MOST_COLUMNS]:
            for pairs, expected in list_questions(column, [show(row[column.name]) for row in rows]):
                asked += 1
                try:
                    found = len(read_lines(store, [*pairs, ("select", f'"{column.name.replace('"', '""')}"')]))
                except QueryError as error:
                    # Decimals of more digits than their type has.
                    if "digits" not in str(error):
                        raise
                    continue
                if found != expected:
                    differences.append(f"{path.name} {pairs}: {found} rows instead of {expected}")
    assert asked
    assert not differences, "\n".join(differences)


def show(value: Any) -> str | None:
    """Return a value of JSON, its numbers as they are written, as a query string has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None or isinstance(value, str) else json.dumps(value)


def read_lines(store: MemoryS3, pairs: list[tuple[str, str]]) -> list[bytes]:
    """Return the rows that a query finds."""
    return [line for line in store.download("jsonl", pairs).split(b"\n") if line]


def list_questions(column: ColumnStatistics, values: list[str | None]) -> Iterator[tuple[list[tuple[str, str]], int]]:
    """Yield filters of a column with the number of rows that they have to find."""
    # NaN is a null in JSON, but not to a filter; and 0 is -0.
    if column.type == "number":
        return
    given = [value for value in values if value is not None]
    yield [(f"{column.name}__isnull", "true")], len(values) - len(given)
    yield [(f"{column.name}__isnull", "false")], len(given)
    distinct = list(dict.fromkeys(given))
    for value in {*distinct[:2], *distinct[-2:]} if column.filterable else ():
        same = given.count(value)
        yield [(f"{column.name}__eq", value)], same
        yield [(f"{column.name}__ne", value)], len(given) - same
        if column.sortable:
            yield [(f"{column.name}__gte", value), (f"{column.name}__lte", value)], same

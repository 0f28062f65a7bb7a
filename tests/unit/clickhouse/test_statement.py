"""The boundary between an INSERT and its data."""

import pytest

from clickhouse.errors import ClickHouseError
from clickhouse.statement import Insert, OtherStatement, parse, select_from_file, selects_from_input


@pytest.mark.parametrize(
    ("query", "target", "settings", "name", "data"),
    [
        (b"INSERT INTO t FORMAT Parquet", b"INSERT INTO t", b"", "Parquet", b""),
        (b"insert into d.t (a, `b c`) format CSV\n1,2\n", b"insert into d.t (a, `b c`)", b"", "CSV", b"1,2\n"),
        (b"INSERT INTO t FORMAT Native\r\n\x00\xff\n", b"INSERT INTO t", b"", "Native", b"\x00\xff\n"),
        (b"INSERT INTO t FORMAT TSV \t\n 1\n", b"INSERT INTO t", b"", "TSV", b" 1\n"),
        (b"INSERT INTO t VALUES (1), (')')", b"INSERT INTO t", b"", "Values", b"(1), (')')"),
        (b"INSERT INTO t FORMAT Values (1)", b"INSERT INTO t", b"", "Values", b"(1)"),
        (b"INSERT INTO t (a)", b"INSERT INTO t (a)", b"", "Values", b""),
        (
            b"INSERT INTO t SETTINGS x = 1, y = 'FORMAT CSV' FORMAT CSV",
            b"INSERT INTO t",
            b"SETTINGS x = 1, y = 'FORMAT CSV'",
            "CSV",
            b"",
        ),
        (
            b"/* a; FORMAT b */ -- SELECT\nINSERT INTO t FORMAT CSV",
            b"/* a; FORMAT b */ -- SELECT\nINSERT INTO t",
            b"",
            "CSV",
            b"",
        ),
        (b"INSERT INTO `FORMAT` FORMAT CSV", b"INSERT INTO `FORMAT`", b"", "CSV", b""),
        (b"INSERT INTO TABLE format FORMAT CSV", b"INSERT INTO TABLE format", b"", "CSV", b""),
        (b"INSERT INTO values.format VALUES (1)", b"INSERT INTO values.format", b"", "Values", b"(1)"),
        (
            b"INSERT INTO FUNCTION file('a', 'CSV') FORMAT CSV",
            b"INSERT INTO FUNCTION file('a', 'CSV')",
            b"",
            "CSV",
            b"",
        ),
        (
            b"INSERT INTO t (format, `values`) VALUES (1, 2)",
            b"INSERT INTO t (format, `values`)",
            b"",
            "Values",
            b"(1, 2)",
        ),
    ],
)
def test_insert_is_parsed(query: bytes, target: bytes, settings: bytes, name: str, data: bytes) -> None:
    assert parse(query) == Insert(target, settings, name, data)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (b"SELECT 1", ""),
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 'FORMAT CSV' -- FORMAT TSV\n", ""),
        (b"SELECT 1 FORMAT JSONEachRow;\n", "JSONEachRow"),
        (b"SELECT format('{}', 1)", ""),
        (b"SELECT ';'; ;", ""),
        (b"INSERT INTO t SELECT * FROM u", ""),
        (b"INSERT INTO t (a) WITH x AS (SELECT 1) SELECT * FROM x", ""),
        (b"INSERT INTO t FROM INFILE 'a' FORMAT CSV", "CSV"),
        (b"SELECT 1 SETTINGS max_threads = 1 FORMAT Parquet", "Parquet"),
        (b"", ""),
    ],
)
def test_other_statement_has_only_a_format(query: bytes, name: str) -> None:
    assert parse(query) == OtherStatement(name)


@pytest.mark.parametrize("query", [b"SELECT 1; SELECT 2", b"SELECT ';' ; DROP TABLE t;", b"SELECT 1 FORMAT CSV; x"])
def test_several_statements_are_rejected(query: bytes) -> None:
    with pytest.raises(ClickHouseError, match="Multi-statements") as caught:
        parse(query)
    assert (caught.value.code, caught.value.status) == (62, 400)


def test_insert_that_selects_from_its_data_takes_it() -> None:
    query = b"INSERT INTO t SELECT a + 1 FROM (SELECT * FROM input('a UInt8')) SETTINGS b = 1"
    statement = parse(query + b" FORMAT CSV\n1\n")
    assert statement == Insert(query, b"", "CSV", b"1\n")
    expected = query.replace(b"input('a UInt8')", b"file('/f', 'CSV', 'a UInt8', 'none')")
    assert select_from_file(query, "/f", "CSV", "none") == expected
    assert select_from_file(b"FROM input()", "/f", "CSV", "gzip") == b"FROM file('/f', 'CSV', 'auto', 'gzip')"


def test_insert_that_selects_from_its_data_is_recognised() -> None:
    assert selects_from_input(b"INSERT INTO t SELECT a FROM input ('a UInt8') FORMAT CSV")
    assert not selects_from_input(b"INSERT INTO t SELECT input FROM my_input")

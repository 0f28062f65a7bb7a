"""The schema's statements, without a server."""

import pytest

from clickhouse.apply import SchemaError, main, read_statements


def test_schema_gets_the_names_of_database_and_table() -> None:
    database, table, columns, ledger = read_statements("lake", "events")
    assert database == "CREATE DATABASE IF NOT EXISTS lake"
    assert table.startswith("CREATE TABLE IF NOT EXISTS lake.events\n(")
    assert columns.startswith("ALTER TABLE lake.events\n")
    assert ledger.startswith("CREATE TABLE IF NOT EXISTS lake.events_inserts\n(")
    assert all("{" not in statement for statement in (database, table, columns, ledger))


def test_name_that_would_change_the_statement_is_rejected() -> None:
    with pytest.raises(SchemaError, match="not a valid name of a database"):
        read_statements("xapi", "t; DROP TABLE u")


@pytest.mark.parametrize("url", ["", "localhost:8123", "clickhouse://x"])
def test_invalid_url_is_reported(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main({"CLICKHOUSE_URL": url}) == 1
    assert "expected http://host:port" in capsys.readouterr().err


def test_server_that_does_not_respond_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main({"CLICKHOUSE_URL": "http://127.0.0.1:1"}) == 1
    assert "does not respond" in capsys.readouterr().err

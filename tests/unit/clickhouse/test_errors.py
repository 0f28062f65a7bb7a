"""Errors of the engine and of the interface, with codes, texts and HTTP statuses."""

import pytest

from clickhouse.errors import make_error, read_error


@pytest.mark.parametrize(
    ("message", "code", "status"),
    [
        ("Code: 47. DB::Exception: Unknown. (UNKNOWN_IDENTIFIER)", 47, 404),
        ("Code: 27. DB::Exception: Cannot (X) parse. (CANNOT_PARSE_INPUT_ASSERTION_FAILED) (version 1.2)", 27, 400),
        ("Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)", 252, 500),
        ("Code: 159. DB::Exception: Slow. (TIMEOUT_EXCEEDED)", 159, 408),
        ("std::bad_alloc", 1002, 500),
    ],
)
def test_error_of_the_engine_is_mapped(message: str, code: int, status: int) -> None:
    error = read_error(message)
    assert (error.code, error.status) == (code, status)
    assert str(error).startswith(f"Code: {code}. DB::Exception: ")


def test_error_about_data_does_not_name_the_spool_file() -> None:
    error = read_error(
        "Code: 117. DB::Exception: Code: 117. DB::Exception: Too short: (in file/uri /d/spool/1f): While executing "
        "ParquetV3BlockInputFormat: While executing File: data for INSERT was parsed from file. (INCORRECT_DATA) "
        "(version 26.9.2.1). (INCORRECT_DATA)"
    )
    kept = "Too short: While executing ParquetV3BlockInputFormat. (INCORRECT_DATA) (version 26.9.2.1)"
    assert str(error) == f"Code: 117. DB::Exception: {kept}"


def test_own_error_has_the_engines_format() -> None:
    assert str(make_error(62, "SYNTAX_ERROR", "Empty query")) == "Code: 62. DB::Exception: Empty query (SYNTAX_ERROR)"

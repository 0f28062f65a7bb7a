"""Errors with ClickHouse's codes, texts and HTTP statuses."""

import re
from http import HTTPStatus

_CODE = re.compile(r"Code: (\d+)")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)")
# The engine's hints about the spool file, which mean nothing to a client: it did not send a file.
_WRAPPING = re.compile(
    r"(Code: \d+\. DB::Exception: )(?=Code: )|: \(in file/uri [^)]*\)|: While executing File: data for INSERT[^.(]*"
    r"(?: \(in file/uri [^)]*\))?"
)
_TWICE = re.compile(r"(\(version [^)]*\))\. \([A-Z0-9_]+\)$")
_UNKNOWN_CODE = 1002

_STATUSES: dict[HTTPStatus, str] = {
    HTTPStatus.UNAUTHORIZED: "REQUIRED_PASSWORD",
    HTTPStatus.FORBIDDEN: "UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE ACCESS_DENIED",
    HTTPStatus.BAD_REQUEST: "BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE "
    "CANNOT_PARSE_QUOTED_STRING CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER "
    "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6 CANNOT_PARSE_UUID "
    "CANNOT_PARSE_INPUT_ASSERTION_FAILED DUPLICATE_COLUMN ILLEGAL_COLUMN THERE_IS_NO_COLUMN UNKNOWN_ELEMENT_IN_AST "
    "UNKNOWN_TYPE_OF_AST_NODE TOO_DEEP_AST TOO_BIG_AST UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA "
    "TYPE_MISMATCH VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    HTTPStatus.NOT_FOUND: "UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE "
    "UNKNOWN_DATABASE UNKNOWN_SETTING UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_FORMAT "
    "UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY UNKNOWN_ROLE",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "QUERY_IS_TOO_LARGE",
    HTTPStatus.NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    HTTPStatus.SERVICE_UNAVAILABLE: "SOCKET_TIMEOUT CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK",
    HTTPStatus.REQUEST_TIMEOUT: "TIMEOUT_EXCEEDED",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
}
# Source: src/Server/HTTP/exceptionCodeToHTTPStatus.cpp of ClickHouse; all others are 500.
_STATUS_OF_NAME = {name: status for status, names in _STATUSES.items() for name in names.split()}


class ClickHouseError(Exception):
    """A rejected or failed query.

    `code` is ClickHouse's error number, `name` its symbol, `status` the matching HTTP status.
    """

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.name = name
        self.status = _STATUS_OF_NAME.get(name, HTTPStatus.INTERNAL_SERVER_ERROR)


def make_error(code: int, name: str, reason: str) -> ClickHouseError:
    """Return an error of the HTTP interface, in the format of ClickHouse's own errors."""
    return ClickHouseError(code, name, f"Code: {code}. DB::Exception: {reason} ({name})")


def read_error(message: str) -> ClickHouseError:
    """Return the error that an engine's message describes."""
    message = _TWICE.sub(r"\1", _WRAPPING.sub("", message))
    code = _CODE.search(message)
    names = _NAME.findall(message)
    if code is None:
        return make_error(_UNKNOWN_CODE, "UNKNOWN_EXCEPTION", message)
    return ClickHouseError(int(code[1]), names[-1] if names else "", message[code.start() :])

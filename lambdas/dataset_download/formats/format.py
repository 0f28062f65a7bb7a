"""The output formats."""

from enum import StrEnum


class Format(StrEnum):
    """An output format, named by its file extension."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """The Content-Type."""
        return MEDIA_TYPES[self]

    @property
    def is_text(self) -> bool:
        """Whether the format is text and worth compressing."""
        return self is not Format.PARQUET


MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.JSON: "application/json",
    Format.JSONL: "application/jsonl",
    Format.PARQUET: "application/vnd.apache.parquet",
}

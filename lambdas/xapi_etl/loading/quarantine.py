"""The quarantine: an S3 object with the rejected lines of an input object."""

from __future__ import annotations

import base64
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from xapi_etl.exceptions import SourceError
from xapi_etl.schemas import BadLine, ObjectName, Source
from xapi_etl.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SPOOL_MEMORY_BYTES = 4 * 1024 * 1024
_MAX_LINES = 100_000
_MAX_BYTES = 128 * 1024 * 1024
MAX_REPORTED_LINES = 20
"""Maximum bad lines that a failure's reason lists."""
_EXISTS_CODES = {"PreconditionFailed", "412"}


class BadLines:
    """The bad lines of one object, spooled to disk above 4 MiB. The caller closes it."""

    def __init__(self, *, is_kept: bool, is_limited: bool) -> None:
        self.count = 0
        self.first: list[BadLine] = []
        """The first bad lines, without their texts."""
        self.codes: Counter[str] = Counter()
        self._is_kept = is_kept
        self._is_limited = is_limited
        self._size = 0
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL_MEMORY_BYTES)  # noqa: SIM115  # closed by close()

    def add(self, source: Source, lines: Sequence[BadLine]) -> None:
        """Add lines.

        Raises:
            SourceError: there are more lines than a quarantine object may hold.
        """
        for line in lines:
            if self.count < MAX_REPORTED_LINES:
                self.first.append(BadLine(line.number, line.code, line.reason, b"", line.size))
            self.count += 1
            self.codes[line.code] += 1
            if self._is_limited and self.count > _MAX_LINES:
                raise self._make_error()
            if self._is_kept:
                self._keep(source, line)

    def _make_error(self) -> SourceError:
        reason = f"more bad lines than a quarantine object may hold ({_MAX_LINES} lines, {_MAX_BYTES} bytes)"
        return SourceError(f"{reason}; {self.describe()}", "too_many_bad_lines", is_final=True)

    def _keep(self, source: Source, line: BadLine) -> None:
        record = {
            "source_file": source.file,
            "source_etag": source.etag,
            "source_version": source.version_id,
            "source_line": line.number,
            "reason_code": line.code,
            "reason": line.reason,
            **_write_text(line.text),
        }
        if line.size > len(line.text):
            record |= {"line_bytes": line.size, "is_cut": True}
        data = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        self._size += len(data)
        if self._size > _MAX_BYTES:
            raise self._make_error()
        try:
            self._file.write(data)
        except OSError as error:
            raise SourceError(f"the bad lines do not fit into the temporary folder: {error.strerror}") from error

    def describe(self) -> str:
        """Return the reasons of the first bad lines, with line numbers, and the number of others."""
        named = "; ".join(f"line {line.number} rejected: {line.reason}" for line in self.first)
        more = self.count - len(self.first)
        return named + (f"; and {more} more" if more else "")

    def store(self, s3: S3Client, settings: Settings, name: ObjectName, source: Source) -> str:
        """Write the lines to the quarantine as one object for one version of the input object; return its URL.

        Its key derives from the input object's. Lines of another version that are already there are kept.

        Raises:
            SourceError: S3 rejects the object, or it would be read as input.
        """
        bucket = settings.quarantine_bucket or name.bucket
        key = make_key(settings, name)
        try:
            if not self._put(s3, bucket, key, source, is_new=True):
                if not _belongs_to(s3, bucket, key, source):
                    key = f"{key.removesuffix('.jsonl')}.{source.version_id or source.etag}.jsonl"
                self._put(s3, bucket, key, source, is_new=False)
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            raise SourceError(f"the quarantine could not be written: {code}", "no_quarantine") from error
        return f"s3://{bucket}/{key}"

    def _put(self, s3: S3Client, bucket: str, key: str, source: Source, *, is_new: bool) -> bool:
        """Write the lines; return False if ``is_new`` and the object already exists."""
        self._file.seek(0)
        condition: Any = {"IfNoneMatch": "*"} if is_new else {}
        try:
            s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=self._file,
                ContentType="application/x-ndjson",
                Metadata=_describe_source(source),
                **condition,
            )
        except ClientError as error:
            if is_new and error.response["Error"]["Code"] in _EXISTS_CODES:
                return False
            raise
        return True

    def close(self) -> None:
        """Delete the spooled lines."""
        self._file.close()


def make_key(settings: Settings, name: ObjectName) -> str:
    """Return the quarantine key of an object's bad lines.

    Raises:
        SourceError: the key would be read as input.
    """
    bucket = settings.quarantine_bucket or name.bucket
    if bucket == name.bucket and name.key.startswith(settings.quarantine_prefix):
        reason = "the object is in the quarantine: QUARANTINE_PREFIX must be outside the notified prefix"
        raise SourceError(reason, "in_quarantine", is_final=True)
    return f"{settings.quarantine_prefix}{name.key}.jsonl"


def _belongs_to(s3: S3Client, bucket: str, key: str, source: Source) -> bool:
    """Return whether an object holds the bad lines of this version."""
    return s3.head_object(Bucket=bucket, Key=key)["Metadata"] == _describe_source(source)


def _describe_source(source: Source) -> dict[str, str]:
    return {"source-etag": source.etag, **({"source-version": source.version_id} if source.version_id else {})}


def _write_text(text: bytes) -> dict[str, str]:
    try:
        return {"line": text.decode()}
    except UnicodeDecodeError:
        return {"line_base64": base64.b64encode(text).decode()}

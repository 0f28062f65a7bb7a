"""Where lines go that are no rows."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .exceptions import SourceError
from .schemas import BadLine, ObjectName, Source
from .settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MEMORY = 4 * 1024 * 1024


class BadLines:
    """The bad lines of one object, on disk once they are many; to be closed."""

    def __init__(self) -> None:
        self.count = 0
        self.first: BadLine | None = None
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115  # closed by close()

    def add(self, source: Source, lines: Sequence[BadLine]) -> None:
        """Take lines in."""
        for line in lines:
            self.first = self.first or line
            self.count += 1
            record = {
                "source_file": source.file,
                "source_etag": source.etag,
                "source_line": line.number,
                "reason": line.reason,
                **_write_text(line.text),
            }
            self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")

    def store(self, s3: S3Client, settings: Settings, name: ObjectName) -> str:
        """Write the lines to the quarantine, as one object for one object; return its address.

        Raises:
            SourceError: S3 has not taken it, or it would be read as input.
        """
        bucket = settings.quarantine_bucket or name.bucket
        key = f"{settings.quarantine_prefix}{name.key}.jsonl"
        if bucket == name.bucket and name.key.startswith(settings.quarantine_prefix):
            raise SourceError("the object lies in the quarantine, which has to be outside of the notified prefix")
        self._file.seek(0)
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=self._file, ContentType="application/x-ndjson")
        except (ClientError, BotoCoreError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            raise SourceError(f"the quarantine could not be written: {code}") from error
        return f"s3://{bucket}/{key}"

    def close(self) -> None:
        """Forget the lines."""
        self._file.close()


def _write_text(text: bytes) -> dict[str, str]:
    try:
        return {"line": text.decode()}
    except UnicodeDecodeError:
        return {"line_base64": base64.b64encode(text).decode()}

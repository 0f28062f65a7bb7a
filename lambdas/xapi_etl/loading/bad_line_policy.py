"""The decision about an object with bad lines: it fails, or they are skipped or quarantined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from xapi_etl.exceptions import SourceError
from xapi_etl.reading.sources import OpenObject
from xapi_etl.settings import Settings

from .quarantine import BadLines, make_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class BadLinePolicy:
    """What happens to bad lines, according to the settings ``BAD_LINES`` and ``BAD_LINES_MAX_RATIO``."""

    settings: Settings
    s3: S3Client
    logger: Logger

    def make_bad_lines(self) -> BadLines:
        """Return an empty collection for the bad lines of one object; it keeps what the policy needs of them."""
        mode = self.settings.bad_lines
        return BadLines(is_kept=mode == "quarantine" and not self.settings.is_dry_run, is_limited=mode != "skip")

    def apply(self, opened: OpenObject, bad: BadLines, rows: int) -> None:
        """Fail the object, skip its bad lines or store them in the quarantine, before any of its rows are inserted.

        Raises:
            SourceError: an object with so many bad lines is not loaded, or the quarantine cannot be written.
        """
        if not bad.count:
            return
        share = bad.count / (bad.count + rows)
        if self.settings.bad_lines == "fail":
            raise SourceError(bad.describe(), next(iter(bad.codes)), is_final=True)
        if share > self.settings.bad_lines_max_ratio:
            lines = f"{bad.count} of {bad.count + rows} lines are rejected"
            reason = f"{lines}, more than BAD_LINES_MAX_RATIO allows; {bad.describe()}"
            raise SourceError(reason, "too_many_bad_lines", is_final=True)
        name = opened.name
        fields: dict[str, Any] = {
            "bucket": name.bucket,
            "key": name.key,
            "lines": bad.count,
            "reason_codes": dict(bad.codes),
            "first_line": bad.first[0].number,
            "reason": bad.first[0].reason,
            "dry_run": self.settings.is_dry_run,
        }
        if self.settings.bad_lines == "skip":
            self.logger.warning("lines_skipped", extra=fields)
            return
        if self.settings.is_dry_run:
            where = f"s3://{self.settings.quarantine_bucket or name.bucket}/{make_key(self.settings, name)}"
        else:
            where = bad.store(self.s3, self.settings, name, opened.source)
        self.logger.warning("lines_quarantined", extra={**fields, "quarantine": where})

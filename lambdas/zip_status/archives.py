"""The archives of READY jobs: existence, presigned URLs, deletion."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from .aws_clients import get_session
from .clients import calling, get_s3
from .job_record import JobRecord, format_time
from .schemas import Signatures
from .settings import Settings

# RFC 8187 attr-char; letters and digits are always safe.
_SAFE_IN_EXTENDED_VALUE = "!#$&+-.^_`|~"
_UNSAFE_IN_QUOTED_VALUE = re.compile(r'[^ -~]|["\\%]')
_GONE = {"404", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "405", "MethodNotAllowed"}
"""Codes of HeadObject for an object that does not exist; 405 for a version that is a delete marker."""


@dataclass(frozen=True)
class Archives:
    """The target buckets; every method raises ServiceUnavailableError if S3 does not respond."""

    settings: Settings

    def exists(self, record: JobRecord) -> bool:
        """Return whether the job's archive can be downloaded: it was neither deleted nor replaced."""
        location = {"Bucket": record["targetBucket"], "Key": record["targetKey"]}
        newest = self._head(location)
        if newest is None:
            return False
        version = record.get("versionId")
        if version and newest.get("VersionId", version) != version:
            return self._head({**location, "VersionId": version}) is not None
        return True

    def delete(self, record: JobRecord) -> None:
        """Delete the archive's version and its key report; objects that no longer exist are ignored."""
        version = {"VersionId": record["versionId"]} if record.get("versionId") else {}
        self._delete({"Bucket": record["targetBucket"], "Key": record["targetKey"], **version})
        if record.get("keyReportKey"):
            self._delete({"Bucket": record["targetBucket"], "Key": record["keyReportKey"]})

    def sign(self, record: JobRecord, now: datetime) -> Signatures:
        """Return presigned URLs of the job's objects, which set their file names, and the URLs' expiry."""
        has_report = bool(record.get("keyReportKey"))
        if record["status"] != "READY" and not (record["status"] == "FAILED" and has_report):
            return Signatures()
        seconds = choose_lifetime(record, _list_credentials_seconds(self.settings, now))
        url = expires_at = report_url = ""
        if record["status"] == "READY":
            target = {"Bucket": record["targetBucket"], "Key": record["targetKey"]}
            if record.get("versionId"):
                target["VersionId"] = record["versionId"]
            url = self._sign({**target, "ResponseContentDisposition": name_download(record)}, seconds)
            expires_at = read_expiry(url)
        if has_report:
            report_url = self._sign({"Bucket": record["targetBucket"], "Key": record["keyReportKey"]}, seconds)
        return Signatures(url, expires_at, report_url)

    def _head(self, location: dict[str, str]) -> dict[str, Any] | None:
        """Return an object's metadata, ``None`` if it does not exist, an empty dictionary if S3 rejects the request.

        A bucket policy may deny HeadObject and allow the download, and signing a URL needs no request to S3.
        """
        try:
            return dict(get_s3(path_style=self.settings.path_style).head_object(**location))  # type: ignore[arg-type]
        except ClientError as error:
            return None if error.response["Error"]["Code"] in _GONE else {}
        except BotoCoreError:
            return {}

    def _delete(self, location: dict[str, str]) -> None:
        with calling("DeleteObject"):
            try:
                get_s3(path_style=self.settings.path_style).delete_object(**location)  # type: ignore[arg-type]
            except ClientError as error:
                if error.response["Error"]["Code"] not in _GONE:
                    raise

    def _sign(self, target: dict[str, str], seconds: int) -> str:
        with calling("sign"):
            return get_s3(path_style=self.settings.path_style).generate_presigned_url(
                "get_object", Params=target, ExpiresIn=seconds
            )


def choose_lifetime(record: JobRecord, credentials_seconds: Iterable[int]) -> int:
    """Return the lifetime of a presigned URL in seconds: the job's, or less if the credentials expire sooner."""
    return max(1, min([int(record["presignTtlSeconds"]), *credentials_seconds]))


def _list_credentials_seconds(settings: Settings, now: datetime) -> list[int]:
    """Return the remaining seconds of the credentials, as a list of one number; an empty list if they never expire."""
    with calling("sign"):
        credentials = get_session().get_credentials()
        if credentials is None:
            return []
        frozen = credentials.get_frozen_credentials()  # refreshes them if they are about to end
    # botocore exposes the expiry only by this attribute of its refreshable credentials.
    expiry = getattr(credentials, "_expiry_time", None)
    if isinstance(expiry, datetime):
        return [int((expiry - now).total_seconds())]
    return [settings.session_credentials_seconds] if frozen.token else []


def name_download(record: JobRecord) -> str:
    """Return the Content-Disposition that saves the archive under its own name (RFC 6266).

    A name beyond plain ASCII is sent twice: simplified for old clients, and in full as ``filename*`` (RFC 8187).
    """
    name = record.get("archiveName") or record["targetKey"].rpartition("/")[2]
    plain = _UNSAFE_IN_QUOTED_VALUE.sub("_", name)
    header = f'attachment; filename="{plain}"'
    if plain == name:
        return header
    return f"{header}; filename*=UTF-8''{quote(name, safe=_SAFE_IN_EXTENDED_VALUE)}"


def read_expiry(url: str) -> str:
    """Return when a URL signed with Signature Version 4 expires, from its own parameters."""
    query: dict[str, Any] = parse_qs(urlsplit(url).query)
    signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return format_time(signed + timedelta(seconds=int(query["X-Amz-Expires"][0])))

"""The archives of READY jobs: whether they are still there, their signed addresses, their deletion."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .clients import calling, get_s3, get_session
from .core import name_download, read_expiry
from .schemas import Item, Signatures
from .settings import Settings

_GONE = {"404", "NoSuchKey", "NoSuchVersion", "NoSuchBucket", "405", "MethodNotAllowed"}
"""What HeadObject answers for an object that is not there; 405 for a version that is a delete marker."""


@dataclass(frozen=True)
class Archives:
    """The target buckets; every method raises ServiceUnavailableError if S3 does not answer."""

    settings: Settings

    def exists(self, item: Item) -> bool:
        """Say whether the job's archive can be downloaded: it is neither deleted nor replaced."""
        place = {"Bucket": item["targetBucket"], "Key": item["targetKey"]}
        newest = self._head(place)
        if newest is None:
            return False
        version = item.get("versionId")
        if version and newest.get("VersionId", version) != version:
            return self._head({**place, "VersionId": version}) is not None
        return True

    def delete(self, item: Item) -> None:
        """Delete the archive for good, and its list of keys that were left out; does nothing where they are gone."""
        version = {"VersionId": item["versionId"]} if item.get("versionId") else {}
        self._delete({"Bucket": item["targetBucket"], "Key": item["targetKey"], **version})
        if item.get("keyReportKey"):
            self._delete({"Bucket": item["targetBucket"], "Key": item["keyReportKey"]})

    def sign(self, item: Item, now: datetime) -> Signatures:
        """Return addresses that download the job's objects under their own names, and when they stop working."""
        has_report = bool(item.get("keyReportKey"))
        if item["status"] != "READY" and not (item["status"] == "FAILED" and has_report):
            return Signatures()
        seconds = choose_lifetime(item, _list_credentials_seconds(self.settings, now))
        url = expires_at = report_url = ""
        if item["status"] == "READY":
            target = {"Bucket": item["targetBucket"], "Key": item["targetKey"]}
            if item.get("versionId"):
                target["VersionId"] = item["versionId"]
            url = self._sign({**target, "ResponseContentDisposition": name_download(item)}, seconds)
            expires_at = read_expiry(url)
        if has_report:
            report_url = self._sign({"Bucket": item["targetBucket"], "Key": item["keyReportKey"]}, seconds)
        return Signatures(url, expires_at, report_url)

    def _head(self, place: dict[str, str]) -> dict[str, Any] | None:
        """Return what S3 says of an object, ``None`` if it is gone, nothing if S3 does not tell.

        A bucket's own policy may forbid to look and permit to download, and an address can be signed without S3.
        """
        try:
            return dict(get_s3(path_style=self.settings.path_style).head_object(**place))  # type: ignore[arg-type]
        except ClientError as error:
            return None if error.response["Error"]["Code"] in _GONE else {}
        except BotoCoreError:
            return {}

    def _delete(self, place: dict[str, str]) -> None:
        with calling("DeleteObject"):
            try:
                get_s3(path_style=self.settings.path_style).delete_object(**place)  # type: ignore[arg-type]
            except ClientError as error:
                if error.response["Error"]["Code"] not in _GONE:
                    raise

    def _sign(self, target: dict[str, str], seconds: int) -> str:
        with calling("sign"):
            return get_s3(path_style=self.settings.path_style).generate_presigned_url(
                "get_object", Params=target, ExpiresIn=seconds
            )


def choose_lifetime(item: Item, credentials_seconds: Iterable[int]) -> int:
    """Return for how many seconds to sign: what the job asks for, or less if the credentials end sooner."""
    return max(1, min([int(item["presignTtlSeconds"]), *credentials_seconds]))


def _list_credentials_seconds(settings: Settings, now: datetime) -> list[int]:
    """Return how long the credentials last, as a list of one number, or none if they never end."""
    with calling("sign"):
        credentials = get_session().get_credentials()
        if credentials is None:
            return []
        frozen = credentials.get_frozen_credentials()  # refreshes them if they are about to end
    # botocore tells an expiry only through this attribute of its refreshable credentials.
    expiry = getattr(credentials, "_expiry_time", None)
    if isinstance(expiry, datetime):
        return [int((expiry - now).total_seconds())]
    return [settings.session_credentials_seconds] if frozen.token else []

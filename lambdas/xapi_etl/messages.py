"""From an SQS message to the objects that it names."""

import json
from typing import Any
from urllib.parse import unquote_plus

from .exceptions import MessageRejectedError
from .schemas import ObjectName, S3EventRecord

_UNVERSIONED = "null"
"""The version id of what was written while the bucket kept no versions; it names no particular one."""


def parse_body(body: str) -> list[ObjectName]:
    """Return the objects that a message announces, in its order; none for S3's test event or a deletion.

    Understood are S3 event notifications, bare or wrapped by SNS, whose keys are URL-encoded, and
    ``{"bucket": …, "key": …, "version_id": …}``, whose key is taken as it is and whose version may be left out.

    Raises:
        MessageRejectedError: the body is anything else.
    """
    try:
        return _parse_document(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MessageRejectedError(f"the body names no S3 object: {type(error).__name__}") from error


def _parse_document(document: Any) -> list[ObjectName]:  # noqa: ANN401  # anything can be in a message
    if document.get("Type") == "Notification":
        document = json.loads(document["Message"])
    if document.get("Event") == "s3:TestEvent":
        return []
    if "Records" not in document:
        return [_make_name(document["bucket"], document["key"], document.get("version_id"))]
    if not document["Records"]:
        raise MessageRejectedError("the body has an empty list of records")
    return [_parse_record(record) for record in document["Records"] if _is_creation(record)]


def _is_creation(record: S3EventRecord) -> bool:
    return record["eventName"].removeprefix("s3:").startswith("ObjectCreated:")


def _parse_record(record: S3EventRecord) -> ObjectName:
    bucket, item = record["s3"]["bucket"]["name"], record["s3"]["object"]
    return _make_name(bucket, unquote_plus(item["key"], errors="strict"), item.get("versionId"))


def _make_name(bucket: object, key: object, version: object) -> ObjectName:
    if not (isinstance(bucket, str) and bucket and isinstance(key, str) and key):
        raise MessageRejectedError("bucket and key have to be texts that are not empty")
    if not isinstance(version, str | None):
        raise MessageRejectedError("version_id has to be a text")
    return ObjectName(bucket, key, None if version == _UNVERSIONED else version or None)

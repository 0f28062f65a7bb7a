"""From an SQS message to the objects that it names."""

import hashlib
import json
from typing import Any
from urllib.parse import unquote_plus

from .exceptions import MessageRejectedError
from .schemas import Named, ObjectName, S3EventRecord, Source

_ID_PREFIX = "data-aggregator#"
_UNVERSIONED = "null"
"""The version id of every object that was written while its bucket kept no versions; it names no particular one."""


def parse_body(body: str) -> list[Named]:
    """Return the objects that a message announces, in its order; none for S3's test event or a deletion.

    Understood are S3 event notifications, bare or wrapped by SNS, whose keys are URL-encoded, and
    ``{"bucket": …, "key": …, "version_id": …}``, whose key is taken as it is and whose version may be left out.

    Raises:
        MessageRejectedError: the body is anything else.
    """
    try:
        return _parse_document(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MessageRejectedError(f"the body names no S3 object: {type(error).__name__}: {error}"[:300]) from error


def source_id(bucket: str, key: str, version: str) -> str:
    """Return the idempotency key of one version of an object; of a length of its own whatever the key's."""
    identity = json.dumps([bucket, key, version]).encode()
    return _ID_PREFIX + hashlib.sha256(identity).hexdigest()


def _parse_document(document: Any) -> list[Named]:  # noqa: ANN401  # anything can be in a message
    if document.get("Type") == "Notification":
        document = json.loads(document["Message"])
    if document.get("Event") == "s3:TestEvent":
        return []
    if "Records" in document:
        if not document["Records"]:
            raise MessageRejectedError("the body has an empty list of records")
        return [_parse_record(record) for record in document["Records"] if _is_creation(record)]
    names = [document["bucket"], document["key"], document.get("version_id") or "-"]
    if not all(isinstance(name, str) and name for name in names):
        raise MessageRejectedError("bucket, key and version_id have to be strings that are not empty")
    return [ObjectName(document["bucket"], document["key"], document.get("version_id") or None)]


def _is_creation(record: S3EventRecord) -> bool:
    return record["eventName"].removeprefix("s3:").startswith("ObjectCreated:")


def _parse_record(record: S3EventRecord) -> Named:
    bucket, item = record["s3"]["bucket"]["name"], record["s3"]["object"]
    key = unquote_plus(item["key"], errors="strict")
    version = item.get("versionId")
    version_id = None if version == _UNVERSIONED else version
    etag, size = item.get("eTag"), item.get("size")
    # An overwrite with the same bytes has the same ETag, but a sequencer of its own.
    told_apart_by = version_id or item.get("sequencer") or etag
    if not bucket or not key:
        raise MessageRejectedError("a record has no bucket or no key")
    if told_apart_by is None or size is None or (version_id is None and etag is None):
        return ObjectName(bucket, key, version_id)
    return Source(source_id(bucket, key, told_apart_by), bucket, key, version_id, etag, int(size))

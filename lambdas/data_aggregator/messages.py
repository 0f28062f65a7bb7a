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
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
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
    version_id = document.get("version_id") or None
    _refuse_unnameable(document["bucket"], document["key"], version_id)
    return [ObjectName(document["bucket"], document["key"], version_id)]


def _refuse_unnameable(bucket: object, key: object, *others: object) -> None:
    """Raise if one of these cannot be sent to S3: it would fail later, and its whole bundle with it."""
    for name in (bucket, key, *(other for other in others if other is not None)):
        if not isinstance(name, str) or not name:
            raise MessageRejectedError("bucket, key and version have to be strings that are not empty")
        name.encode()  # JSON can spell half a character, UTF-8 cannot


def _is_creation(record: S3EventRecord) -> bool:
    return record["eventName"].removeprefix("s3:").startswith("ObjectCreated:")


def _parse_record(record: S3EventRecord) -> Named:
    bucket, item = record["s3"]["bucket"]["name"], record["s3"]["object"]
    key = unquote_plus(item["key"], errors="strict")
    version = item.get("versionId")
    version_id = None if version == _UNVERSIONED else version or None
    # Without an ETag there is nothing to compare with: an empty one would match no object at all.
    etag, size = item.get("eTag") or None, item.get("size")
    _refuse_unnameable(bucket, key, version_id, etag)
    if etag and not (etag.isascii() and etag.isprintable()):
        raise MessageRejectedError("an ETag that cannot be one")
    # An overwrite with the same bytes has the same ETag, but a sequencer of its own.
    told_apart_by = version_id or item.get("sequencer") or etag
    if told_apart_by is None or size is None or (version_id is None and etag is None):
        return ObjectName(bucket, key, version_id)
    return Source(source_id(bucket, key, told_apart_by), bucket, key, version_id, etag, int(size))

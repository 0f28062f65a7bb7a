"""The S3 objects that a queue message announces, in each format that AWS and people send.

One source file, linked into each Lambda package that uses it, so that every zip carries its own copy.

Supported formats, also as JSON arrays:

- S3 event notifications (``{"Records": […]}``), whose keys are URL-encoded. Source: "Event message structure", Amazon
  S3 user guide.
- EventBridge events (``"detail-type": "Object Created"``) and their ``detail`` alone, whose keys are plain. Source:
  "EventBridge event message structure", Amazon S3 user guide.
- either of them wrapped by SNS, as a notification (``"Type": "Notification"``) or as an event (``"Sns": {…}``).
- ``{"bucket": …, "key": …, "version_id": …}``, whose key is plain and whose version is optional.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_plus

_UNVERSIONED = "null"
"""The version id of an object written while its bucket was not versioned; it names no particular version."""
_CREATIONS = frozenset({"PutObject", "POST Object", "CopyObject", "CompleteMultipartUpload"})
"""The ``reason`` in an EventBridge event's ``detail`` for a new object."""
_MAX_NESTING = 8
"""Maximum notifications and arrays around a record; AWS uses at most three."""
_LONGEST_NAME = 100

type IgnoredReason = Literal["test_event", "not_a_creation", "other_service", "not_a_notification"]


class ObjectEventError(ValueError):
    """A message's body is not understood; the text says why and quotes nothing of the body but names of its keys."""


@dataclass(frozen=True, slots=True)
class CreatedObject:
    """A new object, as its event describes it; ``None`` for what the event does not say."""

    bucket: str
    key: str
    """Decoded: as S3's API takes it."""
    version_id: str | None = None
    """``None`` also where the bucket keeps no versions."""
    etag: str | None = None
    """Without quotes."""
    size: int | None = None
    """Bytes."""
    sequencer: str | None = None
    """Orders the events of one key."""


@dataclass(frozen=True, slots=True)
class IgnoredRecord:
    """A record that announces no new object: a deletion, a restore, another service's event, S3's test event."""

    reason: IgnoredReason
    event: str
    """The event's own name, such as ``ObjectRemoved:Delete``; at most 100 printable characters."""
    bucket: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectEvents:
    """What a message holds, in its order."""

    created: tuple[CreatedObject, ...]
    ignored: tuple[IgnoredRecord, ...]


def parse_object_events(body: str) -> ObjectEvents:
    """Return the new objects that a message's body announces, and the records in it that announce none.

    Raises:
        ObjectEventError: the body is no JSON, has a record of none of the known shapes, or holds no record.
    """
    try:
        records = list(_read_any(json.loads(body), 0))
    except ObjectEventError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ObjectEventError(_explain(error)) from error
    if not records:
        raise ObjectEventError("the body has an empty list of records")
    return ObjectEvents(
        tuple(record for record in records if isinstance(record, CreatedObject)),
        tuple(record for record in records if isinstance(record, IgnoredRecord)),
    )


def _explain(error: Exception) -> str:
    match error:
        case json.JSONDecodeError() | RecursionError():
            return "the body is not JSON, or too deeply nested"
        case UnicodeError():
            return "the body names no S3 object: a name is not UTF-8"
        case KeyError():
            return f"the body names no S3 object: it has no {_shorten(error.args[0])}"
        case _:
            return f"the body names no S3 object: {type(error).__name__}"


def _read_any(document: Any, depth: int) -> Iterator[CreatedObject | IgnoredRecord]:  # noqa: ANN401  # any JSON
    if depth > _MAX_NESTING:
        raise ObjectEventError("the body names no S3 object: too many wrappings")
    if isinstance(document, list):
        for one in document:
            yield from _read_any(one, depth + 1)
        return
    if not isinstance(document, dict):
        raise ObjectEventError(f"the body names no S3 object: it holds a {type(document).__name__}")
    if "Records" in document:
        if not isinstance(document["Records"], list):
            raise ObjectEventError("the body names no S3 object: Records is not a list")
        yield from _read_any(document["Records"], depth + 1)
    elif "Sns" in document or "Type" in document:
        yield from _read_sns(document.get("Sns", document), depth)
    else:
        yield _read_record(document)


def _read_sns(notification: dict[str, Any], depth: int) -> Iterator[CreatedObject | IgnoredRecord]:
    kind = notification.get("Type", "Notification")
    if kind == "Notification":
        yield from _read_any(json.loads(notification["Message"]), depth + 1)
    else:  # a confirmation of a subscription, or of its end
        yield IgnoredRecord("not_a_notification", _shorten(kind))


def _read_record(record: dict[str, Any]) -> CreatedObject | IgnoredRecord:
    if record.get("Event") == "s3:TestEvent":
        return IgnoredRecord("test_event", "s3:TestEvent", _text_or_none(record.get("Bucket")))
    if "detail-type" in record:
        return _read_eventbridge(record)
    if "eventName" in record or "eventSource" in record:
        return _read_notification(record)
    if isinstance(record.get("bucket"), dict):
        return _read_detail(record, is_creation=record["reason"] in _CREATIONS, event=record["reason"])
    return _make_created(record["bucket"], record["key"], {"version_id": record.get("version_id")})


def _read_eventbridge(event: dict[str, Any]) -> CreatedObject | IgnoredRecord:
    if event.get("source") != "aws.s3":
        return IgnoredRecord("other_service", f"{_shorten(event.get('source'))} {_shorten(event['detail-type'])}")
    return _read_detail(
        event["detail"], is_creation=event["detail-type"] == "Object Created", event=event["detail-type"]
    )


def _read_detail(detail: dict[str, Any], *, is_creation: bool, event: object) -> CreatedObject | IgnoredRecord:
    bucket, item = detail["bucket"]["name"], detail.get("object", {})
    if not is_creation:
        return IgnoredRecord("not_a_creation", _shorten(event), _text_or_none(bucket), _text_or_none(item.get("key")))
    return _make_created(bucket, item["key"], {**item, "version_id": item.get("version-id")})


def _read_notification(record: dict[str, Any]) -> CreatedObject | IgnoredRecord:
    # MinIO and Ceph send "minio:s3" and "ceph:s3", and names that begin with "s3:".
    source = record.get("eventSource", "aws:s3")
    if not isinstance(source, str) or not source.endswith(":s3"):
        return IgnoredRecord("other_service", f"{_shorten(source)} {_shorten(record.get('eventName', ''))}".strip())
    name = record["eventName"].removeprefix("s3:")
    is_creation = name.startswith("ObjectCreated:")
    if not is_creation and not isinstance(record.get("s3"), dict):
        return IgnoredRecord("not_a_creation", _shorten(name))
    bucket, item = record["s3"]["bucket"]["name"], record["s3"].get("object", {})
    key = unquote_plus(item["key"], errors="strict") if "key" in item else None
    if not is_creation:
        return IgnoredRecord("not_a_creation", _shorten(name), _text_or_none(bucket), key)
    return _make_created(bucket, key, {**item, "version_id": item.get("versionId"), "etag": item.get("eTag")})


def _make_created(bucket: object, key: object, item: dict[str, Any]) -> CreatedObject:
    version, etag, sequencer = (_read_text(name, item.get(name)) for name in ("version_id", "etag", "sequencer"))
    if not (isinstance(bucket, str) and bucket and isinstance(key, str) and key):
        raise ObjectEventError("the body names no S3 object: bucket and key have to be texts that are not empty")
    for name in (bucket, key, version or "", etag or "", sequencer or ""):
        name.encode()  # JSON can spell half a character, UTF-8 cannot
    etag = etag.strip('"') if etag else None
    if etag and not (etag.isascii() and etag.isprintable()):
        raise ObjectEventError("the body names no S3 object: its ETag has characters that none has")
    version = None if version == _UNVERSIONED else version
    return CreatedObject(bucket, key, version, etag or None, _read_size(item.get("size")), sequencer)


def _read_text(name: str, value: object) -> str | None:
    if not isinstance(value, str | None):
        raise ObjectEventError(f"the body names no S3 object: {name} has to be a text")
    return value or None


def _read_size(size: object) -> int | None:
    if isinstance(size, str) and size.isascii() and size.isdigit():
        size = int(size)
    if size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0):
        return size
    raise ObjectEventError("the body names no S3 object: size has to be a whole number that is not negative")


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _shorten(name: object) -> str:
    """Return a name as a log line may hold it."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(name)[:_LONGEST_NAME])

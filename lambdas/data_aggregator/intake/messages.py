"""Parser of SQS message bodies: returns the objects that a message names."""

from collections.abc import Sequence
from dataclasses import dataclass

from data_aggregator.exceptions import MessageRejectedError
from data_aggregator.object_events import CreatedObject, IgnoredRecord, ObjectEventError, parse_object_events
from data_aggregator.schemas import Named, ObjectName, Source, source_id

_MAX_OBJECTS = 10_000
"""Objects per message. S3 sends one; an object takes 2 KB of memory."""


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """The contents of a message."""

    objects: Sequence[Named]
    """New objects, in the message's order."""
    ignored: Sequence[IgnoredRecord] = ()
    """Records that do not announce a new object: deletions, restores, S3's test event."""
    foreign: Sequence[IgnoredRecord] = ()
    """Records of other services. They do not belong in this queue, and deleting them would hide that."""


def parse_body(body: str) -> ParsedMessage:
    """Return what a message announces; :mod:`.object_events` lists the supported formats.

    Raises:
        MessageRejectedError: the format is not supported, or the body names more than 10,000 objects.
    """
    try:
        events = parse_object_events(body)
    except ObjectEventError as error:
        raise MessageRejectedError(str(error)) from error
    if len(events.created) > _MAX_OBJECTS:
        raise MessageRejectedError(f"the body names {len(events.created)} objects, more than {_MAX_OBJECTS}")
    return ParsedMessage(
        [_name(created) for created in events.created],
        [record for record in events.ignored if record.reason != "other_service"],
        [record for record in events.ignored if record.reason == "other_service"],
    )


def _name(created: CreatedObject) -> Named:
    # An overwrite with the same bytes has the same ETag, but another sequencer.
    told_apart_by = created.version_id or created.sequencer or created.etag
    # Without an ETag there is nothing to compare with: an empty one would not match any object.
    if told_apart_by is None or created.size is None or (created.version_id is None and created.etag is None):
        return ObjectName(created.bucket, created.key, created.version_id)
    return Source(
        source_id(created.bucket, created.key, told_apart_by),
        created.bucket,
        created.key,
        created.version_id,
        created.etag,
        created.size,
    )
